"""The error of data that a model cannot read, and the usual size of a batch.

>>> from netc.compiler.errors.data_errors import ColumnMissing
>>> str(UnfitData([ColumnMissing("x", "width", "new.csv", ("widths",), ("widths", "height"))]))
'`new.csv` has no column `width` for the input `x`'
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.compiler.errors.problem import Problem

BATCH = 256
"""The number of samples that are computed together, unless the caller says another."""


class UnfitData(ValueError):
    """Data that the model cannot read. `problems` has everything that is wrong."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.format_message() for problem in problems))
        self.problems = tuple(problems)
