"""Random models in another type: they compile, or an operator says why not; PyTorch gives the types that were computed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from profiles import examples

import netc
from tests.differential.models import models
from tests.parity import inputs_for, sizes_of, tensor

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.long]
KERNELS = ("not implemented for", "not supported for", "Unsupported dtype", "scalar type: ", "tensors of type: ")
"""What PyTorch says where it has no kernel for the type."""


@settings(max_examples=examples(40), suppress_health_check=list(HealthCheck), deadline=None)
@given(models(), st.sampled_from(["bfloat16", "float16", "float64"]), st.booleans())
def test_models(text: str, dtype: str, keep_io: bool) -> None:
    note(text)
    plain = netc.compile(text)
    try:
        model = netc.compile(text, dtype=dtype, keep_io=keep_io)
    except netc.CompileError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert dtype in refused
        return
    assert list(model.parameters) == list(plain.parameters)
    assert [t.shape for t in model.outputs.values()] == [t.shape for t in plain.outputs.values()]
    arrays = inputs_for(plain, sizes_of(plain)[1])
    fed = [tensor(arrays[name], plain.inputs[name]).to(getattr(torch, t.dtype.name)) for name, t in model.inputs.items()]
    with torch.no_grad():
        try:
            found = model.module(seed=0).eval()(*fed)
        except (NotImplementedError, RuntimeError) as error:
            if any(kernel in str(error) for kernel in KERNELS):
                return
            raise
    results = found if isinstance(found, tuple) else (found,)
    assert [str(y.dtype) for y in results] == [f"torch.{t.dtype}" for t in model.outputs.values()]
