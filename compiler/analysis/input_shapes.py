"""Check the shapes of real inputs before a model computes with them.

In: a program; then shapes by input name. Out: nothing, or a ValueError with the sizes and the condition or the stage that they break.
Always: if shapes pass, all backends give the shapes that the compiler has inferred.

>>> import netc
>>> check_sizes(netc.compile("input 4xT -> max_pool 6").program, {"input": (1, 4, 5)})
Traceback (most recent call last):
ValueError: the kernel of `max_pool` covers 6 elements, but axis 2 of [1, 4, 5] has only 5, where N is 1, T is 5
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ..ir.graph import Program
from ..types.tensor_types import BATCH
from .stage_checks import SizedStage, collect_sized_stages
from .where_checks import Shapes, check_conditions


class SizeChecks:
    """The checks that the shapes of a program's inputs must pass. It is pickled without the program, so that modules stay small."""

    def __init__(self, program: Program) -> None:
        self.inputs = tuple((value.name, value.type) for value in program.main.inputs)
        self.conditions = program.conditions
        self.dims = dict(program.dims)
        self._program: Program | None = program

    @cached_property
    def stages(self) -> tuple[SizedStage, ...]:
        """The stages that some sizes may break. They are collected at the first check, so that compiling alone does not pay for them."""
        assert self._program is not None
        stages = collect_sized_stages(self._program.main, self._program.facts)
        # The program holds the syntax tree and all graphs; it is not needed after the stages are known.
        self._program = None
        return stages

    def check_shapes(self, shapes: Shapes) -> None:
        """Raise ValueError for shapes with which the model cannot be computed."""
        sizes = check_conditions(self.inputs, self.dims, self.conditions, shapes)
        for stage in self.stages:
            # An empty batch is outside of the facts, so every stage is asked, not only the open ones.
            if stage.is_open or not sizes.get(BATCH, 1):
                stage.check_sizes(sizes)

    def __repr__(self) -> str:
        """The checks without the stages, which follow from the model's source: the digest of a live module is made of both."""
        return f"SizeChecks({self.inputs}, {self.dims}, {self.conditions})"

    def __getstate__(self) -> dict[str, Any]:
        assert self.stages is not None  # collects the stages and lets go of the program
        return vars(self)


def get_size_checks(program: Program) -> SizeChecks:
    """Return the size checks of a program. They are made once and cached in it."""
    if SizeChecks not in program.derived:
        program.derived[SizeChecks] = SizeChecks(program)
    checks: SizeChecks = program.derived[SizeChecks]
    return checks


def check_sizes(program: Program, shapes: Shapes) -> None:
    """Raise ValueError for shapes, by input name, that break a `where` or a stage."""
    get_size_checks(program).check_shapes(shapes)
