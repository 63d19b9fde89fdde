"""The emitted module in another floating-point type: what is float32 in the spec follows the model, and nothing loses precision early."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import torch
from torch import Tensor

import netc
from netc.compiler.ops.operator import Operator
from tests.parity import inputs_for, sizes_of, tensor

FOLLOWING = {
    "input [4] int64 -> (cast float32 -> dense 2) as head": 'self["1"](x.to(self["1"].weight.dtype))',
    "input [4] int64 -> cast float32 -> repeat 3 as layers { dense 4 relu }": "self.layers(input.to(self.layers[0][0].weight.dtype))",
    "i = input [4] int64; i -> cast float32 -> each k in [2, 3] as heads { dense k } -> concat axis=-1": "i.to(self.heads[0].weight.dtype)",
    "shared e = dense 4; i = input [4] int64; j = input [4]; out cast(i, float32) -> e, j -> e": "self.e(i.to(j.dtype)), self.e(j)",
    "block net { sin -> dense 4 }; shared e = net; i = input [T, 4] int64; j = input [S, 4]; out cast(i, float32) -> e, j -> e": (
        "self.e(i.to(j.dtype)), self.e(j)"
    ),
    "shared e = (sin -> cos); i = input [T, 4] int64; j = input [S, 4] int64; out cast(i, float32) -> e, cast(j, float32) -> e": (
        "self.e(i.float()), self.e(j.float())"
    ),
    "i = input [4] int64; i -> cast float32 -> sin -> repeat 3 as layers { dense 4 relu }": (
        "torch.sin(i.float()).to(self.layers[0][0].weight.dtype)"
    ),
    "i = input [4] int64; w = param [4] init=ones as scale; cast(i, float32) * w": "i.to(self.scale.dtype) * self.scale",
    "i = input [4] int64; i / 2 -> batch_norm": "self.batch_norm1((i / 2).to(self.batch_norm1.weight.dtype))",
    "i = input [T] int64; i -> one_hot 4 dtype=float32 -> lstm 3 as rnn": "_ = self.rnn(F.one_hot(i, 4).to(self.rnn.weight_ih_l0.dtype))",
    "x = input [4]; i = input [4] int64; (x > 0, x, cast(i, float32)) -> where": "torch.where(x > 0, x, i.to(x.dtype))",
    "x = input [4]; i = input [4] int64; x > cast(i, float32)": "x > i.float()",
    "x = input [4]; w = table (t) [4] = t * 0.5; x * w": "x * self.w",
    "x = input [T, 4]; p = table (t, k) [T, 4] = sin(t / 9 ** (k / 4)); (x -> dense 4) + p": "torch.sin(t / 9 ** (k / 4)).to(x.dtype)",
    "x = input [4]; i = input [4] int64; w = cast(i, float32); out (x -> dense 4) * w, sin(w)": "* w.to(x.dtype), torch.sin(w)",
    "block b(x: [N, 4], w: [N, 4]) { (x -> dense 4) * w }; x = input [4]; m = input [4] bool; "
    "(x, cast(m, float32)) -> repeat 3 as layers { (h, k) = in; out (h, k) -> b, k }": "k = m.to(x.dtype)",
    "x = input [4]; cast(x, float32) -> dense 3": "self.dense1(x)",
    "input [T, 8] -> multihead_attention 2 causal=true": "attn_mask=mask, is_causal=True",
    "(y, w) = input [T, 8] -> multihead_attention 2 causal=true add_bias_kv=true; out y, w": "device=input.device, dtype=input.dtype",
}
"""A model, and how the type of the model is written in it."""


def tensors(model: netc.Model, dtype: torch.dtype | None = None) -> list[Tensor]:
    arrays = inputs_for(model, sizes_of(model)[1])
    made = [tensor(arrays[name], type_) for name, type_ in model.inputs.items()]
    return [x.to(dtype) if dtype is not None and x.is_floating_point() else x for x in made]


def results(module: torch.nn.Module, given: list[Tensor]) -> list[Tensor]:
    with torch.no_grad():
        found = module(*given)
    return list(found) if isinstance(found, tuple) else [found]


def assert_near(model: netc.Model) -> None:
    """In bfloat16, the results equal float32's, except for rounding."""
    module = model.module(seed=0).eval()
    wanted = results(module, tensors(model))
    found = results(copy.deepcopy(module).to(torch.bfloat16), tensors(model, torch.bfloat16))
    for left, right in zip(found, wanted, strict=True):
        assert left.dtype in (right.dtype, torch.bfloat16)
        torch.testing.assert_close(left.to(right.dtype), right, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("text", FOLLOWING)
def test_follows(text: str) -> None:
    model = netc.compile(text)
    assert FOLLOWING[text] in re.sub(r"\s+", " ", model.source())
    assert_near(model)


def test_what_is_of_no_type_stays() -> None:
    """The model has no tensor whose type it could be."""
    assert "torch.sin(input.float())" in netc.compile("input [4] int64 -> cast float32 -> sin").source()


TIMES = "step = input [] int64; f = table (k) [4] = 10.0 ** -k; a = (step -> cast float32 -> unsqueeze 1) * f; sin(a) -> {}"


@pytest.mark.parametrize("text", [TIMES.format("dense 3"), TIMES.replace("* f", "* (f -> unsqueeze 0)").format("dense 3")])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_frequencies_keep_their_precision(text: str, dtype: torch.dtype) -> None:
    """The 999th step is not rounded to the 1000th, nor are the frequencies rounded: only the sines are."""
    module = netc.compile(text).module(seed=0)
    step = torch.tensor([999, 998, 3])
    wanted = results(module, [step])[0]
    found = results(module.to(dtype), [step])[0]
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=4 * torch.finfo(dtype).eps)


