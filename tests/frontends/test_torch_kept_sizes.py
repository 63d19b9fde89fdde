"""Symbolic sizes stay symbolic, whichever operators a module has: the module itself is the judge at other sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from frontends.imported import agree
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

import netc
from netc.compiler.frontends.imported_model import ImportFailed


class Function(nn.Module):
    def __init__(self, function: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*self.parts, *inputs)


def add_in_place(layer: nn.Linear, x: Tensor) -> Tensor:
    h = layer(x)
    h += 1
    return h


def add_positions(tokens: nn.Embedding, positions: nn.Embedding, x: Tensor) -> Tensor:
    h = tokens(x)
    h += positions(torch.arange(16)[: x.shape[1]])
    return torch.fft.fft(h, dim=2).real


FLOATS, TOKENS = {0: ["N", "T", None]}, {0: ["N", "T"]}
CASES: dict[str, tuple[nn.Module, tuple[int, ...], dict[int, Any]]] = {
    "fft after +=": (Function(lambda fc, x: torch.fft.fft(add_in_place(fc, x)).real, nn.Linear(4, 8)), (2, 5, 4), FLOATS),
    "rfft after +=": (Function(lambda fc, x: torch.fft.rfft(add_in_place(fc, x)).imag, nn.Linear(4, 8)), (2, 5, 4), FLOATS),
    "reshape after +=": (Function(lambda fc, x: add_in_place(fc, x).reshape(x.shape[0], -1), nn.Linear(4, 8)), (2, 5, 4), FLOATS),
    "type_as after +=": (Function(lambda fc, x: add_in_place(fc, x).type_as(x) * 2, nn.Linear(4, 8)), (2, 5, 4), FLOATS),
    "positions": (Function(add_positions, nn.Embedding(9, 8), nn.Embedding(16, 8)), (2, 5), TOKENS),
    "einsum of three": (Function(lambda x: torch.einsum("bij,bkj,bkl->bil", x, x, x)), (2, 5, 4), FLOATS),
    "einsum of four": (Function(lambda x: torch.einsum("bij,bkj,bkl,bml->bim", x, x, x, x)), (2, 5, 4), FLOATS),
}


def draw(shape: tuple[int, ...], *, of_tokens: bool) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 9, shape, generator=generator) if of_tokens else torch.randn(shape, generator=generator)


@pytest.mark.parametrize("name", CASES)
def test_sizes_stay_symbolic(name: str) -> None:
    module, shape, dims = CASES[name]
    model = netc.from_torch(module.eval(), draw(shape, of_tokens=dims is TOKENS), dims)
    (declared,) = model.inputs.values()
    assert [str(size) for size in declared.shape[:2]] == ["N", "T"]
    other = draw((3, 11, *shape[2:]), of_tokens=dims is TOKENS)
    torch.testing.assert_close(model.module(weights=module.state_dict()).eval()(other), module(other), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("factor", "mode"), [(0.4, "nearest"), (1.3, "nearest-exact"), (0.2, "nearest"), (1.2, "nearest"), (2.5, "nearest"), (0.75, "bilinear")]
)
def test_factors_of_sizes(factor: float, mode: str) -> None:
    module = Function(lambda x: interpolate(x, scale_factor=factor, mode=mode))
    model = netc.from_torch(module, torch.randn(2, 3, 10, 15), {0: ["N", None, "H", "W"]})
    for sizes in ((7, 12), (23, 40)):
        x = torch.randn(1, 3, *sizes)
        torch.testing.assert_close(model.module()(x), module(x))


def test_a_factor_that_floats_round_is_refused() -> None:
    """0.7 * 90 is less than 63, so no quotient gives the sizes."""
    module = Function(lambda x: interpolate(x, scale_factor=0.7, mode="bilinear", recompute_scale_factor=True))
    with pytest.raises(ImportFailed, match=r"a size is 0\.7 times another, rounded as floats are"):
        netc.from_torch(module, torch.randn(2, 3, 10, 15), {0: ["N", None, "H", "W"]})


def pad_to_frames(x: Tensor) -> Tensor:
    """Pad to a number of frames, as Encodec's code does."""
    frames = math.ceil((x.shape[-1] - 4 + 2) / 2 + 1) - 1
    return nn.functional.pad(x, (0, 2 * frames + 2 - x.shape[-1]))


