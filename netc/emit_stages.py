"""Format the output of each stage of the compiler as text: `netc compile --emit STAGE`.

In: the name of a stage, and a spec. Out: the text of the stage's output, or the diagnostics that prevent it. Always: the stages are the
tokens, the syntax tree, the graph, and one for each backend.

    >>> from netc.analysis import Choice
    >>> from netc.dsl.source import SourceFile
    >>> print(emit_stage("tokens", lambda: (SourceFile("<text>", "input 3"), None), Choice())[0])
    1:1      INPUT        'input'
    1:7      NUMBER       '3'
    1:8      $END         ''
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Unpack

from netc.compiler.backends.backend_registry import NAMES

from .analysis import analyze
from .api import make_model
from .display.graph_text import format_program
from .display.tree_text import format_tokens, format_tree
from .files.source_files import Unreadable

if TYPE_CHECKING:
    from netc.dsl.diagnostics import Diagnostic
    from netc.dsl.source import SourceFile

    from .analysis import Choice
    from .inputs.graph_keywords import GraphKeywords
    from .model import Model

    Shown = tuple[str | None, tuple[Diagnostic, ...]]


def emit_stage(stage: str, read: Callable[[], tuple[SourceFile, str | None]], choice: Choice, **graph: Unpack[GraphKeywords]) -> Shown:
    """Return the text of a stage, or None if there are errors before it, and the diagnostics. `graph` has the options of an ONNX graph."""
    try:
        source, path = read()
    except Unreadable as error:
        return None, (error.diagnostic,)
    # before the analysis, so that these stages are shown for a spec with errors in its types
    if stage in TEXT_STAGES:
        return TEXT_STAGES[stage](source)
    analysis = analyze(source, choice, path).require_model()
    if analysis.program is None:
        return None, analysis.diagnostics
    model = make_model(analysis, choice)
    text = _MODEL_STAGES[stage](model) if stage in _MODEL_STAGES else model.source(stage, **graph)
    return text, analysis.diagnostics


TEXT_STAGES: dict[str, Callable[[SourceFile], Shown]] = {"tokens": format_tokens, "ast": format_tree}
"""The stages before there is a model."""
_MODEL_STAGES: dict[str, Callable[[Model], str]] = {"graph": lambda model: format_program(model.program)}

STAGES = (*TEXT_STAGES, *_MODEL_STAGES, *NAMES)
"""The names of all stages, in the order of the compiler."""
