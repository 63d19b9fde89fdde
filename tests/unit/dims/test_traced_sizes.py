"""Sizes that know their formula: no cache passes the formula of one model on to another."""

from __future__ import annotations

import pytest
import torch

import netc
from netc.compiler.dims import dim_max, dim_min, make_symbol
from netc.compiler.dims.division import floordiv
from netc.compiler.types.traced_ints import TracedInt, formula_symbol


def traced(value: int) -> int:
    return TracedInt(value, formula_symbol("width"))


@pytest.mark.parametrize("operate", [dim_max, dim_min, floordiv])
def test_plain_numbers_after_traced_ones(operate: object) -> None:
    for first, second in ((10, 3), (40, 8)):
        operate(traced(first), second)  # type: ignore[operator]
        operate(first, traced(second))  # type: ignore[operator]
        assert type(operate(first, second)) is int  # type: ignore[operator]


def test_numbers_beside_a_symbol() -> None:
    length = make_symbol("T")
    for operate in (dim_max, dim_min, floordiv):
        assert operate(length, traced(7)) == operate(length, 7)
        assert "width" not in str(operate(length, traced(7)))
        assert "width" not in str(operate(traced(7), length))


def test_an_import_after_a_compilation() -> None:
    """The slices got the sizes of the compiled loop, with its symbols."""
    model = netc.compile("input [10] -> repeat 2 { slice 1 2 8 2 }")
    imported = netc.from_torch(model.module().eval(), torch.zeros(3, 10))
    assert imported.outputs.keys() == model.outputs.keys()
    assert [str(type_) for type_ in imported.outputs.values()] == [str(type_) for type_ in model.outputs.values()]
