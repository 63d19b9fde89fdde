"""Errors for a name that is not a stage where a stage is needed.

The functions take the name, and its binding if there is one, and return a `Failure` that says what the name is instead, or which names are
similar.

    >>> normalize_name("MaxPool2d"), normalize_name("max_pool"), normalize_name("BatchNorm1d")
    ('maxpool', 'maxpool', 'batchnorm')
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.habits import HABITS
from netc.dsl.source import Span

from ...errors.binding_errors import NotAStage, UnknownName, UnknownStage
from ...errors.problem import Advice
from ...ir.graph_values import Value
from ...ops.operator import Operator
from ..builtins import BUILTINS
from ..elaboration_session import ElaborationSession
from ..scopes.compile_time_values import TensorTuple
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import Binding, FnDef, Scope
from .tensor_forms import form_edit, tensor_form


def not_a_stage(node: ast.Apply, binding: Binding) -> Failure:
    """The name is bound, but not to a stage."""
    name, value = node.name, binding.value
    marks = ((binding.span, "defined here"),) if binding.span is not None else ()
    if isinstance(value, (Value, TensorTuple)):
        hint = f"to pass several tensors to a stage, write a tuple: `(a, {name}) -> ...`"
        # `x[0]` parses as a stage `x` with a list, because a space decides.
        indexed = bool(node.positional) and node.positional[0].span.start == node.name_span.end
        if isinstance(value, TensorTuple):
            hint = f"name the tensors of the tuple: `(first, rest...) = {name}`" if indexed else f"pass it to a stage: `{name} -> ...`"
            return Failure(NotAStage(name, "a tuple of tensors", hint), node.name_span, marks)
        if indexed:
            hint = f"take a part of a tensor with a stage: `{name} -> select axis=1 index=0`, `{name} -> slice axis=1 stop=8`"
        return Failure(NotAStage(name, "a tensor", hint), node.name_span, marks)
    if isinstance(value, FnDef):
        return Failure(NotAStage(name, "a compile-time function", "define a function of tensors as a `block`"), node.name_span, marks)
    if isinstance(value, str) and value.split(" ")[0] in Operator.registry:
        bare = value if value in Operator.registry else f"({value})"
        hint = f"write it without quotes, in parentheses if it has arguments: `let {name} = {bare}`"
        return Failure(NotAStage(name, "a string", hint), node.name_span, marks)
    return Failure(NotAStage(name, "a compile-time value", f"use it as an argument, as in `-> dense {name}`"), node.name_span, marks)


def unbound_stage(node: ast.Apply, scope: Scope, session: ElaborationSession) -> Failure:
    """The name is not bound."""
    name = node.name.rpartition(".")[2]
    later = scope.find_later(name, node.name_span)
    if later is not None:
        return Failure(UnknownName(name, later=True), node.name_span, ((later, "defined here"),))
    if name in BUILTINS:
        hint = "a tensor has `x.shape`, `x.rank`, `x.channels` and `x.features`"
        return Failure(NotAStage(name, "a compile-time function", hint), node.name_span)
    # A file that could not be read may define the name, and that failure has been reported.
    if scope.may_lack_names():
        raise AlreadyReported
    if name in HABITS:
        return Failure(UnknownStage(name, elsewhere=Advice(HABITS[name])), node.name_span)
    form = tensor_form(node)
    if form:
        return Failure(UnknownStage(node.name, elsewhere=Advice(f"write `{form}`")), node.name_span, edits=(form_edit(node, form),))
    if _is_label(name, scope):
        hint = f"`{name}` is the label of a stage, which has one use; declare the stage to use it again: `shared {name} = ...`"
        return Failure(UnknownStage(name, elsewhere=Advice(hint)), node.name_span)
    elsewhere = session.foreign_stage(name)
    replacement = elsewhere.replacement.text if elsewhere.replacement is not None else ""
    alike = _by_plain_name(tuple(Operator.registry)).get(normalize_name(name), [])
    if replacement in Operator.registry and replacement not in alike:  # PyTorch's `Dropout2d` is not `dropout`
        alike = []
    from ...ops.constants import ParamOperator, TableOperator  # with all formulas of tables; only this error needs them

    # A parameter and a table take no tensors, so they can only begin a pipeline.
    excluded = ("in", ParamOperator.name, TableOperator.name) if node.span.file.text[: node.span.start].rstrip().endswith("->") else ("in",)
    candidates = tuple(alike) or session.similar_names(
        name, (n for names in (Operator.registry, scope.visible_names()) for n in names if n not in excluded)
    )
    # A bare name that resembles a tensor or a value was probably meant as one.
    if not node.positional and not node.keywords and any(scope.find_binding(n) for n in candidates):
        return Failure(UnknownName(name, candidates), node.name_span)
    problem = UnknownStage(node.name, candidates, Advice() if alike else elsewhere)
    return Failure(problem, node.name_span, edits=_import_edits(name, elsewhere, node) if not alike else ())


def _is_label(name: str, scope: Scope) -> bool:
    """Whether a stage of the body, or of a body around it, has this label. A train section is inside of its model's body."""
    frame = scope.frame
    while frame is not None and name not in frame.labels.explicit:
        frame = frame.parent
    return frame is not None


def _import_edits(name: str, elsewhere: Advice, node: ast.Apply) -> tuple[Edit, ...]:
    """The edits that add the `use` of a block of the standard library at the beginning of the file, and write the block's name."""
    if not elsewhere.use:
        return ()
    if elsewhere.replacement is None:
        return (Edit(Span(node.span.file, 0, 0), f'use "{elsewhere.use}": {name}\n'),)
    block = elsewhere.replacement.text
    return Edit(Span(node.span.file, 0, 0), f'use "{elsewhere.use}": {block}\n'), Edit(node.name_span, block)


# Keyed by all names, because a plugin may register operators later.
@lru_cache(1)
def _by_plain_name(names: tuple[str, ...]) -> dict[str, list[str]]:
    """The names by their plain form, which is the same for `LayerNorm` and `layer_norm`."""
    by_name: dict[str, list[str]] = {}
    for name in names:
        by_name.setdefault(normalize_name(name), []).append(name)
    return by_name


def normalize_name(name: str) -> str:
    """A name without what differs between styles of writing it: `conv2d`, `Conv2d`, `max_pool`, `MaxPool1d`."""
    word = name.lower().replace("_", "")
    return word[:-2] if word.endswith(("1d", "2d", "3d")) else word


_LOSSES_OF_CLASSES = (" cross_entropy", " nll_loss")


def hint_in_training(node: ast.Apply, near: Sequence[str], session: ElaborationSession) -> str:
    """The help for an unknown tensor in a train section, if no name is similar: it may be a column of the data."""
    if not session.in_training or near:
        return ""
    # The stage that takes it, in the rest of the line, says whether it has class numbers.
    rest = node.span.file.text[node.span.end :].partition("\n")[0]
    number, label = f"`{node.name} = input []`", f"`{node.name} = input [] int64`"
    declared = label if any(loss in rest for loss in _LOSSES_OF_CLASSES) else number if "_loss" in rest or "binary" in rest else ""
    declared = declared or f"{number} for a number in each sample, or {label} for a class"
    return f"if it is in the data, declare it in the section, with its shape in a sample: {declared}"
