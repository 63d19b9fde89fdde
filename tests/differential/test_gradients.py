"""Gradients that are written out for ONNX, against PyTorch's autograd, which the module uses."""

from __future__ import annotations

import pytest
import torch

import netc
from netc.compiler.derivatives.differentiable_forms import FORMS
from netc.compiler.derivatives.product_rules import CONSTANT, JOINT_RULES, RULES
from netc.compiler.ops import Operator
from netc.compiler.ops.mode import ByMode

CASES = [
    "x = input 3; e = x -> dense 8 tanh -> dense 8 sigmoid -> dense 1; out e, -gradient(e, x)",
    """x = input 3; e = x -> dense 6 silu -> dense 6 gelu -> softplus beta=2 -> dense 1; g = gradient(e, x)
    gradient((g -> square -> sum 1), x)""",
    "x = input 3; e = x -> dense 8 relu -> dense 8 elu -> dense 8 leaky_relu -> dense 8 selu -> dense 1; gradient(e, x)",
    """x = input [T, 3]; d = (x -> unsqueeze 2) - (x -> unsqueeze 1) -> square -> sum 3; e = exp(-d) -> sum axis=[1, 2]
    out e, gradient(e, x)""",
    "x = input [T, 6]; w = x @ (x -> transpose 1 2) -> softmax axis=2; z = w @ x -> log_softmax axis=-1; gradient((z -> square -> sum), x)",
    "x = input 4; y = input 4; gradient(x * y / (x + y) - x ** 3 + 2 ** x + 3 / x - (1 - x) + (x - y) / 2 + x ** 0, x)",
    "x = input 4; y = input 4; gradient(x ** y, y)",
    "x = input 4; y = input 1; gradient(x * y + x / y - y, y)",
    "x = input 4; a = (x, x * 2, x -> sin) -> concat axis=1; gradient((a -> square -> sum 1), x)",
    """x = input [5, 4]; a = x -> select axis=1 index=-2; b = x -> slice axis=2 start=1 stop=3
    out gradient(a * a, x), gradient(b * b * b, x)""",
    "x = input 4; a = gradient((x -> slice axis=1 start=1 -> exp), x); gradient((a -> select axis=1 index=2), x)",
    "x = input 4; gradient((x -> pad [1, -2] -> exp), x)",
    "x = input 4; gradient((where(x > 0.7, x * x, 3 * x) -> sum 1), x)",
    "x = input 4; gradient(where(x > 0.7, x * x, 2) + where(x > 0.5, x * x, 2, reverse=true), x)",
    "x = input 4; out gradient((x -> norm axis=1), x), gradient((x * 0 -> norm axis=1), x)",
    "x = input 4; w = x -> dense 6; gradient((w -> reshape [N, 2, 3] -> permute [0, 2, 1] -> flatten -> logsumexp axis=1), x)",
    "x = input 4; gradient((x -> unsqueeze 1 -> expand [N, 3, 4] -> square -> squeeze 1 -> unflatten 1 [1, 3] -> square), x)",
    "x = input 3; e = x -> repeat 3 { dense 4 tanh } -> dense 1; gradient(e, x)",
    "x = input 3; h = if training { x -> exp } else { x -> sin }; gradient(h * x, x)",
    "x = input 3; y = x -> round; gradient(x * (y + x), x)",
    "x = input 3; gradient(x * (x -> detach), x)",
    "x = input 3; out gradient((x -> clamp 0.5 1.0 -> square), x), gradient((x -> clamp min=0.7), x)",
    "x = input 3; g = gradient((x -> relu), x); gradient(g * x, x)",
    "x = input 3; g = gradient((x -> relu), x); gradient(g + x, x)",
    "x = input [T, 3]; gradient((x -> mean axis=1 -> square -> mean), x)",
    "x = input [4, 3]; m = x -> mean axis=2 keepdim=true; gradient((x - m -> square -> sum axis=[1, 2] -> sqrt), x)",
    "x = input 6; gradient((x -> erf -> cosh -> log1p -> atan -> tan -> abs -> expm1 -> rsqrt -> log2), x)",
    "x = input 6; gradient((x -> exp2 -> sinh -> reciprocal -> log10 -> cos -> exp -> log -> neg), x)",
    "x = input 3; gradient((x -> dropout 0.5 -> identity -> square), x)",
    "x = input 3x4; gradient((x -> channel_dropout 0.5 -> alpha_dropout 0.5 -> square), x)",
    "x = input 3; gradient((x -> cast float64 -> square -> cast float32), x)",
    "x = input [T, 8]; gradient(((x, x, x) -> attention -> square -> sum), x)",
    "x = input [T, 3]; y = input 3; gradient(((x -> exp) * (y -> unsqueeze 1) -> sum), y)",
    "x = input 3; a = gradient((x -> sin), x); b = gradient(a, x); c = gradient(b, x); gradient(c, x)",
    "x = input 3; y = x -> dense 2; slope = gradient(y, x); out slope, gradient(slope, x)",
    "q = input 2; p = input 2; h = (q -> square -> sum 1) + (p -> square -> sum 1); gradient(gradient(h, p), q)",
]
REFUSED = {
    "x = input 3x8x8; g = input [5, 6, 2]; gradient(((x, g) -> grid_sample -> sum axis=[1, 2, 3]), x)": "no derivative of `grid_sample`",
    "x = input [5, 3]; gradient((x -> lstm 4), x)": "`lstm` is a loop, which has no derivative in closed form",
    "x = input 3; i = x -> argsort axis=1; gradient((x -> scatter_reduce 1 amax index=i src=x), x)": "with another `reduce` than `sum`",
}


