"""The output of each stage of the compiler, as text: `netc compile --emit STAGE`.

In: the name of a stage and a spec. Out: what that stage hands to the next, or the diagnostics that prevent it. Always: the stages are
the compiler's own and one for each backend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Unpack

from netc.compiler.backends.backend_registry import NAMES

from .analysis import analyze
from .api import model_of
from .display.graph_text import format_program
from .display.tree_text import format_tokens, format_tree
from .files.source_files import Unreadable

if TYPE_CHECKING:
    from netc.dsl.diagnostics import Diagnostic
    from netc.dsl.source import SourceFile

    from .analysis import Choice
    from .model import GraphKeywords, Model

    Shown = tuple[str | None, tuple[Diagnostic, ...]]


def emit(stage: str, read: Callable[[], tuple[SourceFile, str | None]], choice: Choice, **graph: Unpack[GraphKeywords]) -> Shown:
    """The text of one stage, None if there are errors before it, and the diagnostics. `graph`: how a graph of ONNX is written."""
    try:
        source, path = read()
    except Unreadable as error:
        return None, (error.diagnostic,)
    if stage in OF_TEXT:
        return OF_TEXT[stage](source)
    analysis = analyze(source, choice, path).with_model()
    if analysis.program is None:
        return None, analysis.diagnostics
    model = model_of(analysis, choice)
    text = _OF_MODEL[stage](model) if stage in _OF_MODEL else model.source(stage, **graph)
    return text, analysis.diagnostics


OF_TEXT: dict[str, Callable[[SourceFile], Shown]] = {"tokens": format_tokens, "ast": format_tree}
"""The stages before there is a model."""
_OF_MODEL: dict[str, Callable[[Model], str]] = {"graph": lambda model: format_program(model.program)}

STAGES = (*OF_TEXT, *_OF_MODEL, *NAMES)
"""What can be shown, in the order of the stages."""
