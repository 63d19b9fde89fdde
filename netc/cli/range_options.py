"""What `netc check --range` and `netc compile --keep` need: their options, the check of one program, tables and notes.

In: a checked program and the options. Out: a `RangeCheck` and tables on standard output, or a model with stages in float32. Always: nothing
heavy is imported without these options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netc.compiler.analysis.state_dict import has_learned_parameters

from .program import raise_as_usage_error
from .terminal import style_table, write_note, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netc.compiler.ir.graph import Program

    from ..inputs.checkpoint import Checkpoint
    from ..model import Model
    from ..proving.check_ranges import RangeCheck


def check_range_options(has_range: bool, calibration: str | None, dtype: str | None) -> None:
    """Refuse options that do not go together."""
    if calibration is not None and not has_range:
        raise click.UsageError("--calibration is for --range")
    if has_range and dtype is not None:
        raise click.UsageError("--range checks whether float16 holds the numbers of the float32 model: leave out --dtype")


def check_program_ranges(program: Program, weights: Checkpoint | None, calibration: str | None) -> RangeCheck:
    """Check the ranges of one program."""
    if weights is None and has_learned_parameters(program):
        raise click.UsageError("--range needs --weights: the ranges of a model depend on its parameters")
    from ..inputs.backend_input import make_backend_input
    from ..proving.check_ranges import check_ranges

    return check_ranges(program, make_backend_input(program, weights, None).open_arrays(), calibration)


def show_ranges(checks: Sequence[RangeCheck]) -> None:
    """Write the table of each program, and the program's name above it if there are several."""
    titles = [f"{check.model}:\n" if len(checks) > 1 else "" for check in checks]
    if checks:
        write_text("\n\n".join(title + style_table(str(check.report)) for title, check in zip(titles, checks, strict=True)))
    for limit in dict.fromkeys(check.report.limit for check in checks if check.report.limit):
        write_note(limit)


AUTO = "auto"
"""The value of `--keep` that leaves the choice to the ranges."""
_SHOWN = 5
"""The most stages that the note lists."""


def parse_keep(ctx: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Return the stages of `--keep`: paths, or `auto` alone."""
    if value is None:
        return None
    paths = tuple(part.strip() for part in value.split(","))
    if not all(paths):
        raise click.BadParameter(f"expected {option.metavar}, got `{value}`", ctx, option)
    return paths


def check_keep_options(keep: tuple[str, ...] | None, dtype: str | None, writes_model: bool, has_weights: bool) -> None:
    """Refuse `--keep` where no float16 model is written."""
    if keep is None:
        return
    if dtype not in ("float16", "bfloat16"):
        raise click.UsageError("--keep keeps stages of a half-precision model in float32: give --dtype float16")
    if not writes_model:
        raise click.UsageError("--keep is for a model in a file: it goes without --emit, --stream, --for, --train and --quantize")
    if keep == (AUTO,) and dtype != "float16":
        raise click.UsageError("--keep auto is for --dtype float16: bfloat16 has the range of float32")
    if keep == (AUTO,) and not has_weights:
        raise click.UsageError("--keep auto needs --weights: the ranges of a model depend on its parameters")


def keep_chosen_stages(model: Model, keep: tuple[str, ...], weights: Checkpoint | None, seed: int | None, calibration: str | None) -> Model:
    """Keep the stages of `--keep` in float32, and print a note."""
    paths = keep
    if keep == (AUTO,):
        report = model.in_type("float32").check_ranges(weights, seed, calibration=calibration)
        paths = tuple(path for path in report.kept if path in model.list_stages())
        if not paths:
            write_note("no stage needs float32")
            return model
    with raise_as_usage_error():
        kept = model.keep_in_float32(paths)
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    write_note(f"kept in float32: {', '.join(f'`{path}`' for path in paths[:_SHOWN])}{more}")
    return kept