def make_inputs(model: netc.Model) -> list[torch.Tensor]:
    """Numbers from 0.3 to 1.3, for which all cases are defined."""
    generator = torch.Generator().manual_seed(0)
    sizes = {"N": 3, "T": 4}
    shapes = [[size if isinstance(size, int) else sizes[str(size)] for size in value.type.shape] for value in model.program.main.inputs]
    return [torch.rand([int(size) for size in shape], generator=generator) + 0.3 for shape in shapes]


@pytest.mark.parametrize("text", CASES)
def test_a_gradient_in_onnx_is_the_gradient_of_autograd(text: str) -> None:
    model = netc.compile(text)
    module = model.module(seed=0).eval()
    inputs = make_inputs(model)
    with torch.no_grad():
        wanted = module(*inputs)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    assert not any(tensor.requires_grad for tensor in wanted)
    found = model.session(seed=0)(*(tensor.numpy() for tensor in inputs))
    arrays = list(found.values()) if isinstance(found, dict) else [found]
    for tensor, array in zip(wanted, arrays, strict=True):
        torch.testing.assert_close(torch.as_tensor(array), tensor, rtol=2e-5, atol=2e-6)


def test_every_rule_is_for_an_operator() -> None:
    """The cases of all operators go through the rules in test_written_gradients.py."""
    assert not {*RULES, *JOINT_RULES, *FORMS, *CONSTANT} - {*Operator.registry, ByMode.name}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    """The module computes it; ONNX cannot."""
    model = netc.compile(text)
    model.module(seed=0)(*make_inputs(model))
    with pytest.raises(netc.CompileError) as caught:
        model.onnx(seed=0)
    assert caught.value.diagnostics[0].message.endswith(REFUSED[text])


LOOPS = [
    """x = input [T, 3]
    (_, all) = x -> scan (h = x -> sum 1) axis=1 { h = (in -> dense 3) + h -> tanh; out h, h }
    gradient((all -> sum), x)""",
    """x = input [T, 3]
    (_, all) = x -> scan (h = x -> sum 1) axis=1 { g = gradient((h * in -> sin), h); h = g + (in -> dense 3); out h, h }
    all""",
    "x = input 3; shared f = (dense 4 tanh -> dense 1); a = x -> f; b = x * 2 -> f; gradient(a + b, x)",
]


@pytest.mark.parametrize("text", LOOPS)
def test_loops_and_shared_stages_are_left_to_autograd(text: str) -> None:
    """With gradients and without, the module computes the same; ONNX has no closed form."""
    model = netc.compile(text)
    module = model.module(seed=0).eval()
    inputs = make_inputs(model)
    with torch.no_grad():
        quiet = module(*inputs)
    assert not quiet.requires_grad
    assert torch.equal(quiet, module(*inputs).detach())
    assert quiet.isfinite().all()
    with pytest.raises(netc.CompileError) as caught:
        model.onnx(seed=0)
    assert caught.value.diagnostics[0].code == "onnx-unsupported"


def test_a_gradient_that_no_output_needs_is_not_written() -> None:
    """As in a model whose loss alone needs it."""
    model = netc.compile("x = input 3; scores = x -> dense 4; moved = x + sign(gradient((scores -> lgamma -> digamma), x)); out scores")
    inputs = make_inputs(model)
    assert len(model.onnx(seed=0).graph.node) == 1
    torch.testing.assert_close(torch.as_tensor(model.session(seed=0)(inputs[0].numpy())), model.module(seed=0)(*inputs).detach())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = input 3; y = x > 0 -> cast float32; gradient(y, x)", "does not depend on the second"),
        ("x = input 3; y = x -> argmax axis=1 -> cast float32; gradient(y, x)", "does not depend on the second"),
        ("x = input 3; y = x -> dense 4 as first; gradient(y, first.weight)", "is a parameter of a stage"),
    ],
)
def test_a_gradient_of_nothing_is_an_error(text: str, message: str) -> None:
    with pytest.raises(netc.CompileError, match=message):
        netc.compile(text)
