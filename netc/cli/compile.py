"""`netc compile`: a spec to PyTorch source or an ONNX model, or to what flows between the two."""

from __future__ import annotations

import sys
from pathlib import PurePath
from typing import TYPE_CHECKING

import click

from .failures import wrong_usage
from .options import choose, one_source, source_options, spec_options, weight_options
from .program import compiled
from .reading import reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from netc.dsl.source import SourceFile

    from ..analysis import Choice

STAGES = ("tokens", "ast", "graph", "torch", "onnx")
TARGETS = ("torch", "onnx")


@click.command("compile")
@source_options
@click.option("-o", "--output", metavar="OUT", help="Where to: NAME.py, NAME.onnx, or `-` for standard output.")
@click.option("--target", type=click.Choice(TARGETS), help="What to make; else the ending of OUT tells.")
@click.option("--emit", type=click.Choice(STAGES), help="Show, as text, what one stage of the compiler hands to the next.")
@spec_options
@weight_options
def command(
    file: str | None,
    text: str | None,
    output: str | None,
    target: str | None,
    emit: str | None,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    weights: str | None,
    seed: int | None,
) -> None:
    """Compile a spec to PyTorch source or an ONNX model.

    Without -o, `--target torch` and `--emit` write to standard output.
    """
    read = reader(one_source(file, text), text)
    choice = choose(model, params, dims)
    if emit is not None:
        if target is not None or weights is not None or seed is not None:
            raise click.UsageError("--emit shows a stage as text: it goes without --target, --weights and --seed")
        _emit(emit, read, choice, output)
        return
    target = _target(target, output)
    if target == "torch" and (weights is not None or seed is not None):
        raise click.UsageError("PyTorch source holds no weights: --weights and --seed are for ONNX")
    from ..saving import save

    save(compiled(read, choice), output or "-", weights, seed, target)


def _target(target: str | None, output: str | None) -> str:
    from ..saving import TARGETS, target_of

    if target is None:
        if output in (None, "-"):
            raise click.UsageError("give -o NAME.py or -o NAME.onnx, or say --target torch")
        with wrong_usage():
            return target_of(output)
    meant = TARGETS.get(PurePath(output).suffix.lower()) if output else None
    if meant not in (None, target):
        raise click.UsageError(f"the name of `{output}` asks for the target {meant}, and --target says {target}")
    if target == "onnx" and (output is None or (output == "-" and sys.stdout.isatty())):
        raise click.UsageError("an ONNX model is no text: give -o NAME.onnx")
    return target


def _emit(stage: str, read: Callable[[], tuple[SourceFile, str | None]], choice: Choice, output: str | None) -> None:
    from ..emit import emit
    from ..writing import write_bytes
    from .program import give_up_on

    shown, diagnostics = emit(stage, read, choice)
    if shown is None:
        give_up_on(diagnostics)
    write_bytes(output or "-", shown.encode("utf-8", "backslashreplace"))
