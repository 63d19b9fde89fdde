"""Derivatives of layers in ONNX against autograd through functions of PyTorch that are written here, on hard sizes and numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

import netc

State = Mapping[str, torch.Tensor]
Peer = Callable[[torch.Tensor, State], torch.Tensor]


def weights(state: State) -> tuple[torch.Tensor, torch.Tensor]:
    return state["f.weight"], state["f.bias"]


def running(x: torch.Tensor, state: State) -> torch.Tensor:
    return F.batch_norm(x, state["f.running_mean"], state["f.running_var"], *weights(state))


def attend(x: torch.Tensor, state: State) -> torch.Tensor:
    layer = torch.nn.MultiheadAttention(8, 2, batch_first=True, dtype=x.dtype)
    return torch.func.functional_call(layer, {name.removeprefix("f."): value for name, value in state.items()}, (x, x, x))[0]


CONVOLUTIONS: dict[str, Peer] = {
    "4x11 -> conv 6 3 stride=2": lambda x, s: F.conv1d(x, *weights(s), stride=2),
    "4xT where T > 4 -> conv 6 3 stride=3 padding=1": lambda x, s: F.conv1d(x, *weights(s), stride=3, padding=1),
    "1x1 -> conv 1 1": lambda x, s: F.conv1d(x, *weights(s)),
    "4x7x5 -> conv 6 3x2 stride=2x3 padding=1 groups=2": lambda x, s: F.conv2d(x, *weights(s), (2, 3), 1, groups=2),
    "3x9x8 -> conv 3 2 dilation=3 groups=3": lambda x, s: F.conv2d(x, *weights(s), dilation=3, groups=3),
    "3x7x5 -> conv 2 4x3 padding=same dilation=2": lambda x, s: F.conv2d(x, *weights(s), padding="same", dilation=2),
    "3xHxW where H > 3, W > 3 -> conv 5 3 stride=2 padding=1": lambda x, s: F.conv2d(x, *weights(s), 2, 1),
    "3x6x5 -> conv 2 3 padding=2 padding_mode=reflect": lambda x, s: F.conv2d(F.pad(x, (2, 2, 2, 2), "reflect"), *weights(s)),
    "3x6x5 -> conv 2 3 padding=1 padding_mode=circular": lambda x, s: F.conv2d(F.pad(x, (1, 1, 1, 1), "circular"), *weights(s)),
    "2x5x4x3 -> conv 4 2 stride=3x2x1": lambda x, s: F.conv3d(x, *weights(s), (3, 2, 1)),
    "4x5 -> conv_transpose 6 3 stride=2 padding=1 output_padding=1": lambda x, s: F.conv_transpose1d(x, *weights(s), 2, 1, 1),
    "4x3x5 -> conv_transpose 6 3 stride=2 groups=2 dilation=2": lambda x, s: F.conv_transpose2d(x, *weights(s), 2, groups=2, dilation=2),
    "4x3 -> conv_transpose 2 3 dilation=3 output_padding=2": lambda x, s: F.conv_transpose1d(x, *weights(s), 1, 0, 2, 1, 3),
    "2x3x2x2 -> conv_transpose 3 2 stride=2x1x2": lambda x, s: F.conv_transpose3d(x, *weights(s), (2, 1, 2)),
}
NORMALIZATIONS: dict[str, Peer] = {
    "[T, 7] -> layer_norm": lambda x, s: F.layer_norm(x, (7,), *weights(s)),
    "3x4x5 -> layer_norm shape=[4, 5] bias=false": lambda x, s: F.layer_norm(x, (4, 5), s["f.weight"]),
    "2 -> layer_norm": lambda x, s: F.layer_norm(x, (2,), *weights(s)),
    "[T, 7] -> rms_norm eps=1e-6": lambda x, s: F.rms_norm(x, (7,), s["f.weight"], 1e-6),
    "6x3x3 -> group_norm 2": lambda x, s: F.group_norm(x, 2, *weights(s)),
    "3xT where T > 1 -> group_norm 3": lambda x, s: F.group_norm(x, 3, *weights(s)),
    "3x4x4 -> instance_norm affine=true": lambda x, s: F.instance_norm(x, None, None, *weights(s)),
    "5 -> batch_norm": running,
    "5x3x2 -> batch_norm": running,
    "7x4 -> local_response_norm 3 alpha=0.5": lambda x, s: F.local_response_norm(x, 3, 0.5),
}
OTHERS: dict[str, Peer] = {
    "[5, 8] -> multihead_attention 2": attend,
    "2x7x5 -> max_pool 3 stride=2 padding=1": lambda x, s: F.max_pool2d(x, 3, 2, 1),
    "2x7x5 -> avg_pool 3 stride=2 padding=1 count_include_pad=false ceil_mode=true": lambda x, s: F.avg_pool2d(x, 3, 2, 1, True, False),
    "2xT where T > 3 -> avg_pool 3 stride=2": lambda x, s: F.avg_pool1d(x, 3, 2),
    "2x7 -> adaptive_avg_pool 3": lambda x, s: F.adaptive_avg_pool1d(x, 3),
    "2x3x4 -> upsample scale=2": lambda x, s: F.interpolate(x, scale_factor=2),
    "2x3x4 -> upsample size=7x3 mode=bilinear": lambda x, s: F.interpolate(x, (7, 3), mode="bilinear"),
    "2x3x4 -> upsample scale=2 mode=bicubic": lambda x, s: F.interpolate(x, scale_factor=2, mode="bicubic"),
    "[T, 5] -> sort descending=true": lambda x, s: x.sort(descending=True)[0],
    "[T, 5] -> topk 2": lambda x, s: x.topk(2)[0],
    "5 -> prod axis=1": lambda x, s: x.prod(1),
    "[T, 5] -> cumprod axis=2": lambda x, s: x.cumprod(2),
    "[T, 4] -> std axis=2": lambda x, s: x.std(2),
    "4x6x6 -> unfold 2 stride=2 padding=1": lambda x, s: F.unfold(x, 2, 1, 1, 2),
    "8 -> rfft": lambda x, s: torch.view_as_real(torch.fft.rfft(x)),
    "6 -> elu 0.7": lambda x, s: F.elu(x, 0.7),
    "6 -> prelu": lambda x, s: F.prelu(x, s["f.weight"]),
}
NUMBERS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "drawn": lambda x: x,
    "constant": lambda x: torch.full_like(x, 1.5),
    "zero": torch.zeros_like,
}
CORNERS = {"elu": ("zero",), "topk": ("zero", "constant")}
"""Numbers at which PyTorch's second derivative is of the other side, or at which any of equal elements may be chosen."""
SIZES = {"T": 7, "H": 6, "W": 7}


