"""Importing modules by calls whose arguments are `**kwargs`, one tensor for several inputs, integers of few values, or a number of samples
that the module needs to know. The judge is the module itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontends.imported import agree
from frontends.written import Of
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed


class _Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x: Tensor, first: Tensor | None = None, *, scale: Tensor | float = 1.0, shift: Tensor | None = None) -> Tensor:
        scaled = self.a(x) * scale
        return scaled if shift is None else scaled + shift


class _Passing(nn.Module):
    """Passes on whatever it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = _Scaled()

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        return self.inner(x, **kwargs)  # type: ignore[no-any-return]


def _drawn(*names: str) -> dict[str, Tensor]:
    return {name: torch.randn(2, 4) for name in names}


@pytest.mark.parametrize("names", [("x", "scale"), ("scale", "x"), ("shift", "scale", "x")], ids=" ".join)
def test_tensors_among_keywords(names: tuple[str, ...]) -> None:
    agree(_Passing(), _drawn(*names), _drawn(*names))


def test_a_number_among_keywords_is_fixed() -> None:
    agree(_Passing(), {"x": torch.randn(2, 4), "scale": 3.0})


def test_forward_is_as_before() -> None:
    module = _Passing()
    agree(module, _drawn("x", "scale"))
    assert "forward" not in vars(module)
    module.forward = own = lambda x, **kwargs: module.inner(x, **kwargs) + 1
    agree(module, _drawn("x", "scale"))
    assert module.forward is own


def test_one_tensor_for_several_inputs() -> None:
    """The inputs stay apart: each may have another tensor afterwards."""
    x, y, z = torch.randn(3, 2, 4)
    agree(_Scaled(), {"x": x, "scale": x, "shift": x}, {"x": x, "scale": y, "shift": z})


def _heights(m: Of, boxes: Tensor) -> Tensor:
    return m.left(boxes[..., 0]) + m.height(boxes[..., 3] - boxes[..., 1])  # type: ignore[no-any-return]


def test_integers_of_which_the_differences_are_indices() -> None:
    """Boxes as LayoutLM takes them. Of drawn ones the differences are often negative, and no index."""
    tables = {"left": nn.Embedding(10, 4), "height": nn.Embedding(10, 4)}
    boxes = torch.tensor([[[1, 2, 5, 6], [0, 0, 9, 9], [3, 4, 4, 4]]])
    text = netc.from_torch(Of(_heights, **tables), boxes, {0: ["N", "T"]}).spec()
    assert "[T, 4] int64" in text


def test_a_module_that_takes_neither_drawn_inputs_nor_its_examples() -> None:
    module = Of(lambda m, x: m.table(x + 20), table=nn.Embedding(10, 4))
    with pytest.raises(ImportFailed, match="index out of range"):
        netc.from_torch(module, torch.tensor([[1, 2, 5, 9]]))


def _convolve_by_sample(m: Of, x: Tensor) -> Tensor:
    """As CondConv does: each sample has weights of its own, and the samples are the groups of one convolution."""
    n, c, h, w = x.shape
    weights = m.routing(x.mean((2, 3))).view(n * 6, c, 3, 3)
    return F.conv2d(x.reshape(1, n * c, h, w), weights, padding=1, groups=n).view(n, 6, h, w)


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_as_many_groups_as_samples(samples: int) -> None:
    found = agree(Of(_convolve_by_sample, routing=nn.Linear(4, 6 * 4 * 9)), torch.randn(samples, 4, 5, 5))
    assert any("batch is fixed" in note for note in found.notes)
    text = netc.from_torch(Of(_convolve_by_sample, routing=nn.Linear(4, 6 * 4 * 9)), torch.randn(samples, 4, 5, 5)).spec()
    assert f"input {samples}x4x5x5 batch=false" in text


def test_a_batch_that_is_asked_for_is_not_fixed() -> None:
    with pytest.raises(ImportFailed, match=r"\*N"):
        netc.from_torch(Of(_convolve_by_sample, routing=nn.Linear(4, 6 * 4 * 9)), torch.randn(2, 4, 5, 5), {0: ["N"]})
