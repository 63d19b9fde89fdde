"""The exceptions of the Python API.

>>> import netc
>>> try:
...     netc.compile("input 3 -> dens 2")
... except netc.CompileError as error:
...     [problem.message for problem in error.diagnostics]
['unknown operator or block `dens`']
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netc.compiler.errors.target_errors import UnsupportedByTarget

from .files.file_problems import make_diagnostic

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program
    from netc.dsl.diagnostics import Diagnostic


class CompileError(ValueError):
    """A spec has errors. `diagnostics` has all of them, sorted, and the warnings too; `str()` is their text."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(tuple(diagnostics))
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        from netc.dsl.diagnostics.render import render_text

        return render_text(self.diagnostics)

    def _render_traceback_(self) -> list[str]:
        """Return the diagnostics in colors, which IPython shows in place of a traceback."""
        from netc.dsl.diagnostics.render import render_text

        return [render_text(self.diagnostics, color=True)]


@contextmanager
def raise_as_compile_error(program: Program) -> Iterator[None]:
    """Raise a `CompileError` at the stage that a target cannot express, in place of the backend's own exception."""
    try:
        yield
    except UnsupportedByTarget as error:
        raise CompileError((make_diagnostic(error.problem, error.span or program.main.span, error.notes),)) from None
