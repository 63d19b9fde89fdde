"""The border of what is valid: one size, element type or argument of a valid use is changed by one, and netc and PyTorch must still agree
whether it can be run, and on the types of its results. Where netc is meant to be stricter, known_differences.py says why."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from profiles import examples

from netc.compiler.ops import Operator
from tests.differential.comparison import judged
from tests.differential.perturbations import perturbed
from tests.differential.strategies import uses
from tests.differential.use import Use
from tests.differential.values import NOT_DRAWN

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]  # PyTorch warns of uses that nobody would write
OPERATORS = [name for name, cls in sorted(Operator.registry.items()) if cls.operands and name not in NOT_DRAWN]
CALM = settings(max_examples=examples(25), suppress_health_check=list(HealthCheck))


@st.composite
def nearly_valid(draw: st.DrawFn, name: str) -> Use:
    """A valid use with one thing changed."""
    changed = perturbed(draw(uses(name)))
    return draw(st.sampled_from(changed))


@pytest.mark.parametrize("name", OPERATORS)
def test_boundary(name: str) -> None:
    @CALM
    @given(nearly_valid(name))
    def check(use: Use) -> None:
        verdict = judged(use)
        assert not verdict.disagreement, f"{verdict.text}: {verdict.disagreement}"

    check()
