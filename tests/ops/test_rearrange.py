"""Rearranging: the result is what the pattern says, element by element, and takes no needless step."""

from itertools import product

import pytest
import torch

from netc.compiler.dims import Dim, Facts, make_symbol
from netc.compiler.ops.operator import OperatorError, OpInputs
from netc.compiler.ops.rearrange import Plan, Rearrange
from netc.compiler.types.tensor_types import FLOAT32, TensorType

N, T = make_symbol("N"), make_symbol("T")


def given(*shape: Dim) -> OpInputs:
    return OpInputs((TensorType(FLOAT32, shape),), Facts.empty(), ("x",))


def planned(pattern: str, *shape: Dim, **sizes: Dim) -> Plan:
    return Rearrange(pattern=pattern, sizes=tuple(sizes.items())).make_plan(given(*shape))


def moved(pattern: str, x: torch.Tensor, **sizes: Dim) -> torch.Tensor:
    """`x` rearranged by the steps of the plan."""
    plan = planned(pattern, *x.shape, **sizes)
    x = x if plan.split is None else x.reshape(plan.split)  # type: ignore[arg-type]
    x = x if plan.order is None else x.permute(plan.order)
    return x if plan.merge is None else x.reshape(plan.merge)  # type: ignore[arg-type]


def test_every_element_is_where_the_pattern_says() -> None:
    x = torch.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6)
    y = moved("n c (h p) (w q) -> n (h w) (c p q)", x, p=2, q=3)
    assert y.shape == (2, 4, 18)
    for n, c, h, p, w, q in product(range(2), range(3), range(2), range(2), range(2), range(3)):
        assert y[n, h * 2 + w, (c * 2 + p) * 3 + q] == x[n, c, h * 2 + p, w * 3 + q]


def test_ellipsis_and_ones() -> None:
    x = torch.arange(24).reshape(2, 3, 1, 4)
    assert torch.equal(moved("n ... c -> n c (...)", x), x.permute(0, 3, 1, 2).flatten(2))
    assert torch.equal(moved("n c 1 w -> w 1 n c", x), x[:, :, 0].permute(2, 0, 1)[:, None])
    assert torch.equal(moved("... -> ...", x), x)


def test_no_needless_steps() -> None:
    assert planned("n c h w -> n h w c", N, 3, 4, 5) == Plan(None, (0, 2, 3, 1), None, *two("n c h w", "n h w c"))
    assert planned("n t c -> n t c", N, T, 5).merge is None
    assert planned("n t (h d) -> n t h d", N, T, 12, h=3) == Plan(None, None, (N, T, 3, 4), *two("n t hd", "n t h d", left=("h", "d")))
    assert planned("n h t d -> n t (h d)", N, 3, T, 4).split is None
    assert planned("n t (h d) -> n h t d", N, T, 12, h=3).merge is None


def test_neighbors_are_joined_before_fewer_axes_move() -> None:
    plan = planned("n c h w -> n (h w) c", N, 3, T, 5)
    assert (plan.split, plan.order, plan.merge) == ((N, 3, 5 * T), (0, 2, 1), None)
    x = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert torch.equal(moved("n c ... -> n (...) c", x), x.flatten(2).transpose(1, 2))
    assert torch.equal(moved("n c h w -> (h w) (n c)", x), x.flatten(0, 1).flatten(1).T)
    assert torch.equal(moved("n c h w -> n (w h) c", x), x.permute(0, 3, 2, 1).flatten(1, 2))


def two(before: str, after: str, left: tuple[str, ...] = ()) -> tuple[tuple[tuple[str, ...], ...], ...]:
    return tuple((name,) if len(name) == 1 else left for name in before.split()), tuple((name,) for name in after.split())


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("n t", "bad-pattern"),
        ("n t -> n -> t", "bad-pattern"),
        ("n (t -> n t", "bad-pattern"),
        ("n (t (a)) -> n t a", "bad-pattern"),
        ("n 3 -> n", "bad-pattern"),
        ("n t t -> n t", "axis-twice"),
        ("n t c -> n t", "axis-lost"),
        ("n t c -> n t c d", "axis-lost"),
        ("n t -> t n", "wrong-rank"),
        ("n t (h d) -> n t h d", "ambiguous-size"),
        ("n t 1 -> n t", "wrong-size"),
        ("n (t p) c -> n t p c", "ambiguous-size"),
    ],
)
def test_patterns_that_are_refused(pattern: str, code: str) -> None:
    with pytest.raises(OperatorError) as caught:
        Rearrange(pattern=pattern).check_and_infer(given(N, T, 12))
    assert caught.value.problem.code == code
    assert caught.value.problem.format_message()
