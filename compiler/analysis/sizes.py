"""The shapes of real inputs, checked before a model computes with them.

In: a program; then shapes by input name. Out: nothing, or a ValueError with the condition or the stage that they break, and the sizes.
Always: what is accepted has the shapes that the compiler says, in every backend; the same shapes have the same answer.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ..ir.graph import Program
from ..ir.types import BATCH
from .stage_checks import SizedStage, sized_stages
from .where_checks import Shapes, check_conditions


class SizeChecks:
    """What the shapes of a program's inputs must be. It can be pickled, without the program."""

    def __init__(self, program: Program) -> None:
        self.inputs = tuple((value.name, value.type) for value in program.main.inputs)
        self.conditions = program.conditions
        self.dims = dict(program.dims)
        self._program: Program | None = program

    @cached_property
    def stages(self) -> tuple[SizedStage, ...]:
        """Found when the first shapes come."""
        assert self._program is not None
        found = sized_stages(self._program.main, self._program.facts)
        self._program = None
        return found

    def check(self, shapes: Shapes) -> None:
        """Raises ValueError for shapes that the model cannot be computed with."""
        sizes = check_conditions(self.inputs, self.dims, self.conditions, shapes)
        for stage in self.stages:
            if stage.is_open or not sizes.get(BATCH, 1):
                stage.check(sizes)

    def __repr__(self) -> str:
        """What it checks, but for the stages, which follow from the text of the model."""
        return f"SizeChecks({self.inputs}, {self.dims}, {self.conditions})"

    def __getstate__(self) -> dict[str, Any]:
        assert self.stages is not None
        return vars(self)


def size_checks(program: Program) -> SizeChecks:
    """Those of a program, which are made once."""
    if SizeChecks not in program.derived:
        program.derived[SizeChecks] = SizeChecks(program)
    checks: SizeChecks = program.derived[SizeChecks]
    return checks


def check_sizes(program: Program, shapes: Shapes) -> None:
    """Raises ValueError for shapes, by input name, that break a `where`, or that a stage cannot be computed with."""
    size_checks(program).check(shapes)
