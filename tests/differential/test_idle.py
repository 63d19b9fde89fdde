"""No argument is silently without effect: where another flag, word or number changes nothing that is compiled, netc refuses it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from profiles import examples

import netc
from netc.compiler.ops import Operator
from netc.compiler.ops.kinds import AnyScalarKind, ExtendedKind, FlagKind, NumberKind, WordKind
from tests.differential.comparison import compiled, results_of
from tests.differential.perturbations import _additions
from tests.differential.strategies import uses
from tests.differential.use import Use

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
OPERATORS = [name for name, cls in sorted(Operator.registry.items()) if cls.operands and cls.signature]
CALM = settings(max_examples=examples(5), suppress_health_check=list(HealthCheck))
ASKED = (AnyScalarKind, ExtendedKind, FlagKind, NumberKind, WordKind)
"""Sizes and positions are not asked for: they may say what the sizes of the inputs do too."""
SAYS_THE_SAME = {"align", "bias", "key_padding_mask", "padding"}
"""`align` where both lengths are equal, `bias=false` where the weight is given without one, `key_padding_mask=true` where both masks are
given, and `padding=valid`, which is none."""


def _written(model: netc.Model) -> tuple[Any, ...]:
    """All that is compiled of it."""
    try:
        proto = model.onnx()
    except netc.CompileError:
        return model.source(), None
    del proto.metadata_props[:]
    return model.source(), proto.SerializeToString()


def _changed(use: Use) -> list[Use]:
    """With one argument more."""
    asked = [name for name, arg in use.cls.signature.items() if isinstance(arg.kind, ASKED) and name not in SAYS_THE_SAME]
    return [other for other in _additions(use) if other.args[-1][0] in asked and not other.kinds_refuse()]


@pytest.mark.parametrize("name", OPERATORS)
def test_every_argument_has_an_effect(name: str) -> None:
    @CALM
    @given(uses(name))
    def check(use: Use) -> None:
        plain = Use(use.operator, use.inputs, use.args)
        model, _ = compiled(plain.text(results_of(plain)))
        for other in _changed(plain) if model is not None else ():
            text = other.text(results_of(other))
            changed, _ = compiled(text)
            assert changed is None or _written(changed) != _written(model), f"{text}: `{other.args[-1][0]}` has no effect"

    check()
