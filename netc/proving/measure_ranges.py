"""Measure the largest absolute value of each stage, by running a model stage by stage in PyTorch.

In: a program with its parameters, and samples. Out: a `StageMeasure` for each operator. Always: each operator is run as a module by
itself, with the sizes of the sample, so that the results of every stage are seen, also inside of blocks and loops.

>>> import netc, numpy as np
>>> program = netc.compile("x = input 2; x * 3 -> relu").program
>>> measures = measure_ranges(program, {}, [{"x": np.array([[1.0, -4.0]], np.float32)}])
>>> [(path, measure.largest) for (path, _), measure in measures.items()]
[('mul1', 12.0), ('relu1', 3.0)]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isinf
from typing import Any

import torch

from netc.compiler.analysis.input_shapes import get_size_checks
from netc.compiler.analysis.where_checks import check_conditions
from netc.compiler.backends.backend import BackendInput
from netc.compiler.backends.torch import BACKEND
from netc.compiler.backends.torch.live.module import to_tensor
from netc.compiler.definitions.definition_graphs import MissingDefinition
from netc.compiler.definitions.expand_definitions import Definitions
from netc.compiler.dims import Facts, SymDim, evaluate_dim
from netc.compiler.ir.flat_evaluation import FlatEvaluator, RunStep
from netc.compiler.ir.flat_graph import FlatNode, FlatScan
from netc.compiler.ir.graph import Graph, OpNode, Program
from netc.compiler.ir.graph_values import Value
from netc.compiler.ops.attention import Attention
from netc.compiler.ops.constants import ParamOperator, TableOperator
from netc.compiler.ops.formula import Const, Formula
from netc.compiler.ops.formula_values import evaluate_formula
from netc.compiler.ops.multihead import MultiheadAttention
from netc.compiler.ops.operator import Operator
from netc.compiler.ops.parameter_of import ParameterOf
from netc.compiler.ranges import ParameterReader, StageKey
from netc.compiler.types.numpy_types import Array, numpy_dtype
from netc.compiler.types.tensor_types import TensorType
from netc.compiler.types.traced_ints import strip_formulas
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span
from netc.dsl.trees import rewrite_upward

from .multihead_scores import measure_scores


class StageFailed(Exception):
    """PyTorch cannot compute a stage on the data."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"`{path}` fails on the calibration data: {why.splitlines()[0] if why else 'PyTorch gives no reason'}")


class StageMeasure(Record):
    """The largest absolute values of a stage. `largest` is that of its results; infinite if the stage makes NaN or infinities of finite
    inputs. `inner` is that of the numbers inside, such as the scores of attention; 0 if there are none to measure."""

    largest: float = 0.0
    inner: float = 0.0

    def __or__(self, other: StageMeasure) -> StageMeasure:
        """The measure of two runs."""
        return StageMeasure(max(self.largest, other.largest), max(self.inner, other.inner))


def measure_ranges(program: Program, weights: Mapping[str, Array], batches: Iterable[Mapping[str, Array]]) -> dict[StageKey, StageMeasure]:
    """Measure each stage over all batches.

    Args:
        program: A checked program.
        weights: The parameters and buffers by their keys in the state dict.
        batches: The inputs by name, of sizes that the program accepts.

    Returns:
        A measure for each operator that evaluation needs, in the order of computation.

    Raises:
        StageFailed: PyTorch cannot compute a stage on the data.
        UnsupportedByTarget: PyTorch cannot compute a stage at all.
    """
    runner = _StageRunner(program, ParameterReader(program, weights))
    with torch.no_grad():
        for batch in batches:
            runner.run_batch(batch)
    return runner.measures


