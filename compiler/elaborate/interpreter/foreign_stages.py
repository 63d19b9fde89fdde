"""Rewrites a stage in the words of another library, `nn.Linear(3, 2)` or `Dense(units=10, activation="relu")`, as one of the language.

`translate_failure` takes the failure that the name is unknown, which says what the operator is called here. It returns the failure with an
edit of the whole stage, if the helps for its arguments, one after another, lead to arguments that the operator takes; otherwise it returns
the failure unchanged. Nothing else is reported or noted, and each step is an edit that the same mistake alone would get.

    >>> from netc.analysis import Choice, analyze
    >>> (error,) = analyze(SourceFile("<text>", "input 3 -> nn.Linear(3, 2)"), Choice()).diagnostics
    >>> apply_edits(error.edits)
    'input 3 -> dense 2'
"""

from __future__ import annotations

from collections.abc import Callable

from netc.dsl import ast
from netc.dsl.diagnostics import Edit, apply_edits
from netc.dsl.parser import parse_source
from netc.dsl.record import replace
from netc.dsl.source import SourceFile

from ...errors.binding_errors import UnknownStage
from ...ops.operator import Operator
from ..scopes.early_exits import AlreadyReported, Failure, edits_for
from .argument_edits import remove_call_brackets

Bind = Callable[[type[Operator], ast.Apply], object]
_BEFORE = "x -> "
_MAX_STEPS = 8
_MAX_LENGTH = 200


def translate_failure(failure: Failure, node: ast.Apply, bind: Bind) -> Failure:
    """`bind` takes the arguments of a stage, or raises a `Failure`."""
    problem, edits = failure.problem, edits_for(failure.problem, failure.span, failure.edits)
    if not isinstance(problem, UnknownStage) or len(edits) != 1 or len(node.span.text) > _MAX_LENGTH or "\n" in node.span.text:
        return failure
    (renamed,) = edits
    if not (renamed.safe or problem.elsewhere.same_arguments):  # `moveaxis 1 2` is no `permute [1, 2]`, and who knows what `lyer 2` is
        return failure
    cls = Operator.registry.get(renamed.text)
    after = node.span.file.text[renamed.span.end : node.span.end]
    if cls is None or renamed.span.start != node.span.start or not after:
        return failure
    settled = _apply_helps(Edit(node.span, renamed.text + after, renamed.safe), cls, bind)
    if settled is None or settled.text == renamed.text + after:
        return failure
    return Failure(replace(problem, written=settled.text), failure.span, failure.marks, edits=(settled,))


def _apply_helps(edit: Edit, cls: type[Operator], bind: Bind) -> Edit | None:
    """The edit with arguments that the operator takes."""
    # Each round repairs one mistake. The limit ends two helps that undo each other.
    for _ in range(_MAX_STEPS):
        source = SourceFile("", _BEFORE + edit.text)
        file, problems = parse_source(source)
        changes = [change for problem in problems for change in problem.edits]
        if not problems:
            stage = _only_stage(file)
            try:
                if stage is None or stage.name != cls.name:
                    return None
                bind(cls, stage)
            except Failure as failure:
                changes = [*edits_for(failure.problem, failure.span, failure.edits)]
            except AlreadyReported:
                return None
            else:
                return replace(edit, text=apply_edits(plain)[len(_BEFORE) :]) if (plain := remove_call_brackets(stage)) else edit
        if not changes:
            return None
        # One guess among the steps makes the whole edit a guess.
        edit = replace(edit, text=apply_edits(changes)[len(_BEFORE) :], safe=edit.safe and all(change.safe for change in changes))
    return None


def _only_stage(file: ast.File) -> ast.Apply | None:
    match file.items:
        case (ast.Flow(pipeline=ast.Pipeline(stages=(ast.Apply() as stage,))),):
            return stage
    return None
