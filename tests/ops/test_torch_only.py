"""Element types that ONNX Runtime has no kernels for on the CPU: the module has the inferred types, and the ONNX model is valid; where the
reference implementation of ONNX can run it, it agrees."""

import numpy as np
import onnx
import pytest
import torch
from case_families import FAMILIES
from case_ids import case_id
from onnx.reference import ReferenceEvaluator

import netc
from netc.compiler.dims import evaluate

TEXTS = [text for module in FAMILIES.values() for text in getattr(module, "TORCH_ONLY", [])]


@pytest.mark.parametrize("text", TEXTS, ids=case_id)
def test_torch_only(text: str) -> None:
    model = netc.compile(text)
    (x,), (y,) = model.inputs.values(), model.outputs.values()
    tensor = torch.randn([evaluate(d, {"N": 2}) for d in x.shape]).to(getattr(torch, x.dtype.name))
    with torch.no_grad():
        result = model.module(seed=0).eval()(tensor)
    assert (str(result.dtype), tuple(result.shape)) == (f"torch.{y.dtype}", tuple(evaluate(d, {"N": 2}) for d in y.shape))
    proto = model.onnx(seed=0)
    onnx.checker.check_model(proto, full_check=True)
    if x.dtype.name == "float64":
        (same,) = ReferenceEvaluator(proto).run(None, {next(iter(model.inputs)): tensor.numpy()})
        np.testing.assert_allclose(same, result.numpy(), rtol=1e-6)
