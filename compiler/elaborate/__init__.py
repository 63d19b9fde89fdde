"""Syntax tree to typed graph: an abstract interpreter that runs the static program, with tensors standing for their types.

In: a parsed file. Out: a `Program`, and every diagnostic there is; a program only if there is no error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.source import SourceFile

from .. import ops as _ops  # noqa: F401  (fills the registry of operators)
from ..errors.structure import TooMuchNesting
from ..ir.graph import Program
from . import blocks, choices, loops, shares  # noqa: F401  (each puts its rule into the tables of stages.py)
from .files import define
from .memo import Memo
from .models import build, choose, standing
from .session import CannotLoad, Loader, Session
from .unused import unused
from .values import LimitExceeded

__all__ = ["CannotLoad", "Loader", "elaborate", "standing"]

_STACK = 20_000


def elaborate(
    file: ast.File,
    source: SourceFile,
    *,
    loader: Loader | None = None,
    model: str | None = None,
    params: Mapping[str, Any] | None = None,
    dims: Mapping[str, int] | None = None,
) -> tuple[Program | None, list[Diagnostic]]:
    """Checks a file's model and builds its graph.

    `loader` reads the files of `use`. `model` names one of several. `params` override the model's parameters (plain Python values, lists as
    tuples); `dims` fix symbolic dimensions (at least 1). A file without a model (a library of blocks) gives neither a program nor, for that
    alone, a diagnostic. The program is None whenever a diagnostic is an error. Diagnostics are in no particular order and may repeat.
    """
    session = Session(loader, Memo())
    program: Program | None = None
    with _deep_stack():
        files = define(file, source, session)
        chosen = choose(file, source, model, session)
        if chosen is not None:
            try:
                program = build(chosen, files, params or {}, dims or {}, session)
            except LimitExceeded:
                program = None
            except RecursionError:
                session.report(TooMuchNesting(_STACK, "expressions, functions and values"), chosen.span)
    if any(d.severity == "error" for d in session.diagnostics):
        program = None
    else:  # beside an error, what is unused is most often a consequence
        for problem, span in unused(file):
            session.report(problem, span)
    return program, session.diagnostics


@contextmanager
def _deep_stack() -> Iterator[None]:
    """Room for blocks in blocks: their nesting is bounded, but deeper than Python's usual limit of calls."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _STACK))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