ROUNDED: list[Callable[[Tensor], Tensor]] = [
    pad_to_frames,
    lambda x: nn.functional.pad(x, (0, math.floor(x.shape[-1] / 3 + 0.5))),
    lambda x: nn.functional.pad(x, (0, math.trunc((x.shape[-1] - 5) / 3) + 3)),  # T=3 gives -2 / 3, which is 0 without its fraction
]


@pytest.mark.parametrize("function", ROUNDED)
def test_rounded_quotients_of_sizes(function: Callable[[Tensor], Tensor]) -> None:
    model = netc.from_torch(Function(function), torch.randn(2, 64), TOKENS)
    for length in (2, 3, 5, 7, 30, 31, 32, 65):
        x = torch.randn(2, length)
        assert torch.equal(model.module()(x), function(x))


def test_a_sum_that_floats_round_is_refused() -> None:
    """Floats round `0.3 * T`, and its sum with 0.5 again, so the sum may be on either side of an integer."""
    module = Function(lambda x: nn.functional.pad(x, (0, math.floor(x.shape[-1] * 0.3 + 0.5))))
    with pytest.raises(ImportFailed, match="a size is a sum of numbers that floats round"):
        netc.from_torch(module, torch.randn(2, 64), TOKENS)


def test_a_size_that_a_comparison_fixes_is_refused() -> None:
    """torch.export takes the integer of `T / 2 * 2` for a number."""
    module = Function(lambda x: nn.functional.pad(x, (0, int(x.shape[-1] / 2 * 2))))
    with pytest.raises(ImportFailed, match="T can only be 64"):
        netc.from_torch(module, torch.randn(2, 64), TOKENS)


def test_writes_along_inner_axes_of_a_symbolic_size() -> None:
    """Add self-loops to a graph, as DenseGCNConv of PyTorch Geometric does."""

    def add_loops(adjacency: Tensor) -> Tensor:
        adjacency, nodes = adjacency.clone(), torch.arange(adjacency.shape[-1])
        adjacency[:, nodes, nodes] = 1.0
        return adjacency / adjacency.sum(-1, keepdim=True)

    model = netc.from_torch(Function(add_loops), torch.rand(2, 7, 7), {0: ["N", "V", "V"]})
    for size in (1, 2, 9):
        adjacency = torch.rand(3, size, size)
        torch.testing.assert_close(model.module()(adjacency), add_loops(adjacency))


def filter_frequencies(x: Tensor, y: Tensor) -> Tensor:
    spectrum = torch.fft.rfft(x, dim=1)
    pairs = torch.stack([spectrum.real * 2, spectrum.imag * 3], -1)
    return torch.fft.irfft(torch.view_as_complex(pairs), n=x.shape[1], dim=1) * y


def test_a_clamp_to_a_symbolic_size() -> None:
    """Detectors clip boxes to the image."""

    def clip(x: Tensor) -> Tensor:
        centers = x.sigmoid() * 40
        return torch.stack([(centers - 0.5 * x.exp()).clamp(0, x.shape[1]), (0.5 * centers).clamp(max=x.shape[1] - 1)], -1)

    model = netc.from_torch(Function(clip), torch.randn(2, 16), TOKENS)
    for length in (2, 5, 30):
        x = torch.randn(3, length)
        torch.testing.assert_close(model.module()(x), clip(x))


def test_an_assertion_that_always_holds() -> None:
    """For `view_as_complex`, torch.export asserts conditions on strides, and one of them is `True`."""
    model = netc.from_torch(Function(filter_frequencies), (torch.randn(2, 16, 4), torch.randn(2, 16, 4)), {0: FLOATS[0], 1: FLOATS[0]})
    for length in (2, 5, 12):
        x, y = torch.randn(2, 3, length, 4)
        torch.testing.assert_close(model.module()(x, y), filter_frequencies(x, y))


