"""Uses drawn from every operator's own declaration: PyTorch, the source and ONNX Runtime agree on their numbers, netc on their types."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from profiles import examples

import netc
from netc.compiler.ops import Operator
from tests.differential import hard_numbers
from tests.differential.comparison import compiled, judged, results_of
from tests.differential.oracle import HALF_IS_MISSING
from tests.differential.strategies import uses
from tests.differential.use import BATCH, Use
from tests.differential.values import NO_KERNEL, NOT_DRAWN, WITHIN_BOUNDS, alone, limits_of, needs_more, tolerance_of
from tests.parity import agree, slow_path

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]  # PyTorch warns of uses that nobody would write
OPERATORS = [name for name, cls in sorted(Operator.registry.items()) if cls.operands and name not in NOT_DRAWN]
CALM = settings(max_examples=examples(8), suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", OPERATORS)
def test_generated(name: str) -> None:
    """What netc refuses, PyTorch refuses too; and most of what is drawn is not refused."""
    taken: list[bool] = []

    @CALM
    @given(uses(name), st.sampled_from(list(hard_numbers.KINDS)))
    def check(use: Use, kind: str) -> None:
        taken.append(_checked(use, kind))

    check()
    assert sum(taken) >= len(taken) // 2, f"{name}: {sum(taken)} of {len(taken)} uses are valid: see inputs.py, special.py"


def _checked(use: Use, kind: str) -> bool:
    """With numbers of mean 0 and deviation 1, and with numbers of one kind more."""
    model, _ = compiled(use.text(results_of(use)))
    if model is None and use.dims:
        # Sizes that are not known may not be enough to go by: then those that are.
        event("with known sizes")
        use = Use(use.operator, use.inputs, use.args, label=use.label)
        model, _ = compiled(use.text(results_of(use)))
    if model is None:
        verdict = judged(use)
        assert not verdict.disagreement, f"{verdict.text}: {verdict.disagreement}"
        return False
    place = (use.operator, use.inputs[0].dtype.name)
    try:
        # No smaller than in the use that was drawn: it may be too small for a kernel, and below 4 for a scale of 1.25 to change it.
        sizes = {name: (max(size, 4), size + 7) for size, name in use.dims if name != BATCH or needs_more(use)}
        with slow_path():
            limits = limits_of(use)
            targets = agree(model, sizes, limits, tolerance_of(use), export=_has_onnx(model), runtime=place not in NO_KERNEL)
        rounded = use.operator == "group_norm" and alone(use)  # there, PyTorch leaves the rounding of x - x
        if use.operator not in WITHIN_BOUNDS and not rounded:
            hard_numbers.check_kind(targets, kind, sizes, limits)
    except BaseException as error:
        if HALF_IS_MISSING.search(str(error)):
            return True
        error.add_note(use.text(results_of(use)))
        raise
    return True


def _has_onnx(model: netc.Model) -> bool:
    """Whether it can be written in ONNX: if it cannot, that is said."""
    try:
        model.onnx()
    except netc.CompileError as error:
        if [d.code for d in error.diagnostics] != ["onnx-unsupported"]:
            raise
        return False
    return True
