"""What arguments of operators may be."""

from __future__ import annotations

import pytest

from netc.compiler.dims import Dim, dim_min, make_symbol
from netc.compiler.ops.kinds import InvalidArgument, SizeKind

T = make_symbol("T")


@pytest.mark.parametrize("size", [1, 2.0, T, T - 1, 5 - T, T // 2])
def test_sizes_that_may_be_large_enough(size: Dim | float) -> None:
    assert SizeKind().convert_value(size) == size


@pytest.mark.parametrize("size", [0, -1, -T, 1 - T, dim_min(T, 0), 1.5, True, "1", None])
def test_sizes_that_never_are(size: object) -> None:
    with pytest.raises(InvalidArgument):
        SizeKind().convert_value(size)
