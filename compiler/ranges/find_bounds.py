"""Find a bound of the largest absolute value of each stage, from the weights and the operators alone.

In: a program, and its parameters. Out: a `StageBound` for each operator of the main graph and of the graphs that it calls. Always: the
bounds hold for all finite inputs of any size that the program accepts, as PyTorch computes them in evaluation mode, rounding included.
Inputs of integers and floats have no bound of their own, and booleans count as 0 and 1. A stage without a bound has an infinite one.

>>> import netc, numpy as np
>>> program = netc.compile("input 3 -> tanh -> dense 1 as fc").program
>>> weights = {"fc.weight": np.array([[1.0, 2.0, -3.0]]), "fc.bias": np.array([0.5])}
>>> [(stage.path, round(stage.largest, 3)) for stage in find_bounds(program, weights).values()]
[('tanh1', 1.0), ('fc', 6.5)]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from netc.dsl.record import Record
from netc.dsl.source import Span

from ..analysis.state_dict import ParameterInfo, collect_parameters
from ..definitions.definition_graphs import MissingDefinition
from ..definitions.expand_definitions import Definitions
from ..errors.weight_errors import WeightsError, WeightsNotFinite
from ..ir.flat_evaluation import FlatEvaluator, RunStep
from ..ir.flat_graph import FlatNode, FlatScan
from ..ir.graph import OpNode, Program
from ..ir.graph_values import Value
from ..ir.walk import join_labels
from ..ops.constants import ParamOperator
from ..ops.op_inputs import OpInputs
from ..ops.operator import Operator
from ..ops.parameter_of import ParameterOf
from ..ops.shape import Layout
from ..types.numpy_types import Array
from ..types.tensor_types import DType
from . import rules
from .bound_table import FUNCTION_FACTOR, LEAST, UNITS, BoundSite, find_rule
from .tensor_bounds import TensorBound, fit_bound, scalar_bound, unknown_bound

assert rules, "importing the package fills the table"


class StageBound(Record):
    """A stage, and the bounds of the absolute values of its results.

    `largest` is the bound, infinite if there is none. `reached`: a result or a parameter certainly has this absolute value or more.
    `inner` is the bound of what the stage computes inside and does not return, such as the scores of attention; 0 if there is nothing.
    `needs_spread`: the bounds of this stage, and of those after it, hold if the numbers that it normalizes deviate by `LEAST_SPREAD`.
    """

    path: str
    node: OpNode
    largest: float
    reached: float
    inner: float
    needs_spread: bool = False

    @property
    def span(self) -> Span:
        return self.node.span


StageKey = tuple[str, tuple[int, ...]]
"""A stage: its path, and the keys of its results in the flat graph, which tell the uses of a shared stage apart."""


def find_bounds(program: Program, weights: Mapping[str, Array]) -> dict[StageKey, StageBound]:
    """Bound each stage of a program, in the order of computation.

    Args:
        program: A checked program.
        weights: The parameters and buffers by their keys in the state dict. Each is read when its stage is reached.

    Returns:
        A record for each operator that evaluation needs. A stage that is computed several times, as a shared stage is, has several.

    Raises:
        WeightsError: A parameter has NaN or an infinity.
    """
    finder = BoundFinder(program, ParameterReader(program, weights))
    finder.evaluate_graph(program.main, [_bound_input(value) for value in program.main.inputs])
    return finder.stages


def _bound_input(value: Value) -> TensorBound:
    rank = value.type.rank
    return scalar_bound(0, 1, rank) if value.type.dtype.name == "bool" else unknown_bound(rank)


class ParameterReader:
    """Reads parameters by the paths of stages. A tied parameter is its target."""

    def __init__(self, program: Program, weights: Mapping[str, Array]) -> None:
        self._infos: dict[str, ParameterInfo] = collect_parameters(program)
        self._weights = weights
        self.largest: dict[str, float] = {}
        """The largest absolute value of each parameter that has been read, by key."""

    def find_key(self, item: FlatNode, name: str) -> str:
        """Return the key of a parameter of a stage, by the operator's own name for it."""
        op = item.node.op
        if isinstance(op, ParameterOf):
            base = item.path if item.node.shared is not None else item.owner
            return self.resolve_key(join_labels(join_labels(base, op.path), op.parameter))
        return self.resolve_key(join_labels(item.path, name))

    def resolve_key(self, key: str) -> str:
        info = self._infos.get(key)
        return key if info is None or info.tied_to is None else info.tied_to

    def read(self, key: str) -> Array | None:
        """Read a parameter; None if there is none. Raises `WeightsError` for NaN or infinities."""
        if key not in self._infos:
            return None
        array = np.asarray(self._weights[key])
        if key not in self.largest and self._infos[key].dtype.is_float:
            largest = float(np.abs(array).max(initial=0))
            if not np.isfinite(largest):  # NaN is the maximum wherever it occurs
                raise WeightsError(WeightsNotFinite(key))
            self.largest[key] = largest
        return array