def draw(model: netc.Model, count: int) -> torch.Tensor:
    (type_,) = model.inputs.values()
    generator = torch.Generator().manual_seed(count)
    return torch.randn([count, *(SIZES.get(str(size), size) for size in type_.shape[1:])], generator=generator)  # type: ignore[misc]


def compile_case(case: str) -> netc.Model:
    shape, _, stage = case.partition(" -> ")
    return netc.compile(
        f"x = input {shape}; y = x -> {stage} as f; first = gradient((y -> sin), x); out y, first, gradient((first -> sin), x)"
    )


def widen(state: State) -> State:
    return {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def differentiate(peer: Peer, x: torch.Tensor, state: State) -> list[torch.Tensor]:
    x = x.clone().requires_grad_()
    y = peer(x, state)
    (first,) = torch.autograd.grad(y.sin().sum(), x, create_graph=True)
    second = torch.autograd.grad(first.sin().sum(), x, allow_unused=True)[0] if first.requires_grad else None
    return [y.detach(), first.detach(), torch.zeros_like(x) if second is None else second]


@pytest.mark.share(4)
@pytest.mark.parametrize("case", [*CONVOLUTIONS, *NORMALIZATIONS, *OTHERS])
def test_first_and_second_derivative(case: str) -> None:
    """For batches of 1, 2 and 5, and numbers at which elements are equal."""
    peer = {**CONVOLUTIONS, **NORMALIZATIONS, **OTHERS}[case]
    model = compile_case(case)
    module = model.module(seed=3).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.3)
    state = module.state_dict()
    session = model.session(module.state_dict())
    for count, name in ((1, "drawn"), (2, "drawn"), (5, "drawn"), (2, "constant"), (2, "zero")):
        if name in CORNERS.get(case.split()[-2], ()):
            continue
        x = NUMBERS[name](draw(model, count))
        peers = zip(differentiate(peer, x, state), differentiate(peer, x.double(), widen(state)), strict=True)
        for array, (usual, exact) in zip(session(x.numpy()).values(), peers, strict=True):
            # PyTorch's own distance from float64 says how much float32 loses.
            lost = (usual - exact)[exact.isfinite()].abs().max().item()
            atol = 4 * lost + 2e-5 + 2e-4 * exact[exact.isfinite()].abs().max().item()
            torch.testing.assert_close(torch.as_tensor(array).double(), exact, rtol=2e-4, atol=atol, equal_nan=True)


@pytest.mark.parametrize("case", NORMALIZATIONS)
def test_a_large_mean_costs_no_more_digits_than_in_pytorch(case: str) -> None:
    """The same derivative in float64 says how much float32 loses."""
    peer, model = NORMALIZATIONS[case], compile_case(case)
    module = model.module(seed=3).eval()
    x = draw(model, 2) + 1000
    found = model.session(module.state_dict())(x.numpy())
    state = module.state_dict()
    exact = differentiate(peer, x.double(), widen(state))[1]
    usual = (differentiate(peer, x, state)[1] - exact).abs().max()
    lost = (torch.as_tensor(found["first"]) - exact).abs().max()
    assert lost <= 4 * usual + 1e-6 * exact.abs().max()


@pytest.mark.parametrize("named", ["weight=w bias=b", "bias=b weight=w"])
def test_tensors_that_are_given_by_name_have_their_own_gradients(named: str) -> None:
    """In whichever order the text names them."""
    gradients = ", ".join(f"gradient((y -> sin), {name})" for name in "xwb")
    inputs = "x = input 3; w = input [2, 3] batch=false; b = input [2] batch=false"
    session = netc.compile(f"{inputs}; y = x -> dense 2 {named}; out {gradients}").session()
    generator = torch.Generator().manual_seed(0)
    given = [torch.randn(shape, generator=generator, requires_grad=True) for shape in ((4, 3), (2, 3), (2,))]
    expected = torch.autograd.grad(F.linear(*given).sin().sum(), given)
    for array, exact in zip(session(*(x.detach().numpy() for x in given)).values(), expected, strict=True):
        torch.testing.assert_close(torch.as_tensor(array), exact, rtol=1e-4, atol=1e-5)
