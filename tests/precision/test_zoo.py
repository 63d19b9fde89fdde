"""The zoo in bfloat16 and float16.

PyTorch's own conversion is the judge: the module of float32, converted by `.to(dtype)`, computes the same numbers; and neither it nor ONNX
Runtime is further from float32 than `ROUNDINGS` of the largest number. ONNX Runtime has few kernels of bfloat16 on a CPU: there, that graph
runs with float32 in its place.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from zoo.catalogue import SPECS, entries, files
from zoo.small import SMALL

import netc
from netc.compiler.types.numpy_types import to_array
from tests.widened import widened

ROUNDINGS = 8
"""The greatest distance from the results of float32, in units of the largest rounding error of the largest result. It is the distance
of the modules that PyTorch converts (tests/torch/test_zoo_models.py)."""
DTYPES = ("bfloat16", "float16")
QUICK = ("convnext", "gpt2", "ddpm", "rwkv", "kan")
"""A convolutional network, a transformer, positions in float32, states of a loop, and tables of float32."""
NOT_TO_THE_BIT = {("kan", "bfloat16")}
"""Splines, whose knots are written as float32: PyTorch rounds them at once, and netc where they meet a tensor of the model."""

small = pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in SMALL])
halves = pytest.mark.parametrize("dtype", DTYPES)


def results(module: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    with torch.no_grad():
        found = module(*inputs)
    return list(found) if isinstance(found, tuple) else [found]


@cache
def original(name: str) -> tuple[nn.Module, tuple[Tensor, ...], list[Tensor]]:
    """The module of float32 in eval mode, inputs, and its results. Weights are as PyTorch draws them."""
    model = SMALL[name].compiled()
    module = model.module(seed=0).eval()
    torch.manual_seed(0)
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    inputs = SMALL[name].inputs(model)
    return module, inputs, results(module, inputs)


def fed(model: netc.Model, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(x.to(getattr(torch, t.dtype.name)) for x, t in zip(inputs, model.inputs.values(), strict=True))


def assert_near(found: list[Any], wanted: list[Tensor], dtype: str) -> None:
    assert len(found) == len(wanted)
    for left, right in zip(found, wanted, strict=True):
        kind = torch.finfo(getattr(torch, dtype))
        bound = ROUNDINGS * kind.eps * max(kind.tiny, float(right.abs().max()))
        assert float((torch.as_tensor(left).double() - right).abs().max()) <= bound


@halves
@small
@pytest.mark.sample(3)
def test_module(name: str, dtype: str) -> None:
    module, inputs, wanted = original(name)
    model = SMALL[name].compiled(dtype)
    own = model.module(weights=module.state_dict()).eval()
    assert {k: v.shape for k, v in own.state_dict().items()} == {k: v.shape for k, v in module.state_dict().items()}
    found = results(own, fed(model, inputs))
    assert {str(y.dtype) for y in found} == {f"torch.{dtype}"}
    assert_near(found, wanted, dtype)
    kind = getattr(torch, dtype)
    converted = results(copy.deepcopy(module).to(kind), tuple(x.to(kind) if x.is_floating_point() else x for x in inputs))
    if (name, dtype) not in NOT_TO_THE_BIT:
        assert all(torch.equal(left, right) for left, right in zip(found, converted, strict=True))


@halves
@small
@pytest.mark.sample(3)
def test_onnx(name: str, dtype: str) -> None:
    module, inputs, wanted = original(name)
    model = SMALL[name].compiled(dtype)
    proto = model.onnx(weights=module.state_dict())
    onnx.checker.check_model(proto, full_check=True)
    if dtype == "bfloat16":
        proto = widened(proto)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    given = [x.float() if x.dtype == torch.bfloat16 else x for x in fed(model, inputs)]
    found = session.run(None, {port.name: to_array(x) for port, x in zip(session.get_inputs(), given, strict=True)})
    assert_near([y.astype(np.float64) for y in found], wanted, dtype)


@pytest.mark.parametrize("name", ["gpt2", pytest.param("vit", marks=pytest.mark.long), pytest.param("t5", marks=pytest.mark.long)])
def test_keep_io(name: str) -> None:
    """Inputs and outputs of float32 around the same numbers."""
    module, inputs, _ = original(name)
    one = SMALL[name]
    inner = one.compiled("float16")
    outer = netc.compile_file(SPECS / one.spec, model=one.model, params=dict(one.params), dtype="float16", keep_io=True)
    wanted = results(inner.module(weights=module.state_dict()).eval(), fed(inner, inputs))
    found = results(outer.module(weights=module.state_dict()).eval(), inputs)
    assert all(y.dtype == torch.float32 and torch.equal(y, x.float()) for y, x in zip(found, wanted, strict=True))
    session = outer.session(weights=module.state_dict())
    made = session(*[to_array(x) for x in inputs])
    assert_near(list(made.values()) if isinstance(made, dict) else [made], [x.float() for x in wanted], "float16")


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize("dtype", [*DTYPES, "float64"])
@pytest.mark.parametrize("spec", files())
def test_every_model_compiles(spec: str, dtype: str) -> None:
    """Every model of every spec, with its default parameters; all that is learned is of the type."""
    for entry in entries(spec):
        several = len(entries(spec)) > 1 or entry.model != spec.rpartition("/")[2].removesuffix(".net")
        model = netc.compile_file(SPECS / spec, model=entry.model if several else None, dtype=dtype)
        learned = {str(p.dtype) for p in model.parameters.values() if p.trainable}
        assert learned == {dtype}, entry.key
