"""Importing modules that read and write parts of tensors: lists of indices, parts without elements, tensors that are filled later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from frontends.imported import agree
from frontends.written import Of, batches
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed

SIZES = {0: ["N", "T"]}


def cases() -> list[Tensor]:
    return [torch.randn(n, t, 8) * 3 + 2 for n, t in ((2, 6), (3, 7))]


INDICES: list[Callable[[Any, Tensor], Tensor]] = [
    lambda m, x: m.fc(x[:, [-1], :]),
    lambda m, x: m.fc(x[:, [0, -1]]),
    lambda m, x: m.fc(x[:, [-1, -3, 1]]),
    lambda m, x: m.fc(x[:, [-3, -2]]),
    lambda m, x: x[[-1]],
    lambda m, x: x[..., [-2, -1]],
    lambda m, x: x[:, [1, 2, 3]],
    lambda m, x: x[:, [-1, 0]],
    lambda m, x: x[:, [0, -1], [-1, 0]],
    lambda m, x: x[:, torch.tensor([[-1, 0], [1, -2]])],
]


@pytest.mark.parametrize("dims", [None, SIZES], ids=["static", "symbolic"])
@pytest.mark.parametrize("function", INDICES)
@pytest.mark.sample(3)
def test_lists_of_indices(function: Callable[[Any, Tensor], Tensor], dims: Any) -> None:
    given = cases() if dims else [torch.randn(n, 6, 8) for n in (2, 3)]
    agree(Of(function, fc=nn.Linear(8, 8)), *given, dims=dims)


class Biased(nn.Module):
    """Rows of a matrix by the numbers of a buffer, as the position biases of window attention; the state dict has the buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(9, 8))
        self.register_buffer("index", torch.arange(12).view(2, 6) - 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias[self.index.view(-1)].view(2, 6, 8).sum(0)


def test_numbers_of_a_buffer_that_count_from_the_end() -> None:
    model = netc.from_torch(Biased(), torch.randn(2, 6, 8))  # proved in PyTorch and in ONNX Runtime
    assert list(model.parameters) == ["bias", "index"]
    assert "% 9" in model.spec()


def test_the_last_element_is_a_slice() -> None:
    text = netc.from_torch(Of(lambda m, x: m.fc(x[:, [-1], :]), fc=nn.Linear(8, 8)), torch.randn(2, 6, 8), SIZES).spec()
    assert "slice 1 (-1)" in text
    assert "table" not in text


def filled(x: Tensor, *parts: tuple[Any, Any]) -> Tensor:
    for where, what in parts:
        x[where] = what
    return x


def halves(x: Tensor, *results: Tensor) -> Tensor:
    made = x.new_empty(*x.shape[:-1], 16)
    made[..., :8].copy_(results[0])
    made[..., 8:].copy_(results[1])
    return made


WRITTEN: list[Callable[[Any, Tensor], Tensor]] = [
    lambda m, x: filled(x.clone(), ((slice(None), [-1]), 0.0)),
    lambda m, x: filled(x.clone(), ((slice(None), [0, -1]), x[:, 1:3])),
    lambda m, x: filled(x.clone(), ((slice(None), -1), x[:, 0])),
    lambda m, x: filled(x.clone(), ((slice(None), slice(-2, None)), 1.0)),
    lambda m, x: filled(x.clone(), ((..., slice(-3, -1)), m.fc(x)[..., 2:4])),
    lambda m, x: filled(x.unsqueeze(-1) * x.unsqueeze(-2), ((..., torch.arange(8), torch.arange(8)), 1)),
    lambda m, x: filled(torch.zeros_like(x), ((..., slice(None, 4)), x[..., 4:]), ((..., slice(4, None)), x[..., :4])),
    lambda m, x: halves(x, x, m.fc(x)),
    lambda m, x: x.index_fill(-1, torch.tensor([0, 3]), 7.5),
    lambda m, x: x.index_fill(2, torch.tensor([1]), x.sum()),
]


@pytest.mark.parametrize("dims", [None, SIZES], ids=["static", "symbolic"])
@pytest.mark.parametrize("function", WRITTEN)
@pytest.mark.sample(3)
def test_parts_that_are_written(function: Callable[[Any, Tensor], Tensor], dims: Any) -> None:
    given = cases() if dims else [torch.randn(n, 6, 8) for n in (2, 3)]
    agree(Of(function, fc=nn.Linear(8, 8)), *given, dims=dims)


def test_what_is_allocated_and_filled_part_by_part_needs_no_table() -> None:
    text = netc.from_torch(Of(lambda m, x: halves(x, x, m.fc(x)), fc=nn.Linear(8, 8)), torch.randn(2, 8)).spec()
    assert "table" not in text


class Coupled(nn.Module):
    """A coupling layer: memory is filled at the numbers of two buffers, as in nflows."""

    def __init__(self, *second: int) -> None:
        super().__init__()
        self.register_buffer("first", torch.tensor([0, 2, 4]))
        self.register_buffer("second", torch.tensor(second))

    def forward(self, x: Tensor) -> Tensor:
        kept = x[:, self.first]
        result = torch.empty_like(x)
        result[:, self.first] = kept
        result[:, self.second] = x[:, self.second] * kept.tanh()
        return result


def test_memory_that_is_filled_at_the_numbers_of_buffers() -> None:
    """All numbers must be written, before the memory is read. `second` may count from the end."""
    for second in ((1, 3, 5), (5, -3, 1)):
        agree(Coupled(*second), *batches(6))

    class Early(Coupled):
        def forward(self, x: Tensor) -> Tensor:
            result = torch.empty_like(x)
            result[:, self.first] = x[:, self.first]
            result[:, self.second] = result[:, self.first]
            return result

    for module in (Coupled(1, 3, 3), Early(1, 3, 5)):
        with pytest.raises(ImportFailed, match="arbitrary contents"):
            netc.from_torch(module, torch.randn(2, 6))


def test_what_is_allocated_and_not_filled_is_refused() -> None:
    def function(_: Any, x: Tensor) -> Tensor:
        made = x.new_empty(x.shape[0], 16)
        made[:, :8] = x
        return made

    with pytest.raises(ImportFailed, match="not all of it is overwritten"):
        netc.from_torch(Of(function), torch.randn(2, 8))


EMPTY: list[Callable[[Any, Tensor], Tensor]] = [
    lambda m, x: torch.cat([x[..., :8], x[..., 8:]], -1),
    lambda m, x: torch.cat([x[..., :0].sin(), m.fc(x[..., 0:])], -1),
    lambda m, x: torch.cat([x[:, 3:3].relu() * 2, x], 1),
    lambda m, x: torch.cat(x.split([3, 0, 5], -1), -1),
    lambda m, x: x.split([8, 0], -1)[0],
    lambda m, x: torch.cat([x.new_zeros(x.shape[0], 0, 8), x], 1),
    lambda m, x: filled(x.clone(), ((..., slice(8, None)), m.fc(x)[..., 8:])),
    lambda m, x: torch.cat([m.fc(x)[..., 8:], x[..., []], x * 2], -1),
]


@pytest.mark.parametrize("dims", [None, SIZES], ids=["static", "symbolic"])
@pytest.mark.parametrize("function", EMPTY)
@pytest.mark.sample(3)
def test_parts_without_elements_are_left_out(function: Callable[[Any, Tensor], Tensor], dims: Any) -> None:
    given = cases() if dims else [torch.randn(n, 6, 8) for n in (2, 3)]
    agree(Of(function, fc=nn.Linear(8, 8)), *given, dims=dims)


@pytest.mark.parametrize("function", [lambda m, x: (x, x[..., 8:]), lambda m, x: x[..., 8:].sum(-1) + x.sum(-1), lambda m, x: x[:, []]])
def test_other_uses_of_tensors_without_elements_are_refused(function: Any) -> None:
    with pytest.raises(ImportFailed, match="a tensor without elements, which a spec does not have"):
        netc.from_torch(Of(function), torch.randn(2, 6, 8))


def inner() -> nn.Module:
    class Place(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pe = nn.Parameter(torch.randn(8))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.pe

    return Of(lambda m, x: m.e(m.fc(x)), e=Place(), fc=nn.Linear(8, 8))


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: m.fc(x * m.a.e.pe),
        lambda m, x: m.a(m.fc(x * m.a.e.pe)),
        lambda m, x: m.fc(m.a(x) * m.a.e.pe),
        lambda m, x: m.a(m.a(m.fc(x)) * m.a.fc.weight.sum()) + m.a.e(x),
    ],
)
def test_a_parameter_that_is_read_within_its_module_and_outside_of_it(function: Any) -> None:
    netc.from_torch(Of(function, a=inner(), fc=nn.Linear(8, 8)).eval(), torch.randn(2, 8))
