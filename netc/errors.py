"""The exceptions of the Python API."""

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
    """A spec that is not a model. `diagnostics` are all that was found, sorted, warnings too; `str()` is their text."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(tuple(diagnostics))
        self.diagnostics = tuple(diagnostics)

    def __str__(self) -> str:
        from netc.dsl.diagnostics.render import render_text

        return render_text(self.diagnostics)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: what is wrong with the spec, in colors."""
        from netc.dsl.diagnostics.render import render_text

        return [render_text(self.diagnostics, color=True)]


@contextmanager
def raise_as_compile_error(program: Program) -> Iterator[None]:
    """What a target cannot express becomes a `CompileError` at the stage concerned."""
    try:
        yield
    except UnsupportedByTarget as error:
        raise CompileError((make_diagnostic(error.problem, error.span or program.main.span, error.notes),)) from None