def test_a_constant_is_moved_but_not_rounded() -> None:
    module = netc.compile(TIMES.format("dense 3")).module()
    exact = module.f.value.clone()
    assert torch.equal(module.half().double().f.value, exact)
    assert module.to("meta", torch.bfloat16).f.value.device.type == "meta"
    assert list(module.state_dict()) == ["dense1.weight", "dense1.bias"]


@pytest.mark.parametrize("name", ["half", "_apply", "dense1", "keys", "to_model_type", "value"])
def test_a_constant_named_after_a_method_or_a_layer(name: str) -> None:
    """The name of a table must not hide what PyTorch or the class calls so: `module.half()` still converts, and the layer is a layer."""
    named = netc.compile(TIMES.replace("f =", f"{name} =").replace("* f", f"* {name}").format("dense 3")).module(seed=0).half()
    plain = netc.compile(TIMES.format("dense 3")).module(seed=0).half()
    assert [type(m).__name__ for m in named.children()] == ["Constant", "Linear"]
    assert isinstance(named.dense1, torch.nn.Linear)
    step = torch.tensor([999, 3])
    assert torch.equal(named(step), plain(step))


KERNELS = (
    "not implemented for 'BFloat16'",
    "not supported for BFloat16",
    "Unsupported dtype BFloat16",  # of Fourier transforms
    "scalar type: BFloat16",
    "tensors of type: BFloat16",
)
EXAMPLES = [example for operator in Operator.registry.values() for example in operator.examples]


@pytest.mark.share(4)
@pytest.mark.parametrize("text", EXAMPLES)
def test_every_operator_follows(text: str) -> None:
    """Where all floating-point inputs and parameters are float32, and PyTorch has a kernel."""
    model = netc.compile(text)
    types = [*(t.dtype.name for t in model.inputs.values()), *(str(p.dtype) for p in model.parameters.values())]
    if "float64" in types or "float16" in types or "bfloat16" in types:
        pytest.skip("its types are of its own choice")
    module = model.module(seed=0).eval().to(torch.bfloat16)
    try:
        results(module, tensors(model, torch.bfloat16))
    except (NotImplementedError, RuntimeError) as error:
        if not any(kernel in str(error) for kernel in KERNELS):
            raise


@pytest.mark.parametrize(
    "text", ["x -> pad [1, 1] value=-0.0", "(x, x > 0) -> masked_fill (-0.0)", "(x, x -> argsort axis=1) -> scatter axis=1 value=-0.0"]
)
def test_negative_zeros_keep_their_signs(text: str) -> None:
    """1 / -0.0 is negative. ONNX Runtime's own Where makes it positive."""
    numbers = netc.compile(f"x = input 3; y = {text}; 1 / y").module()(torch.tensor([[1.0, 2.0, 3.0]])).numpy()
    assert np.isinf(numbers).any()
    assert (numbers[np.isinf(numbers)] == -np.inf).all()
