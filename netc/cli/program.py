"""Compile a spec for a command. If the spec has errors, they are reported, and the command ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from netc.compiler.analysis.state_dict import has_learned_parameters

from ..analysis import read_and_analyze
from ..api import make_model
from ..errors import CompileError
from .report import report_and_exit, report_diagnostics
from .terminal import write_note

if TYPE_CHECKING:
    from netc.dsl.source import SourceFile

    from ..analysis import Choice
    from ..model import Model


RANDOM_PARAMETERS_NOTE = "the parameters are random numbers, drawn with seed 0; --weights gives trained ones"


def compile_spec(read: Callable[[], tuple[SourceFile, str | None]], choice: Choice) -> Model:
    """Compile the spec that `read` returns. Errors end the command; warnings are only reported."""
    analysis = read_and_analyze(read, choice).require_model()
    if analysis.program is None:
        report_and_exit(analysis.diagnostics)
    report_diagnostics(analysis.diagnostics, "text", sys.stderr)
    model = make_model(analysis, choice)
    model.weights = getattr(analysis.sources[0], "weights", None)  # an ONNX file read in place of a spec brings its weights
    return model


def has_random_parameters(model: Model, known: bool) -> bool:
    """Whether the parameters are random numbers that nobody asked for.

    `known`: weights or a seed are given, or the output holds no weights.
    """
    return not known and model.weights is None and has_learned_parameters(model.program)


def note_random_parameters(model: Model, known: bool) -> None:
    """Print a note if the parameters are random, so that nobody takes the model for a trained one."""
    if has_random_parameters(model, known):
        write_note(RANDOM_PARAMETERS_NOTE)


@contextmanager
def raise_as_usage_error() -> Iterator[None]:
    """Turn a ValueError into a usage error, with exit code 2. A `CompileError` is a ValueError too, but reports a mistake in the spec."""
    try:
        yield
    except CompileError:
        raise
    except ValueError as error:
        raise click.UsageError(str(error)) from None
