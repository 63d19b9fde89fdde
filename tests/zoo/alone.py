"""A block of a model by itself: the judge of its emitted class.

In: a model, and the graph of one of its blocks as the model uses it. Out: the integers that the block depends on, and for other values of
them the model that is this block alone, elaborated from the block's own text. Always: nothing is taken from the emitted source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.small import SPECS, Small

import netc
from netc.compiler.dims import SymDim, evaluate_dim, free_symbols
from netc.compiler.elaborate.elaboration_session import ElaborationSession
from netc.compiler.elaborate.program.build_program import build_program
from netc.compiler.elaborate.program.file_definitions import FileDefinitions
from netc.compiler.elaborate.program.model_selection import select_model
from netc.compiler.elaborate.scopes.compile_time_values import ConstExpr
from netc.compiler.elaborate.scopes.scope import Scope, StageClosure
from netc.compiler.ir.graph import Graph
from netc.compiler.ir.graph_values import Value, ValueTuple
from netc.compiler.types.tensor_types import BATCH, TensorType
from netc.compiler.types.traced_ints import IS, Decision, TracedInt, formula_symbols, is_opaque, strip_formulas
from netc.dsl.parser import parse_source
from netc.dsl.record import replace
from netc.dsl.source import SourceFile
from netc.files.spec_loader import SpecLoader

Sizes = Mapping[str, int]
"""Integers by their symbols in a graph."""
LABEL = "block"


class Elaborated:
    """A model, with what its blocks need to be elaborated again: the scopes of its files, and its `default`s."""

    def __init__(self, small: Small) -> None:
        path = SPECS / small.spec
        source = SourceFile(str(path), path.read_text(encoding="utf-8"))
        file, _ = parse_source(source)
        self._session = ElaborationSession(SpecLoader(source, str(path)))
        definitions = FileDefinitions(file, source)
        files = definitions.file_scope(self._session)
        selected = select_model(definitions, files, small.model, self._session)
        assert selected is not None
        program = build_program(selected, files, {n: _as_tuple(v) for n, v in small.params.items()}, {}, self._session)
        assert program is not None
        self.model = netc.Model(program)

    def alone(self, graph: Graph, sizes: Sizes, run_time: Sizes, repeated: int = 1) -> netc.Model | None:
        """The block of a graph with other integers, as a model that uses it under `LABEL`; None if netc refuses it.

        `run_time`: sizes for those dimensions of its inputs that are computed from others. `repeated`: how often in a row it is used.
        """
        scope = Scope(self._session.files[graph.span.file.name], None)
        for name, value in graph.arguments.items():
            scope.bind_name(f"given_{name}", _argument(graph, name, value, sizes))
        inputs = [_type(graph, value, sizes, run_time) for value in graph.inputs[: len(graph.inputs) - graph.captures]]
        lines = [f"x{index} = input {_written(type_)}" for index, type_ in enumerate(inputs)]
        use = " ".join([graph.name, *(f"{name}=given_{name}" for name in graph.arguments)])
        stage = f"{use} as {LABEL}" if repeated == 1 else f"repeat {repeated} as {LABEL} {{ {use} }}"
        lines.append(f"({', '.join(f'x{index}' for index in range(len(inputs)))}) -> {stage}")
        return self._compiled("\n".join(lines), scope)

    def _compiled(self, text: str, scope: Scope) -> netc.Model | None:
        source = SourceFile("alone.net", text)
        file, problems = parse_source(source)
        assert not problems, text
        session = ElaborationSession()
        session.defaults = dict(self._session.defaults)
        selected = select_model(FileDefinitions(file, source), scope, None, session)
        assert selected is not None
        program = build_program(selected, scope, {}, {}, session)
        return None if program is None or session.has_failed else netc.Model(program)


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def unchanged(graph: Graph, sizes: Sizes) -> bool:
    """Whether what is decided in the graph is decided alike with other integers."""
    return all(_holds(made, sizes) for made in graph.decisions)


def changed(graph: Graph, sizes: Sizes, symbol: str, value: int) -> Sizes:
    """The integers with another one for a symbol. The sum over the tensors of a tuple changes with the last one's size."""
    made = {**sizes, symbol: value}
    one = graph.origins[symbol]
    if isinstance(one.input, ValueTuple) and one.input.values:
        last = _symbol(graph, one.input.values[-1], one.axis)
        made[last] = made.get(last, 0) + value - sizes[symbol]
    for name, origin in graph.origins.items():
        if isinstance(origin.value, TracedInt):
            made[name] = evaluate_dim(origin.value.origin, made)
        elif isinstance(origin.input, ValueTuple):
            own = [_symbol(graph, v, origin.axis) for v in origin.input.values]
            made[name] = sum(made.get(n, int(v.type.shape[origin.axis])) for n, v in zip(own, origin.input.values, strict=True))
    return made


def _symbol(graph: Graph, value: Value, axis: int) -> str:
    """That of the size of an axis; empty for one that has none."""
    return next((name for name, origin in graph.origins.items() if origin.input is value and origin.axis == axis), "")


def _holds(made: Decision, sizes: Sizes) -> bool:
    if made.op == IS:
        return not formula_symbols(made.left) & sizes.keys()
    if is_opaque(made.left) or is_opaque(made.right):
        return True
    named = formula_symbols(made.left) | formula_symbols(made.right)
    if not named <= sizes.keys():  # a size that is known at run time only was compared
        return not named & sizes.keys()
    left, right = (evaluate_dim(side, dict(sizes)) for side in (made.left, made.right))
    if made.op == "|":
        return right % left == 0
    return {"==": left == right, "!=": left != right, "<": left < right, "<=": left <= right}[made.op]


def _argument(graph: Graph, name: str, value: Any, sizes: Sizes) -> Any:
    """A compile-time argument with its integers replaced."""
    for symbol, origin in graph.origins.items():
        if origin.input is None and origin.name == name and symbol in sizes:
            if origin.index is None:
                return sizes[symbol]
            value = (*value[: origin.index], sizes[symbol], *value[origin.index + 1 :])
    return _plain(value)


def _plain(value: Any) -> Any:
    """The value without formulas, which are of graphs that are not there: those in the arguments of a stage too."""
    match value:
        case StageClosure(positional=positional, keywords=keywords):
            given = tuple(replace(k, value=_plain(k.value)) for k in keywords)
            return replace(value, positional=tuple(map(_plain, positional)), keywords=given)
        case ConstExpr():
            return replace(value, value=_plain(value.value))
    return strip_formulas(value)


def _type(graph: Graph, value: Value, sizes: Sizes, run_time: Sizes) -> TensorType:
    """The type of an input with its integers replaced."""
    shape = list(value.type.shape)
    compound = any(isinstance(d, SymDim) and str(d) not in free_symbols(d) for v in graph.inputs for d in v.type.shape)
    for axis, dim in enumerate(shape):
        if isinstance(dim, SymDim):
            shape[axis] = evaluate_dim(dim, dict(run_time)) if compound and str(dim) != BATCH else dim
        else:
            shape[axis] = int(dim)
    for symbol, origin in graph.origins.items():
        if origin.input is value and symbol in sizes:
            shape[origin.axis] = sizes[symbol]
    return value.type.with_shape(tuple(shape))


def _written(type_: TensorType) -> str:
    batched = bool(type_.shape) and str(type_.shape[0]) == BATCH
    shape = ", ".join(map(str, type_.shape[1:] if batched else type_.shape))
    return f"[{shape}] {type_.dtype}" + ("" if batched else " batch=false")
