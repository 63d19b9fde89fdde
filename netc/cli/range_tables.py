"""What `netc check --range` needs: its options, the check of one program, and the tables.

In: a checked program and the options. Out: a `RangeCheck`, and tables on standard output. Always: nothing heavy is imported without
`--range`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netc.compiler.analysis.state_dict import has_learned_parameters

from .terminal import style_table, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netc.compiler.ir.graph import Program

    from ..inputs.checkpoint import Checkpoint
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
    """Write the table of each program."""
    if checks:
        write_text("\n\n".join(style_table(str(check.report)) for check in checks))
