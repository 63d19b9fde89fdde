"""Check the sizes of a program that runs again and again, such as the step of a stream, where one size grows and the others stay.

In: a program, the shapes of its inputs, and the name of the size that grows. Then its next sizes. Out: nothing, or a ValueError. Always:
the answer is the answer of `check_sizes` for these shapes. What the other sizes decide is decided once: if an attention has one query,
nothing depends on the number of keys.

>>> import netc
>>> step = netc.compile("input [T, 4] where T <= 8 -> multihead_attention 2 causal=true").stream("T").step
>>> checks = GrowthChecks(step, "P", {"input": (1, 1, 4), "past_multihead_attention1_inputs": (1, 3, 4)})
>>> checks.check_growth(7)
>>> checks.check_growth(8)
Traceback (most recent call last):
ValueError: `where T <= 8` does not hold: P is 8, T is 1
"""

from __future__ import annotations

from functools import cached_property

from ..dims import Dim, WhereCondition, condition_symbols, evaluate_dim, free_symbols, make_symbol
from ..ir.graph import Program
from ..types.tensor_types import BATCH
from .input_shapes import get_size_checks
from .stage_checks import SizedStage, fix_sizes
from .where_checks import Shapes, check_conditions, check_each_condition


class GrowthChecks:
    """The checks of a program whose inputs keep their shapes, apart from one size in them."""

    def __init__(self, program: Program, growing: str, shapes: Shapes) -> None:
        """`shapes` have passed `check_sizes`."""
        self._growing, self._shapes, self._all = growing, shapes, get_size_checks(program)

    def check_growth(self, size: int) -> None:
        """Raise ValueError for a value of the growing size with which the program cannot be computed."""
        if self._conditions or self._open_stages or size < 1:
            sizes = {**self._fixed, self._growing: size}
            sizes |= {name: evaluate_dim(dim, sizes) for name, dim in self._grown.items()}
            self._check(sizes)

    def _check(self, sizes: dict[str, int]) -> None:
        check_each_condition(self._conditions, sizes)
        for stage in self._open_stages if sizes[self._growing] > 0 else self._stages:
            stage.check_sizes(sizes)

    @cached_property
    def _fixed(self) -> dict[str, int]:
        """The sizes that stay."""
        sizes = check_conditions(self._all.inputs, self._all.dims, self._all.conditions, self._shapes)
        return {name: size for name, size in sizes.items() if name not in self._grown_names}

    @cached_property
    def _grown_names(self) -> set[str]:
        return {name for name, dim in self._all.dims.items() if self._growing in free_symbols(dim)} | {self._growing}

    @cached_property
    def _grown(self) -> dict[str, Dim]:
        """The sizes that follow from the growing one."""
        known = {*self._fixed, self._growing}
        dims = {name: self._all.dims[name] for name in self._grown_names - {self._growing}}
        return {name: dim for name, dim in dims.items() if free_symbols(dim) <= known}

    @cached_property
    def _conditions(self) -> list[tuple[WhereCondition, str]]:
        """The conditions on sizes that grow. The others hold, as the shapes have passed."""
        return [(condition, text) for condition, text in self._all.conditions if condition_symbols(condition) & self._grown_names]

    @cached_property
    def _stages(self) -> tuple[SizedStage, ...]:
        # An empty batch is outside of the facts, as in `check_sizes`.
        return tuple(stage for stage in self._all.stages if stage.is_open or not self._fixed.get(BATCH, 1))

    @cached_property
    def _open_stages(self) -> tuple[SizedStage, ...]:
        """The stages that some number of the growing size, from 1 on, may break."""
        symbols = {**self._fixed, self._growing: make_symbol(self._growing, lower=1)}
        return tuple(stage for stage in self._stages if fix_sizes(stage, symbols).is_open)