class _StageRunner(FlatEvaluator[torch.Tensor]):
    """Runs graphs with tensors, and measures the results of each operator."""

    def __init__(self, program: Program, reader: ParameterReader, sizes: Mapping[str, int] | None = None) -> None:
        self.program, self.reader = program, reader
        self.sizes: Mapping[str, int] = sizes or {}
        self.definitions = Definitions(program.facts)
        self.measures: dict[StageKey, StageMeasure] = {}
        self.modules: dict[tuple[Operator, tuple[TensorType, ...]], torch.nn.Module] = {}

    def run_batch(self, batch: Mapping[str, Array]) -> None:
        checks = get_size_checks(self.program)
        self.sizes = check_conditions(checks.inputs, checks.dims, checks.conditions, {name: array.shape for name, array in batch.items()})
        self.evaluate_graph(self.program.main, [to_tensor(batch[value.name]) for value in self.program.main.inputs])

    def evaluate_operator(self, item: FlatNode, inputs: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        results = self._compute_results(item, inputs)
        measure = StageMeasure(_measure_results(item.node.op, inputs, results), self._measure_inside(item, inputs))
        key = item.path, item.outputs
        self.measures[key] = self.measures.get(key, StageMeasure()) | measure
        return results

    def _compute_results(self, item: FlatNode, inputs: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        node = item.node
        match node.op:
            case ParamOperator() | ParameterOf():
                return [self._read_parameter(item, "")]
            case TableOperator() as table:
                # A table with a label is a buffer, whose numbers a checkpoint may change.
                stored = self.reader.read(self.reader.find_key(item, ""))
                return [self._compute_table(table, node.outputs[0].type) if stored is None else to_tensor(stored)]
        op = concretize_operator(node.op, self.sizes)
        types = tuple(TensorType(value.type.dtype, tuple(tensor.shape)) for value, tensor in zip(node.inputs, inputs, strict=True))
        module = self.modules.get((op, types))
        if module is None:
            module = self.modules[op, types] = _make_module(op, types)
        for name, target in module.state_dict().items():
            target.copy_(self._read_parameter(item, name.removeprefix(_PREFIX)))
        try:
            results = module(*inputs)
        except (IndexError, RuntimeError) as error:  # what PyTorch raises for an index beyond a table, or too little memory
            raise StageFailed(item.path, str(error)) from error
        # A result that nothing uses, such as the weights of `multihead_attention`, is not part of the model.
        return results[: len(node.outputs)] if isinstance(results, tuple) else (results,)

    def _read_parameter(self, item: FlatNode, name: str) -> torch.Tensor:
        array = self.reader.read(self.reader.find_key(item, name))
        assert array is not None
        return to_tensor(array)

    def _compute_table(self, op: TableOperator, type: TensorType) -> torch.Tensor:
        shape = tuple(_concretize(size, self.sizes) for size in op.shape)
        array = evaluate_formula(_concretize(op.formula, self.sizes), shape)
        return to_tensor(array.astype(numpy_dtype(type.dtype)))

    def _measure_inside(self, item: FlatNode, inputs: Sequence[torch.Tensor]) -> float:
        """Measure the scores inside of attention."""
        match item.node.op:
            case Attention():
                return self._measure_products(item, inputs)
            case MultiheadAttention() as op:
                given = op.bind_inputs(tuple(value.type for value in item.node.inputs), self.program.facts)
                parameters = {spec.name: self._read_parameter(item, spec.name) for spec in item.node.specs}
                return measure_scores(op, dict(zip(given.names, inputs, strict=True)), parameters)
        return 0.0

    def _measure_products(self, item: FlatNode, inputs: Sequence[torch.Tensor]) -> float:
        """Measure the products inside of an operator, by its definition."""
        try:
            graph = self.definitions.get_definition(item.node)
        except MissingDefinition:
            return 0.0
        inside = _StageRunner(self.program, self.reader, self.sizes)
        inside.modules = self.modules
        paths: dict[str, OpNode] = {node.label: node for node in graph.nodes if isinstance(node, OpNode)}
        inside.evaluate_graph(graph, inputs)
        products = [measure.largest for (path, _), measure in inside.measures.items() if path in paths and paths[path].op.name == "matmul"]
        return max(products, default=0.0)

    def evaluate_loop(self, item: FlatScan, inputs: Sequence[torch.Tensor], run_step: RunStep[torch.Tensor]) -> Sequence[torch.Tensor]:
        scan = item.node.scan
        assert scan is not None
        states, scanned = list(inputs[: scan.states]), inputs[scan.states :]
        length = int(evaluate_dim(scan.length, self.sizes))
        stacked: list[list[torch.Tensor]] = [[] for _ in scan.stacked]
        for position in range(length)[:: -1 if scan.reverse else 1]:
            outputs = run_step([*states, *(x.select(axis, position) for x, axis in zip(scanned, scan.axes, strict=True))])
            states = outputs[: scan.states]
            for collected, result in zip(stacked, outputs[scan.states :], strict=True):
                collected.append(result)
        ordered = [results[::-1] if scan.reverse else results for results in stacked]
        return [*states, *(torch.stack(results, axis) for results, axis in zip(ordered, scan.stacked, strict=True))]


def _measure_results(op: Operator, inputs: Sequence[torch.Tensor], results: Sequence[torch.Tensor]) -> float:
    """Return the largest finite absolute value, or infinity if the operator makes other numbers of finite inputs by itself."""
    largest = 0.0
    for result in results:
        if not result.is_floating_point() or not result.numel():
            continue
        finite = torch.isfinite(result)
        is_meant = not inputs or any(isinstance(n, float) and isinf(n) for n in op.numbers)
        if not finite.all() and not is_meant and all(bool(torch.isfinite(x).all()) for x in inputs):
            return float("inf")
        largest = max(largest, float(torch.where(finite, result, 0).abs().max()))
    return largest


_LABEL = "stage"
_PREFIX = f"{_LABEL}."


def _make_module(op: Operator, types: tuple[TensorType, ...]) -> torch.nn.Module:
    """Make the module of a program with one operator."""
    given = op.bind_inputs(types, Facts.empty())
    span = Span(SourceFile(_LABEL, ""), 0, 0)
    graph = Graph("stage", "model", span)
    graph.inputs = [Value(type, span, f"x{index}") for index, type in enumerate(types)]
    outputs = tuple(Value(type, span) for type in op.check_and_infer(given))
    graph.nodes = [OpNode(op, tuple(graph.inputs), outputs, _LABEL, span, op.parameters(given))]
    graph.outputs, graph.output_names, graph.size = list(outputs), [f"y{index}" for index in range(len(outputs))], 1
    program = Program(graph, Facts.empty(), ())
    return BACKEND.module(BackendInput(program, "stage")).eval()


def concretize_operator(op: Operator, sizes: Mapping[str, int]) -> Operator:
    """Return the operator with plain numbers in place of sizes that are known at run time."""
    return type(op)(**{name: _concretize(value, sizes) for name, value in op.args.items()})


def _concretize(value: Any, sizes: Mapping[str, int]) -> Any:
    match strip_formulas(value):
        case SymDim() as size:
            return int(evaluate_dim(size, sizes))
        case tuple() as items:
            return tuple(_concretize(item, sizes) for item in items)
        case Const(number, name):
            return Const(_concretize(number, sizes), name)
        case Formula() as formula:
            return rewrite_upward(formula, lambda part: _concretize(part, sizes) if isinstance(part, Const) else None)
        case plain:
            return plain
