"""What a name that nothing is called may have meant, where a stage is needed.

In: the name, and what is known of it. Out: a `Failure` that says what it is instead, or which names are near.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from netc.dsl import ast
from netc.dsl.habits import HABITS

from ..errors.names import NotAStage, UnknownName, UnknownStage
from ..ir.graph import Value
from ..ops.base import Operator
from .builtins import BUILTINS
from .scope import Binding, Scope
from .session import Session
from .values import Failure, FnDef, TensorTuple


def bound_otherwise(node: ast.Apply, binding: Binding) -> Failure:
    """The name is bound, but not to a stage."""
    name, value = node.name, binding.value
    marks = ((binding.span, "bound here"),) if binding.span is not None else ()
    if isinstance(value, (Value, TensorTuple)):
        hint = f"to feed a stage with several tensors, write a tuple: `(a, {name}) -> ...`"
        indexed = bool(node.positional) and node.positional[0].span.start == node.name_span.end
        if isinstance(value, TensorTuple):
            hint = f"tensors of a tuple are named: `(first, rest...) = {name}`" if indexed else f"feed it to a stage: `{name} -> ...`"
            return Failure(NotAStage(name, "a tuple of tensors", hint), node.name_span, marks)
        if indexed:
            hint = f"a part of a tensor is taken by a stage: `{name} -> select axis=1 index=0`, `{name} -> slice axis=1 stop=8`"
        return Failure(NotAStage(name, "a tensor", hint), node.name_span, marks)
    if isinstance(value, FnDef):
        return Failure(NotAStage(name, "a compile-time function", "a function of tensors is a `block`"), node.name_span, marks)
    return Failure(NotAStage(name, "a compile-time value", f"give it to a stage, as in `-> dense {name}`"), node.name_span, marks)


def unbound(node: ast.Apply, scope: Scope, session: Session) -> Failure:
    """Nothing has the name."""
    name = node.name
    if name in BUILTINS:
        hint = "of a tensor, ask `x.shape`, `x.rank`, `x.channels` or `x.features`"
        return Failure(NotAStage(name, "a compile-time function", hint), node.name_span)
    if name in HABITS:
        return Failure(UnknownStage(name, hint=HABITS[name]), node.name_span)
    visible = [n for n in scope.visible() if n != "in"]
    alike = [n for n in Operator.registry if _plain(n) == _plain(name)]
    candidates = tuple(alike) or session.near(name, [*Operator.registry, *visible])
    if not node.positional and not node.keywords and any(n in visible for n in candidates):
        return Failure(UnknownName(name, candidates), node.name_span)
    return Failure(UnknownStage(name, candidates, "" if alike else _meant_by(name)), node.name_span)


# --- names of other libraries ------------------------------------------------------------------------------------------------

Names = Mapping[type[Operator], str]
_SOURCES: list[Callable[[], Names]] = []


def names_source(names: Callable[[], Names]) -> None:
    """Registers a function that gives the names of operators, such as `torch.nn.Conv1d, torch.nn.Conv2d`; called when one is needed.
    Backends know such names, and nothing here knows of backends: the public API registers them."""
    _SOURCES.append(names)


def _meant_by(name: str) -> str:
    """The operator that is called so elsewhere; empty if there is none."""
    return _operators().get(_plain(name), "")


@cache
def _operators() -> dict[str, str]:
    """The operator for each name, in lower case: `linear` is `dense`."""
    found: dict[str, str] = {}
    for names in _SOURCES:
        for operator, paths in names().items():
            for path in paths.split(","):
                words = path.strip().split(".")
                if len(words) > 1 and all(word.isidentifier() for word in words):
                    found[_plain(words[-1])] = operator.name
    return found


def _plain(name: str) -> str:
    """A name without what differs between styles of writing it: `conv2d`, `Conv2d`, `max_pool`, `MaxPool1d`."""
    word = name.lower().replace("_", "")
    return word[:-2] if word.endswith(("1d", "2d", "3d")) else word
