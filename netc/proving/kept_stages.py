"""Choose the stages of a float16 model that stay in float32, and keep them there: `netc compile --keep`.

In: a program, and the ranges of its stages or the user's paths. Out: paths, or the converted program. Always: a stage that gets a number
beyond float16 from a kept stage is kept too, so that the number stays a number until a stage makes it small.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING

from netc.compiler.errors.range_errors import FLOAT16_LIMIT
from netc.compiler.ir.flat_graph import FlatGraph
from netc.compiler.ranges import NoSuchStage, is_half, keep_in_float32

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

    from .range_report import StageRange

MARGIN = 2.0
"""The factor by which other inputs may exceed the calibration data, without an overflow of a stage that is not kept."""


def find_kept_stages(program: Program, ranges: Mapping[str, StageRange]) -> tuple[str, ...]:
    """Find the stages to keep in float32.

    Args:
        program: A checked program.
        ranges: The range of each stage by its path.

    Returns:
        The paths of the stages that pass float16, or come close to it on the data, and of the stages that take their results. Without data,
        every stage counts that is not proved to fit.
    """
    large = {
        path
        for path, stage in ranges.items()
        if _may_pass(stage, max(stage.bound, stage.reached), max(stage.reached, stage.measured or 0.0))
    }
    kept = large | {path for path, stage in ranges.items() if _may_pass(stage, stage.inner_bound, stage.inner_measured or 0.0)}
    makers: dict[int, str] = {}
    for item in FlatGraph(program.main).iterate_operators():
        if any(makers.get(key) in large for key in item.inputs):
            kept.add(item.path)
        makers.update(dict.fromkeys(item.outputs, item.path))
    return tuple(path for path in ranges if path in kept)


def _may_pass(stage: StageRange, bound: float, seen: float) -> bool:
    """Whether numbers with this bound, and the largest one seen, may pass float16."""
    if bound <= FLOAT16_LIMIT:
        return False
    return stage.measured is None or seen * MARGIN > FLOAT16_LIMIT


def keep_stages(program: Program, stages: Iterable[str]) -> Program:
    """Return the program with these stages in float32. Raises `ValueError` with a message for users."""
    paths = () if isinstance(stages, str) else tuple(stages)
    if isinstance(stages, str) or not all(isinstance(path, str) for path in paths):
        raise TypeError("`stages` must be several paths, such as a list of str")
    types = {value.type.dtype for item in FlatGraph(program.main).iterate_operators() for value in item.node.outputs}
    if not any(map(is_half, types)):
        raise ValueError("no stage of the model is float16 or bfloat16, so there is nothing to keep in float32")
    try:
        return keep_in_float32(program, paths)
    except NoSuchStage as error:
        near = get_close_matches(error.path, error.known, 1)
        raise ValueError(f"{error}" + (f": did you mean `{near[0]}`?" if near else "")) from None