class BoundFinder(FlatEvaluator[TensorBound]):
    """Evaluates graphs with bounds. `stages` has the records, by the path and the keys of the results."""

    def __init__(self, program: Program, reader: ParameterReader) -> None:
        self.program, self.reader = program, reader
        self.definitions = Definitions(program.facts)
        self.stages: dict[StageKey, StageBound] = {}
        self.given: dict[int, OpInputs] = {}
        self.needs_spread = False
        """Whether the bounds of the current operator have the condition."""

    def evaluate_operator(self, item: FlatNode, inputs: Sequence[TensorBound]) -> Sequence[TensorBound]:
        self.needs_spread = False
        bounds, inner = self._bound_results(item, inputs)
        floats = [bound for bound, value in zip(bounds, item.node.outputs, strict=False) if value.type.dtype.is_float]
        largest = max((bound.limit for bound in floats), default=0.0)
        parameters = (self.reader.largest.get(self.reader.find_key(item, spec.name), 0.0) for spec in item.node.specs)
        reached = max([*(bound.least_largest for bound in floats), *parameters], default=0.0)
        self.stages[item.path, item.outputs] = StageBound(item.path, item.node, largest, reached, inner, self.needs_spread)
        return bounds

    def _bound_results(self, item: FlatNode, inputs: Sequence[TensorBound]) -> tuple[Sequence[TensorBound], float]:
        node = item.node
        given = self.given.get(id(node))
        if given is None:
            given = self.given[id(node)] = node.op.bind_inputs(tuple(v.type for v in node.inputs), self.program.facts)
        rule = find_rule(node.op)
        if rule is None:
            results, inner = self._bound_definition(item, inputs)
            return results, inner if np.isfinite(inner) else 0.0
        site = BoundSite(item, given, inputs, lambda name: self._read_parameter(item, name), lambda: self._bound_definition(item, inputs))
        types = [value.type for value in node.outputs]
        bounds = [_round_bound(bound, node.op, type.dtype) for bound, type in zip(rule(site), types, strict=False)]
        self.needs_spread = site.needs_spread
        return [fit_bound(bound, type) for bound, type in zip(bounds, types, strict=False)], site.inner

    def _read_parameter(self, item: FlatNode, name: str) -> Array | None:
        array = self.reader.read(self.reader.find_key(item, name))
        return None if array is None else array.astype(np.float64)

    def _bound_definition(self, item: FlatNode, inputs: Sequence[TensorBound]) -> tuple[Sequence[TensorBound], float]:
        """Bound the definition of an operator. Without one, nothing is known. The second result is the largest bound inside it."""
        node = item.node
        try:
            graph = self.definitions.get_definition(node)
        except MissingDefinition:
            return [unknown_bound(value.type.rank) for value in node.outputs], 0.0
        inner = BoundFinder(self.program, self.reader)
        inner.definitions = self.definitions
        results = inner.evaluate_graph(graph, inputs, item.path, item.frame)
        return results, max((s.largest for s in inner.stages.values() if s.node.op.name == "matmul"), default=0.0)

    def evaluate_loop(self, item: FlatScan, inputs: Sequence[TensorBound], run_step: RunStep[TensorBound]) -> Sequence[TensorBound]:
        """Bound a loop of any length: first with states of which nothing is known, then with the states that this gives."""
        scan = item.node.scan
        assert scan is not None
        starts = list(inputs[: scan.states])
        slices = [x.merge_axes((axis,), keep=False) for x, axis in zip(inputs[scan.states :], scan.axes, strict=True)]
        states = [unknown_bound(start.rank) for start in starts]
        for _ in range(2):
            outputs = run_step([*states, *slices])
            states = [start | after for start, after in zip(starts, outputs, strict=False)]
        outputs = run_step([*states, *slices])
        last = [start | after for start, after in zip(starts, outputs, strict=False)]
        stacked = zip(outputs[scan.states :], scan.stacked, strict=True)
        return [*last, *(TensorBound(np.expand_dims(b.low, axis), np.expand_dims(b.high, axis)) for b, axis in stacked)]


def _round_bound(bound: TensorBound, op: Operator, dtype: DType) -> TensorBound:
    """Make room for the rounding of one operator. Operators that move elements, and parameters, are exact. Integers are exact, but the
    ends of a bound are float64, which has no room for all digits of a large one."""
    if not dtype.is_float:
        large = np.maximum(np.abs(bound.low), np.abs(bound.high))
        return bound.widen(0.0, np.where((large >= 2.0**53) & np.isfinite(large), large * 2.0**-50, 0.0)).limit_to(dtype)
    rounds = dtype.is_float and not isinstance(op, (Layout, ParamOperator, ParameterOf))
    return (bound.widen(FUNCTION_FACTOR * UNITS[dtype.name], LEAST[dtype.name]) if rounds else bound).limit_to(dtype)
