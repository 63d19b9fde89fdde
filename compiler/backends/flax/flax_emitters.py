"""The tables of emitters, which write each operator in Flax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...ops.operator import Operator
from ..python.code.class_tree import NameCode, StrictLiteral
from ..python.code.python_expressions import CallCode, KeywordCode, Lit, Ref
from ..python.emitters import Emitter, Emitters, Names
from ..python.operator_calls import OperatorSite
from .flax_initializers import make_initialization

FlaxSite = OperatorSite
"""The use of an operator that is to be written in Flax."""

EMITTERS = Emitters(make_initialization)
module, invocation, function, given = EMITTERS.module, EMITTERS.invocation, EMITTERS.function, EMITTERS.given_weight


def layer_function(*operators: type[Operator], target: Names = "") -> Callable[[Emitter], Emitter]:
    """Register a function of one tensor, which may also be a layer of a sequence: `nnx.relu`, `partial(max_pool, kernel_size=(2, 2))`."""

    def register(emitter: Emitter) -> Emitter:
        def emit_layer(op: Operator, site: FlaxSite) -> Any:
            match emitter(op, site):
                case CallCode(str() as name, (Ref(0),), keywords) if all(map(_is_default, keywords)):
                    return NameCode(name)
                case CallCode(str() as name, (Ref(0),), keywords):
                    return CallCode("partial", (NameCode(name),), keywords)
            return None

        EMITTERS.modules.update(dict.fromkeys(operators, emit_layer))
        return function(*operators, target=target)(emitter)

    return register


def _is_default(keyword: KeywordCode) -> bool:
    """Whether the call leaves the keyword out."""
    value = keyword.value
    return keyword.has_default and isinstance(value, Lit) and StrictLiteral(value.value) == StrictLiteral(keyword.default)
