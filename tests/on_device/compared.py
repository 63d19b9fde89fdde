"""A model on a device, and on the CPU.

In: a model and inputs. Out: a `Compared`. Always: PyTorch on the CPU is the judge of both targets on the device; what the device cannot run
is a reason and no failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

import netc
from netc.compiler.types.numpy_types import to_array
from netc.dsl.record import Record
from netc.importing.array_difference import measure_difference
from tests.parity import SEED, TOLERANCES, arguments, flattened

FACTOR = 10
"""What two devices may differ by, as a multiple of what two libraries on one may: both add up in another order."""


class Compared(Record):
    """`wrong`: what differs by more than rounding. `missing`: why a target does not run there. `fallen`: nodes that ONNX Runtime put on
    the CPU."""

    name: str
    wrong: tuple[str, ...]
    missing: tuple[str, ...]
    fallen: tuple[str, ...]


def compared(name: str, model: netc.Model, inputs: Sequence[torch.Tensor], device: str) -> Compared:
    """Runs both targets on the device."""
    module = model.module(seed=SEED).eval()
    wanted = _called(module, arguments(model, inputs))
    wrong: list[str] = []
    missing: list[str] = []
    fallen: tuple[str, ...] = ()
    dtypes = [type_.dtype.name for type_ in model.outputs.values()]
    try:
        _judge("PyTorch", _called(module.to(device), arguments(model, [x.to(device) for x in inputs])), wanted, dtypes, wrong)
    except (RuntimeError, NotImplementedError) as error:
        missing.append(f"PyTorch: {_line(error)}")
    try:
        session = model.session(seed=SEED, device=device)
        found = session(*[to_array(x) for x in inputs])
        fallen = session.placement().fallen_back
        _judge("ONNX Runtime", list(found.values()) if isinstance(found, dict) else [found], wanted, dtypes, wrong)
    except Exception as error:  # ONNX Runtime's exceptions have no common base
        missing.append(f"ONNX Runtime: {_line(error)}")
    return Compared(name, tuple(wrong), tuple(missing), fallen)


def _called(module: torch.nn.Module, inputs: Sequence[Any]) -> list[Any]:
    with torch.no_grad():
        return [to_array(y.cpu()) for y in flattened(module(*inputs))]


def _judge(target: str, found: Sequence[Any], wanted: Sequence[Any], dtypes: Sequence[str], wrong: list[str]) -> None:
    for index, (own, other, dtype) in enumerate(zip(found, wanted, dtypes, strict=True)):
        if own.shape != other.shape:
            wrong.append(f"{target}, output {index}: {own.shape} and not {other.shape}")
            continue
        far = measure_difference(np.asarray(own), np.asarray(other))
        if not far <= FACTOR * TOLERANCES.get(dtype, 0.0):
            wrong.append(f"{target}, output {index}: differs by {far:.1e} of the largest number")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
