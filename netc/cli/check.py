"""`netc check`: report the errors and warnings of specs, and show the shapes of their stages.

$ netc check -e 'input 3 -> dens 2'
error[unknown-operator]: unknown operator or block `dens`
 --> <text>:1:12
  |
1 | input 3 -> dens 2
  |            ^^^^
  |
  = help: did you mean `dense`?
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from netc.dsl.diagnostics import apply_edits, select_safe_edits
from netc.dsl.record import replace
from netc.dsl.source import SourceFile

from ..analysis import analyze_models
from ..files.source_files import read_file
from ..files.used_files import UsedFiles
from .check_claims import claim_options, drop_claimed, prove_claims, show_claims
from .check_devices import check_device, check_device_options, device_options, show_kernels
from .completion import SpecName
from .range_options import check_program_ranges, check_range_options, show_ranges
from .report import report_diagnostics
from .shared_options import calibration_option, checkpoint_options, expression_option, make_choice, precision_options, spec_options
from .spec_sources import find_spec_files, make_reader
from .terminal import defer_garbage_collection, get_terminal_width, style_table, write_note, write_status, write_text

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program
    from netc.dsl.diagnostics import Diagnostic

    from ..analysis import Choice
    from ..inputs.checkpoint import Checkpoint
    from ..streaming.causal_proof import CausalProof

FORMATS = ("text", "short", "json", "sarif", "github")


@click.command("check")
@click.argument("files", nargs=-1, metavar="FILE...", type=SpecName())
@expression_option("Check this text instead of files.")
@click.option("--shapes", is_flag=True, help="Show every stage with the shape of its result.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="Format of the diagnostics.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option("--fix", is_flag=True, help="Apply the safe edits that the errors suggest, then check.")
@click.option("--causal", metavar="T", help="Prove that no output depends on later inputs along this dimension.")
@claim_options
@click.option("--range", "has_range", is_flag=True, help="Show how large the numbers of each stage become, and whether float16 holds them.")
@calibration_option("With --range: inputs by name, to measure the stages that have no bound.")
@device_options
@click.option("--lookahead", is_flag=True, help="With --causal: allow a limited look-ahead, and show the smallest that a stream needs.")
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
    ignores: tuple[str, ...],
    separates: tuple[str, ...],
    has_range: bool,
    calibration: str | None,
    device: str | None,
    opset: int | None,
    lookahead: bool,
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
    _refuse_conflicts(files, shapes=shapes, form=form, fix=fix, causal=causal, lookahead=lookahead)
    check_range_options(has_range, calibration, dtype)
    check_device_options(device, opset)

    files = find_spec_files(files)
    defer_garbage_collection()
    choice = make_choice(model, params, dims, allow_paths, dtype, keep_io)
    claimed = {*ignores, *separates}
    if fix:
        _fix_files(files, choice, claimed)
    used_files = UsedFiles()  # after `--fix`, which changes files
    # None stands for the text after `-e`
    analyses = [a for path in files or (None,) for a in analyze_models(make_reader(path, text), choice, used_files)]
    analyses = [replace(a, diagnostics=drop_claimed(a.diagnostics, claimed)) for a in analyses]
    programs = [a.program for a in analyses if a.program is not None]

    proofs = _collect_proofs(programs, causal, lookahead)
    claims = prove_claims(programs, ignores, separates)
    misfits = [d for program in programs for d in _check_fit(program, weights)]
    misfits += [*(d for proof in proofs for d in proof.diagnostics), *(d for claim in claims for d in claim.diagnostics)]
    ranges = [check_program_ranges(program, weights, calibration) for program in programs] if has_range and not misfits else []
    kernels, unwritten = check_device(programs, device, opset)
    misfits += [*(d for check in ranges for d in check.list_diagnostics()), *unwritten]
    warnings = [d for check in kernels for d in check.diagnostics]
    report_diagnostics([*(d for a in analyses for d in a.diagnostics), *misfits, *warnings], form, sys.stdout)
    if shapes:
        _show_shapes(programs)
    if form == "text":
        show_ranges(ranges)
        if not misfits and not warnings and not any(a.diagnostics for a in analyses):
            write_status("no errors" if len(files) < 2 else f"no errors in {len(files)} files")
            _show_memory(causal, programs, proofs)
        show_claims(claims)
        show_kernels(kernels)
    ctx.exit(any(a.failed or (strict and a.diagnostics) for a in analyses) or bool(misfits) or (strict and bool(warnings)))


def _refuse_conflicts(files: tuple[str, ...], *, shapes: bool, form: str, fix: bool, causal: str | None, lookahead: bool) -> None:
    """Refuse options that do not go together. `files` are empty for a text after `-e`."""
    if shapes and form in ("json", "sarif"):
        raise click.UsageError(f"--shapes is a table, and --format {form} writes none; `netc summary --json` has the shapes")
    if lookahead and causal is None:
        raise click.UsageError("--lookahead is for --causal T")
    if fix and (not files or "-" in files):
        raise click.UsageError("--fix changes files; give files")


_ROUNDS = 10
"""The most times that `--fix` checks a file again after edits, because one error can hide others."""


def _fix_files(files: tuple[str, ...], choice: Choice, claimed: set[str]) -> None:
    from ..files.atomic_writing import write_bytes

    for path in files:
        total = 0
        for _ in range(_ROUNDS):
            analyses = analyze_models(partial(_read_editable, path), choice)
            # the first source is the file itself, the others are files that it uses
            edits = select_safe_edits(analyses[0].sources[0], [d for a in analyses for d in drop_claimed(a.diagnostics, claimed)])
            if not edits:
                break
            write_bytes(path, apply_edits(edits).encode())
            total += len(edits)
        if total:
            write_status(f"{path}: {total} edit{'s' if total > 1 else ''}")


def _read_editable(path: str) -> tuple[SourceFile, str]:
    """Read a file, but no published spec, which is not the user's to change."""
    return read_file(path), path


def _check_fit(program: Program, weights: Checkpoint | None) -> list[Diagnostic]:
    if weights is None:
        return []
    from ..inputs.check_weights import check_fit

    return check_fit(program, weights)


def _collect_proofs(programs: list[Program], dimension: str | None, lookahead: bool) -> list[CausalProof]:
    """Prove that each program is causal along a dimension; None asks for no proof."""
    if dimension is None:
        return []
    from ..streaming.causal_proof import prove_causal

    return [prove_causal(program, dimension, lookahead) for program in programs]


def _show_memory(dimension: str | None, programs: list[Program], proofs: list[CausalProof]) -> None:
    """Print what a stream of each program remembers, if there are proofs."""
    if not proofs:
        return
    from ..streaming.causal_proof import format_causes

    for program, proof in zip(programs, proofs, strict=True):
        measured, memory = proof.lookahead, f"a stream remembers {proof.memory} numbers for a sample"
        if not measured.positions:
            write_status(f"`{program.main.name}` is causal along `{dimension}`: {memory}")
        else:
            positions = "1 position" if measured.positions == 1 else f"{measured.positions} positions"
            write_status(f"`{program.main.name}` looks {positions} ahead along `{dimension}`: {memory}")
            write_note(format_causes(measured))
        if proof.limit:
            write_note(proof.limit)


def _show_shapes(programs: list[Program]) -> None:
    from ..display.model_summary import summarize_program

    tables = [style_table(summarize_program(program).shapes(get_terminal_width(sys.stdout))) for program in programs]
    if tables:
        write_text("\n\n".join(tables))
