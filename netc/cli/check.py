"""`netc check`: reports the errors and warnings of specs, and shows the shapes of their stages."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from netc.dsl.diagnostics import Diagnostic
from netc.dsl.source import SourceFile

from ..analysis import analyze_models
from .completion import FileName
from .report import report
from .shared_options import checkpoint_options, choose, expression_option, precision_options, spec_options
from .spec_sources import reader, spec_files
from .terminal import expect_no_garbage, note, table, width_of, write

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program
    from netc.dsl.diagnostics import Diagnostic

    from ..analysis import Analysis, Choice
    from ..inputs.checkpoint import Checkpoint
    from ..streaming.model_stream import CausalProof

FORMATS = ("text", "short", "json", "sarif", "github")


@click.command("check")
@click.argument("files", nargs=-1, metavar="FILE...", type=FileName())
@expression_option("Check this text instead of files.")
@click.option("--shapes", is_flag=True, help="Show every stage with the shape of its result.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="Format of the diagnostics.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option("--fix", is_flag=True, help="Apply the safe edits that the errors suggest, then check.")
@click.option("--causal", metavar="T", help="Prove that no output depends on later inputs along this dimension.")
@precision_options
@spec_options
@checkpoint_options
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    text: str | None,
    shapes: bool,
    form: str,
    strict: bool,
    fix: bool,
    causal: str | None,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    dtype: str | None,
    keep_io: bool,
    weights: Checkpoint | None,
) -> None:
    """netc checks each model of a file with several."""
    if bool(files) == (text is not None):
        raise click.UsageError("give either files or `-e TEXT`" if files else "give a FILE, `-` for standard input, or `-e TEXT`")
    if shapes and form in ("json", "sarif"):
        raise click.UsageError(f"--shapes is a table, and --format {form} writes none; `netc summary --json` has the shapes")
    if fix and (text is not None or "-" in files):
        raise click.UsageError("--fix changes files; give files")

    files = spec_files(files)
    expect_no_garbage()
    choice = choose(model, params, dims, allow_paths, dtype, keep_io)
    if fix:
        _fix(files, choice)
    found = [a for path in files or (None,) for a in analyze_models(reader(path, text), choice)]
    misfits = [d for a in found if a.program is not None for d in _fit(a.program, weights)]
    proofs: list[CausalProof] = []
    if causal is not None:
        from ..streaming.model_stream import prove_causal

        proofs = [prove_causal(a.program, causal) for a in found if a.program is not None]
        misfits += [d for proof in proofs for d in proof.diagnostics]
    report([*(d for a in found for d in a.diagnostics), *misfits], form, sys.stdout)
    if shapes:
        _show_shapes(found)
    if form == "text" and not misfits and not any(a.diagnostics for a in found):
        note("no errors" if len(files) < 2 else f"no errors in {len(files)} files")
        if causal is not None:
            _show_memory(causal, [a.program for a in found if a.program is not None], proofs)
    ctx.exit(any(a.failed or (strict and a.diagnostics) for a in found) or bool(misfits))


_ROUNDS = 10
"""How often a file is checked again after edits, since errors can hide others."""


def _fix(files: tuple[str, ...], choice: Choice) -> None:
    from ..files.atomic_writing import write_bytes

    for path in files:
        total = 0
        for _ in range(_ROUNDS):
            found = analyze_models(reader(path, None), choice)
            text, count = fixed(found[0].sources[0], [d for a in found for d in a.diagnostics])
            if not count:
                break
            write_bytes(path, text.encode())
            total += count
        if total:
            note(f"{path}: {total} edit{'s' if total > 1 else ''}")


def _fit(program: Program, weights: Checkpoint | None) -> list[Diagnostic]:
    if weights is None:
        return []
    from ..inputs.check_weights import fit

    return fit(program, weights)


def _show_memory(dimension: str, programs: list[Program], proofs: list[CausalProof]) -> None:
    for program, proof in zip(programs, proofs, strict=True):
        note(f"`{program.main.name}` is causal along `{dimension}`: a stream remembers {proof.memory} numbers for a sample")
        if proof.limit:
            note(f"note: {proof.limit}")


def _show_shapes(found: list[Analysis]) -> None:
    from ..display.model_summary import summarize

    tables = [table(summarize(a.program).shapes(width_of(sys.stdout))) for a in found if a.program is not None]
    if tables:
        write("\n\n".join(tables))


# Safe edits of diagnostics applied to the text of a spec. In: a source and its diagnostics. Out: the new text. Always: only edits of that
# source that are safe, and no two that overlap.


def fixed(source: SourceFile, diagnostics: Iterable[Diagnostic]) -> tuple[str, int]:
    """The text after the safe edits, and their number."""
    edits = {(e.span.start, e.span.end, e.text) for d in diagnostics for e in d.edits if e.safe and e.span.file.name == source.name}
    parts, at, count = [], 0, 0
    for start, end, new in sorted(edits):  # of two that overlap, the first: an edit of a whole stage makes those within it needless
        if start >= at:
            parts += [source.text[at:start], new]
            at, count = end, count + 1
    return "".join([*parts, source.text[at:]]), count
