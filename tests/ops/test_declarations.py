"""What operators declare is declared for a reason: no flag of the base class is one that all set, or none."""

from __future__ import annotations

import pytest

from netc.compiler.ops.base import Operator

FLAGS = sorted(name for name, value in vars(Operator).items() if isinstance(value, bool))
OPERATORS = list(Operator.registry.values())


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_tells_operators_apart(flag: str) -> None:
    assert {bool(getattr(cls, flag)) for cls in OPERATORS} == {True, False}
