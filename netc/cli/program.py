"""From the options of a command to a model; if the spec has errors they are reported, and the command ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from netc.compiler.analysis.state_dict import has_learned_parameters

from ..analysis import read_and_analyze
from ..api import model_of
from ..errors import CompileError
from .report import give_up_on, report
from .terminal import note

if TYPE_CHECKING:
    from netc.dsl.source import SourceFile

    from ..analysis import Choice
    from ..model import Model


DRAWN = "note: the parameters are random numbers, drawn with seed 0; --weights gives trained ones"


def compiled(read: Callable[[], tuple[SourceFile, str | None]], choice: Choice) -> Model:
    """The model of a spec. Warnings are reported, and are no obstacle."""
    analysis = read_and_analyze(read, choice).with_model()
    if analysis.program is None:
        give_up_on(analysis.diagnostics)
    report(analysis.diagnostics, "text", sys.stderr)
    model = model_of(analysis, choice)
    model.weights = getattr(analysis.sources[0], "weights", None)  # those of an imported file
    return model


def is_drawn(model: Model, known: bool) -> bool:
    """Whether its parameters are random numbers that nobody asked for. `known`: weights or a seed are given, or it holds none."""
    return not known and model.weights is None and has_learned_parameters(model.program)


def note_drawn(model: Model, known: bool) -> None:
    """Random numbers are not to be taken for trained ones."""
    if is_drawn(model, known):
        note(DRAWN)


@contextmanager
def wrong_usage() -> Iterator[None]:
    """Options that exclude each other, which a ValueError reports, are wrong usage. An error of the spec is not."""
    try:
        yield
    except CompileError:
        raise
    except ValueError as error:
        raise click.UsageError(str(error)) from None
