"""Element types that ONNX Runtime has no kernels for on the CPU: the module has the inferred types, and the ONNX model is valid; where the
reference implementation of ONNX can run it, it agrees."""

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from case_ids import case_id
from onnx.reference import ReferenceEvaluator

import netc
from netc.compiler.dims import evaluate


def _collect() -> list[str]:
    texts: list[str] = []
    for path in sorted(Path(__file__).parent.glob("cases_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        texts += getattr(module, "TORCH_ONLY", [])
    return texts


@pytest.mark.parametrize("text", _collect(), ids=case_id)
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
