"""Check whether float16 holds the numbers of a model: `netc check --range`.

In: a program, its weights, and calibration data if there is any. Out: a `RangeReport`, and diagnostics at the stages that overflow. Always:
a stage is reported as overflowing only if that is proved, or measured on the data.

>>> import netc
>>> model = netc.compile("input 2 -> tanh -> dense 1 init=constant(50000) bias=false as fc")
>>> report = model.check_ranges(seed=0)
>>> [(stage.path, stage.evidence, stage.may_overflow) for stage in report.stages]
[('tanh1', 'bounded', False), ('fc', 'bounded', True)]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netc.compiler.backends.backend import WrongOutput
from netc.compiler.derivatives.expand_gradients import NoClosedForm, expand_gradients
from netc.compiler.errors.range_errors import RangeOverflow
from netc.compiler.ir.differentiated_values import has_gradients
from netc.compiler.ir.ports import make_input_ports
from netc.compiler.ranges import LEAST_SPREAD, find_bounds
from netc.dsl.record import Record, replace

from ..errors import raise_as_compile_error
from ..files.file_problems import make_diagnostic
from ..quantizing.calibration import iterate_batches, read_calibration
from ..quantizing.refusal import CannotQuantize
from .kept_stages import find_kept_stages
from .range_report import RangeReport, StageRange

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program
    from netc.compiler.types.numpy_types import Array
    from netc.dsl.diagnostics import Diagnostic
    from netc.dsl.source import Span

    from .measure_ranges import StageMeasure

Calibration = str | Mapping[str, Any]
"""The path of an `.npz` file, or arrays by the names of inputs."""


class CannotCheckRanges(WrongOutput):
    """The calibration data does not fit the model, or the model has a gradient that cannot be written out."""


class RangeCheck(Record):
    """A report about the program `model`, and the place in the text of each of its stages."""

    model: str
    report: RangeReport
    spans: tuple[Span, ...]

    def list_diagnostics(self) -> list[Diagnostic]:
        """Return an error for each place in the text whose stages overflow."""
        by_span: dict[Span, list[StageRange]] = {}
        for stage, span in zip(self.report.stages, self.spans, strict=True):
            if stage.overflows:
                by_span.setdefault(span, []).append(stage)
        return [make_diagnostic(_make_problem(stages), span) for span, stages in by_span.items()]


def _make_problem(stages: list[StageRange]) -> RangeOverflow:
    """Describe stages that one place in the text has made, the largest first."""
    ordered = sorted(stages, key=_find_overflow, reverse=True)
    first = ordered[0]
    evidence = "measured" if max(first.measured or 0.0, first.inner_measured or 0.0) >= first.reached else "proved"
    return RangeOverflow(
        first.operator, _find_overflow(first), evidence, tuple(stage.path for stage in ordered), inner=not first.result_overflows
    )


def _find_overflow(stage: StageRange) -> float:
    """The largest number that the stage certainly has."""
    inner = 0.0 if stage.result_overflows else stage.inner_measured or 0.0
    return max(stage.reached, stage.measured or 0.0, inner)


def check_ranges(program: Program, weights: Mapping[str, Array], calibration: Calibration | None = None) -> RangeCheck:
    """Bound the stages of a program, and measure them if there is calibration data.

    Args:
        program: A checked program in float32.
        weights: The parameters and buffers by their keys in the state dict.
        calibration: Inputs by name, or the path of an `.npz` file of them.

    Returns:
        The report, with the places of its stages. The uses of a shared stage are one stage.

    Raises:
        WeightsError: A parameter has NaN or an infinity.
        CannotCheckRanges: The calibration data does not fit, or has NaN.
        CompileError: PyTorch cannot compute a stage.
    """
    program = _write_out_gradients(program)
    bounds = find_bounds(program, weights)
    measures, samples = ({}, 0) if calibration is None else _measure(program, weights, calibration)
    stages: dict[str, StageRange] = {}
    spans: dict[str, Span] = {}
    for key, bound in bounds.items():
        measure = measures.get(key)
        stage = StageRange(bound.path, bound.node.op.name, bound.largest, bound.reached, inner_bound=bound.inner)
        if measure is not None:
            stage = replace(stage, measured=measure.largest, inner_measured=measure.inner)
        stages[bound.path] = _merge_uses(stages[bound.path], stage) if bound.path in stages else stage
        spans.setdefault(bound.path, bound.span)
    kept = find_kept_stages(program, stages)
    limit = _format_limit(sorted({bound.node.op.name for bound in bounds.values() if bound.needs_spread}))
    return RangeCheck(program.main.name, RangeReport(tuple(stages.values()), samples, kept, limit), tuple(spans.values()))


def _format_limit(operators: list[str]) -> str:
    """Return the condition of the bounds after these normalizations."""
    if not operators:
        return ""
    names = " and ".join(f"`{name}`" for name in operators)
    return f"the bounds after {names} hold as long as the numbers of a row deviate by at least 1/{1 / LEAST_SPREAD:.0f} of the largest"


def _merge_uses(a: StageRange, b: StageRange) -> StageRange:
    """The ranges of two uses of a stage together."""
    return replace(
        a,
        bound=max(a.bound, b.bound),
        reached=max(a.reached, b.reached),
        measured=None if a.measured is None or b.measured is None else max(a.measured, b.measured),
        inner_bound=max(a.inner_bound, b.inner_bound),
        inner_measured=None if a.inner_measured is None or b.inner_measured is None else max(a.inner_measured, b.inner_measured),
    )


def _write_out_gradients(program: Program) -> Program:
    if not has_gradients(program.main):
        return program
    try:
        return expand_gradients(program)
    except NoClosedForm as error:
        raise CannotCheckRanges(f"the ranges of a gradient cannot be computed: {error}") from None


def _measure(program: Program, weights: Mapping[str, Array], calibration: Calibration) -> tuple[dict[Any, StageMeasure], int]:
    """Measure the stages on the calibration data. Return the measures, and the number of samples."""
    from .measure_ranges import StageFailed, measure_ranges

    ports = {port.name: port for port in make_input_ports(program)}
    try:
        batches = list(iterate_batches(program, ports, read_calibration(calibration)))
    except CannotQuantize as error:  # the data is wrong in the same ways as for quantizing
        raise CannotCheckRanges(str(error)) from None
    batched = [name for name, port in ports.items() if port.shape[:1] == ("N",)]
    samples = sum(len(batch[batched[0]]) for batch in batches) if batched else len(batches)
    try:
        with raise_as_compile_error(program):
            return measure_ranges(program, weights, batches), samples
    except StageFailed as error:
        raise CannotCheckRanges(str(error)) from None
