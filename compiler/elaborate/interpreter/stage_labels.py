"""The labels of stages as they are written, with `{expressions}` evaluated: in `repeat i in 0..2 as layers.{i}`, `layers.0` and
`layers.1`.

    >>> import netc
    >>> list(netc.compile("input 4 -> repeat i in 0..2 as layers.{i} { dense 4 as fc }").parameters)
    ['layers.0.fc.weight', 'layers.0.fc.bias', 'layers.1.fc.weight', 'layers.1.fc.bias']
"""

from __future__ import annotations

import re

from netc.dsl import ast
from netc.dsl.source import Span
from netc.dsl.tree_walk import find_names

from ...errors.label_errors import NO_LEVEL, TAKEN_LABELS, BadLabel
from ...errors.limit_errors import TooMuchNesting
from ..resource_limits import MAX_NESTING, check_string
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import GraphFrame, Scope
from ..scopes.value_text import format_value
from .automatic_labels import free_label
from .evaluator_protocol import EvaluatorPart


class StageLabels(EvaluatorPart):
    def name_stage(self, label: ast.Label | None, kind: str, span: Span, scope: Scope) -> str:
        """The name of a stage in the graph under construction: its label, or else its kind and number."""
        assert scope.frame is not None
        if label is None:
            return scope.frame.labels.allocate_label(kind, span)
        return self.claim_label(label, scope, scope.frame)

    def claim_label(self, label: ast.Label, scope: Scope, frame: GraphFrame) -> str:
        """The text of a label, which is then taken in the frame's graph. Its expressions are evaluated in `scope`."""
        text = self._evaluate_text(label, scope)
        self.session.count_items(len(text), label.span)
        self.claim_name(text, label.span, frame)
        self.session.index.record_name(label.span, text, None, label.span, "label")
        return text

    def claim_name(self, text: str, span: Span, frame: GraphFrame) -> str:
        """The text of a label or the name of a shared stage, which is then taken in the frame's graph."""
        free_label(text, frame)
        return frame.labels.claim_label(text, span)

    def is_inline(self, label: ast.Label | None, scope: Scope, binders: tuple[ast.Name, ...] = ()) -> bool:
        """Whether a label is `as _`, also as the value of an expression: no level of its own. One that depends on `binders` is not."""
        if label is None or len(label.parts) != 1:
            return False
        part = label.parts[0]
        if isinstance(part, str):
            return part == NO_LEVEL
        return not {b.name for b in binders} & set(find_names((part,))) and self.interpreter.evaluate(part, scope) == NO_LEVEL

    def _evaluate_text(self, label: ast.Label, scope: Scope) -> str:
        if not label.parts:  # what is in its braces could not be read
            raise AlreadyReported
        parts = []
        for part in label.parts:
            if isinstance(part, str):
                parts.append(part)
                continue
            value = self.interpreter.evaluate(part, scope)
            if isinstance(value, (float, bool, tuple)) or not isinstance(value, (int, str)):
                raise Failure(BadLabel(format_value(value), format_value(value)), part.span)
            # A label is a name in the state dict, so it cannot depend on a number that varies.
            self.session.decisions.pin_value(value)
            parts.append(str(value))
        text = check_string("".join(parts), label.span)
        if text == NO_LEVEL:
            raise Failure(BadLabel(text, text), label.span)
        # Each level of a label is a module of the emitted class.
        if text.count(".") >= MAX_NESTING:
            raise Failure(TooMuchNesting(MAX_NESTING, "labels"), label.span)
        for level in text.split("."):
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", level) or level in TAKEN_LABELS:
                raise Failure(BadLabel(text, level), label.span)
        return text


def is_indexed(label: ast.Label | None) -> bool:
    """Whether a label contains expressions, and differs for each iteration."""
    return label is not None and any(not isinstance(part, str) for part in label.parts)
