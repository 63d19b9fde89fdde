"""An ONNX model of an opset against the PyTorch module, in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

import netc
from netc.compiler.backends.backend import GraphOptions
from netc.compiler.backends.onnx import BACKEND
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.inputs.backend_input import make_backend_input
from tests.parity import SEED, TOLERANCES, close, inputs_for, run_module, sizes_of
from tests.widened import widened


def check(
    model: netc.Model,
    opset: int,
    sizes: dict[str, int] | None = None,
    limits: dict[str, Any] | None = None,
    *,
    weights: Callable[[netc.Model], dict[str, torch.Tensor]] | None = None,
    device: str = "",
) -> None:
    """Raises AssertionError unless the ONNX model of the opset, in the form for a device, computes what the PyTorch module does."""
    given = weights(model) if weights is not None else model.module(seed=SEED).state_dict()
    proto = BACKEND.proto(make_backend_input(model.program, given, None, options=GraphOptions(opset, device=device)))
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", opset)]
    onnx.checker.check_model(proto, full_check=True)
    try:
        session = OnnxSession(proto)
    except NoKernel:
        session = OnnxSession(widened(proto))
    env = {**sizes_of(model)[1], **(sizes or {})}
    arrays = inputs_for(model, env, limits=limits)
    wanted = run_module(model.module(weights=given).eval(), model, arrays)
    found = session(*arrays.values())
    outputs = list(found.values()) if isinstance(found, dict) else [found]
    for (name, type_), left, right in zip(model.outputs.items(), wanted, outputs, strict=True):
        array = torch.as_tensor(np.asarray(right).astype(np.float64) if type_.dtype.is_float else np.asarray(right))
        close(name, left, array, type_.dtype.name, TOLERANCES.get(type_.dtype.name, 0.0))
