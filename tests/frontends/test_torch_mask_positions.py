"""Importing reads and writes at the positions where a mask is true, as mixtures of experts are written. The judge is the module itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from frontends.imported import agree
from frontends.written import Of
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import netc
from netc.compiler.frontends.imported_model import ImportFailed

Function = Callable[[Any, Tensor], Tensor]
EXPERTS = 4


def make(function: Function) -> Of:
    torch.manual_seed(0)
    experts = nn.ModuleList(nn.Sequential(nn.Linear(6, 9), nn.GELU(), nn.Linear(9, 6)) for _ in range(EXPERTS))
    return Of(function, gate=nn.Linear(6, EXPERTS, bias=False), experts=experts)


def inputs(*sizes: tuple[int, ...]) -> list[Tensor]:
    """With equal tokens, some experts get none."""
    torch.manual_seed(1)
    drawn = [torch.randn(*size, 6) * 3 for size in sizes]
    return [*drawn, torch.ones_like(drawn[-1])]


def added_in_place(m: Any, x: Tensor) -> Tensor:
    """As mistral-inference routes: the indices of `topk` differ, so a token is written once."""
    weights, chosen = torch.topk(m.gate(x), 2)
    weights = F.softmax(weights, dim=-1, dtype=torch.float).to(x.dtype)
    y = torch.zeros_like(x)
    for i, expert in enumerate(m.experts):
        *rows, places = torch.where(chosen == i)
        y[tuple(rows)] += weights[(*rows, places, None)] * expert(x[tuple(rows)])
    return y


def added_by_index(m: Any, x: Tensor) -> Tensor:
    """As transformers 4 routes Mixtral: a mask of numbers, places before tokens, and an axis of size 1 before the tokens."""
    weights, chosen = torch.topk(F.softmax(m.gate(x), dim=1), 2)
    y = torch.zeros(x.shape)
    mask = F.one_hot(chosen, EXPERTS).permute(2, 1, 0)
    for i, expert in enumerate(m.experts):
        places, rows = torch.where(mask[i])
        y.index_add_(0, rows, expert(x[None, rows].reshape(-1, 6)) * weights[rows, places, None])
    return y


def copied(m: Any, x: Tensor) -> Tensor:
    weight, chosen = m.gate(x).softmax(-1).max(-1)
    y = x.new_zeros(x.shape)
    for i, expert in enumerate(m.experts):
        rows = (chosen == i).nonzero(as_tuple=True)[0]
        y.index_copy_(0, rows, expert(x.index_select(0, rows)))
    return y * weight[:, None]


def written_once(m: Any, x: Tensor) -> Tensor:
    chosen = torch.topk(m.gate(x), 1)[1]
    y = x.clone()
    for i, expert in enumerate(m.experts):
        rows, _ = torch.where(chosen == i)
        y[rows] = expert(x[rows]) - y[rows] * 2
    return y


def added_twice(m: Any, x: Tensor) -> Tensor:
    """Any row may be selected several times, and each counts."""
    y = x.clone()
    rows, columns = torch.where(x > 0)
    y.index_put_((rows,), x[rows] * x[rows, columns, None], accumulate=True)
    rows, columns = torch.where(x.T < 1)
    return y.index_add(0, columns, x[columns].tanh() + x[columns, rows].unsqueeze(1))


def of_a_changed_mask(m: Any, x: Tensor) -> Tensor:
    """The mask that counts is the one before the change."""
    y, mask = x.clone(), x.sum(-1) > 0
    (rows,) = torch.where(mask)
    mask &= x[:, 0] > 1
    y[rows] = y[rows] * 3
    return y * mask[:, None]


OF_ROWS = [added_by_index, copied, written_once, added_twice, of_a_changed_mask]


@pytest.mark.parametrize("function", [*OF_ROWS, added_in_place])
def test_rows_at_the_positions_of_a_mask(function: Function) -> None:
    agree(make(function), *inputs((8,), (1,), (5,)), dims={0: ["N", None]})


def test_positions_of_two_axes() -> None:
    agree(make(added_in_place), *inputs((2, 8), (1, 1), (3, 5)), dims={0: ["N", "T", None]})


@pytest.mark.parametrize("function", [added_in_place, added_by_index, written_once])
def test_gradients_of_positions(function: Function) -> None:
    module, x = make(function), torch.randn(8, 6).mul(3).requires_grad_()
    model = netc.from_torch(module, x.detach(), {0: ["N", None]})
    copy = model.module(model.weights)
    wanted = torch.autograd.grad(module(x).square().sum(), [x, *module.parameters()], allow_unused=True)
    found = torch.autograd.grad(copy(x).square().sum(), [x, *copy.parameters()], allow_unused=True)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_an_expert_computes_each_row_once() -> None:
    """The places of a token among its experts do not repeat the computation."""
    text = netc.from_torch(make(added_by_index), torch.randn(8, 6), {0: ["N", None]}).spec()
    assert "expand" not in text
    assert text.count("table") == 1  # the zeros that rows are added to


def rows_that_may_repeat(m: Any, x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    rows, columns = torch.where(x > 0)
    y[rows] += x[rows, columns, None]
    return y


def rows_of_equal_numbers(m: Any, x: Tensor) -> Tensor:
    """Numbers that `topk` finds may be equal, other than its indices."""
    y, numbers = x.clone(), torch.topk(x.round(), 2)[0]
    rows, places = torch.where(numbers == 1)
    y[rows] = x[rows, places, None] * 2
    return y


def changed_before_the_write(m: Any, x: Tensor) -> Tensor:
    """The sum is of the old row, so this is no addition to the new one."""
    y = x.clone()
    rows, _ = torch.where(x > 0)
    added = y[rows] + 1
    y -= 1
    y[rows] = added
    return y


def positions_themselves(m: Any, x: Tensor) -> Tensor:
    return torch.where(x.sum(-1) > 0)[0]


@pytest.mark.parametrize("function", [rows_that_may_repeat, rows_of_equal_numbers, changed_before_the_write, positions_themselves])
def test_what_depends_on_the_order_or_the_number_of_positions_is_refused(function: Function) -> None:
    with pytest.raises(ImportFailed, match="the size of the result depends on the values"):
        netc.from_torch(make(function), torch.randn(8, 6))