def test_places_of_a_mask_are_refused() -> None:
    """What is selected is returned."""
    module = Function(lambda fc, x: fc(x)[torch.where(x[:, 0] > 0)], nn.Linear(4, 4))
    with pytest.raises(ImportFailed, match="selects by a mask: the size of the result depends on the values"):
        netc.from_torch(module, torch.randn(5, 4))


@pytest.mark.parametrize(("function", "where"), [(lambda x: x.topk(3, 1)[0], "T >= 3"), (lambda x: x[:, -2] + x[:, -4], "T >= 4, T <= 64")])
def test_conditions_on_sizes_in_python(function: Callable[[Tensor], Tensor], where: str) -> None:
    module, x = Function(function), torch.randn(2, 7, 4)
    model = netc.from_torch(module, x, FLOATS, where=where)
    assert f"where {where}" in model.spec()
    for length in (4, 40):
        other = torch.randn(3, length, 4)
        assert torch.equal(model.module()(other), module(other))


@pytest.mark.parametrize(
    ("where", "message"),
    [("S >= 2", "`S` is not defined here"), ("T >= 2; x -> relu", "no shape and element type"), ("T in [2, 3]", "cannot list sizes")],
)
def test_conditions_that_are_none(where: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        netc.from_torch(Function(lambda x: x * 2), torch.randn(2, 7, 4), FLOATS, where=where)


def test_a_shift_of_relative_positions() -> None:
    """Transformer-XL's shift divides products of the length, for which torch.export finds neither ranges nor a single size."""

    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.places = nn.Parameter(torch.randn(63, 6))

        def forward(self, x: Tensor) -> Tensor:
            n, t, _ = x.shape
            scores = nn.functional.pad(x @ self.places[32 - t : 31 + t].T, (1, 0))
            return scores.view(n, -1, t)[:, 1:].view(n, t, 2 * t - 1)[:, :, :t]

    lengths = [torch.randn(n, t, 6) for n, t in ((2, 8), (3, 31), (1, 2))]
    agree(Shifted(), *lengths, dims={0: ["N", "T"]})


@pytest.mark.parametrize("windows", [lambda x: x.reshape(x.shape[0], -1, 4, 3).mean(2), lambda x: x.unfold(1, 4, 4).amax(-1)])
def test_an_axis_that_is_padded_to_whole_windows(windows: Any) -> None:
    # With 11 elements, torch.export suggests that the size is 4 * s - 1, which no dimension can be.
    def forward(x: Tensor) -> Tensor:
        size = x.shape[1]
        return torch.cat([windows(pad(x, (0, 0, 0, (4 - size % 4) % 4))), x], 1)

    module = Function(forward)
    model = netc.from_torch(module, torch.randn(2, 11, 3), {0: ["N", "T", None]})
    assert "where" not in model.spec()
    for size in (1, 2, 4, 7, 12, 31):
        x = torch.randn(2, size, 3)
        torch.testing.assert_close(model.module()(x), module(x))


def test_the_whole_length_of_a_buffer() -> None:
    # torch.export excludes the size 16, because a slice of the whole mask is contiguous.
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mask = nn.Buffer(torch.ones(1, 1, 16, 16).tril().bool())

        def forward(self, x: Tensor) -> Tensor:
            size = x.shape[1]
            scores = (x @ x.transpose(1, 2))[:, None]
            return torch.where(self.mask[:, :, :size, :size], scores, -1e4).softmax(-1).flatten(1, 2) @ x

    module = Masked()
    model = netc.from_torch(module, torch.randn(2, 8, 4), {0: ["N", "T", None]})
    assert "where T <= 16" in model.spec()
    assert "left out" not in model.spec()
    x = torch.randn(3, 16, 4)
    torch.testing.assert_close(model.module(model.weights)(x), module(x))
