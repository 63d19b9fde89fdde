"""Element types that ONNX Runtime has no kernels for on the CPU: the module has the inferred types, and the ONNX model is valid; where the
reference implementation of ONNX can run it, it agrees."""

import numpy as np
import onnx
import pytest
import torch
from case_ids import case_id
from onnx.reference import ReferenceEvaluator

import netc
from netc.compiler.dims import evaluate_dim
from netc.compiler.types.tensor_types import TensorType
from tests.case_families import FAMILIES

TEXTS = [text for module in FAMILIES.values() for text in getattr(module, "TORCH_ONLY", [])]

SIZES = {"N": 2, "T": 3}


@pytest.mark.parametrize("text", TEXTS, ids=case_id)
def test_torch_only(text: str) -> None:
    model = netc.compile(text)
    (y,) = model.outputs.values()
    tensors = [_drawn(x) for x in model.inputs.values()]
    with torch.no_grad():
        result = model.module(seed=0).eval()(*tensors)
    assert (str(result.dtype), tuple(result.shape)) == (f"torch.{y.dtype}", tuple(evaluate_dim(d, SIZES) for d in y.shape))
    proto = model.onnx(seed=0)
    onnx.checker.check_model(proto, full_check=True)
    if y.dtype.name == "float64":
        fed = {name: tensor.numpy() for name, tensor in zip(model.inputs, tensors, strict=True)}
        (same,) = ReferenceEvaluator(proto).run(None, fed)
        np.testing.assert_allclose(same, result.numpy(), rtol=1e-6)


def _drawn(x: TensorType) -> torch.Tensor:
    sizes, dtype = [evaluate_dim(d, SIZES) for d in x.shape], getattr(torch, x.dtype.name)
    return torch.randn(sizes).to(dtype) if x.dtype.is_float else torch.randint(2, sizes, dtype=dtype)
