"""Draws the inputs with which an import is proved, and runs the original on them.

In: a model, its origin, the shapes of the inputs, weights and a generator. Out: inputs, and the original's results. Always: inputs are
drawn, so that the proof does not depend on what the examples have in common. If the original refuses drawn integers, the examples' integers
are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.ir.graph import Node, OpNode
from netc.compiler.ir.walk import collect_graphs
from netc.compiler.types.numpy_types import is_float

from ..inputs.random_inputs import draw_array
from .origin import Origin

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Graph, Program
    from netc.compiler.types.numpy_types import Array

    from ..model import Model

_SHARES = (0.5, 0.25, 0.75, 0.1, 0.9, 0.0, 1.0)


def draw_and_run(
    model: Model, origin: Origin, shapes: Mapping[str, tuple[int, ...]], weights: Mapping[str, Array], generator: np.random.Generator
) -> tuple[list[Array], list[Array]]:
    """Draw inputs, and return them with the origin's results.

    If a mask hides all keys of a query, PyTorch gives NaN or not, depending on the kernel that it chooses. So integers and booleans are
    drawn again until the results are finite. If they never are, the first inputs are used.
    """
    inputs = [draw_array(t.dtype, shapes[name], generator) for name, t in model.inputs.items()]
    if not all(map(is_float, inputs)) and divides_integers(model.program):
        # Drawn integers begin at 0, and every runtime treats a division of integers by 0 in another way.
        inputs = [a + np.asarray(1, a.dtype) if a.dtype.kind in "iu" else a for a in inputs]
    if _unpools(model.program):
        inputs = [_draw_distinct(a, generator) if a.dtype.kind in "iu" and a.ndim > 2 else a for a in inputs]
    inputs, expected = _run_first(origin, [inputs, *_list_other_choices(inputs, origin.examples)], weights)
    if all(map(is_float, inputs)):
        return inputs, expected
    drawn, results = inputs, expected
    # Masks that are true everywhere or nowhere come last: they prove least.
    for share in _SHARES:
        if all(bool(np.isfinite(array).all()) for array in results if is_float(array)):
            return drawn, results
        drawn = [a if is_float(a) else (generator.random(a.shape) < share).astype(a.dtype) for a in inputs]
        results = origin.run(drawn, weights)
    return inputs, expected


def _run_first(origin: Origin, choices: Sequence[list[Array]], weights: Mapping[str, Array]) -> tuple[list[Array], list[Array]]:
    """Return the first inputs that the origin accepts, with its results. Raises its first `ImportFailed` if it accepts none."""
    refused: ImportFailed | None = None
    for inputs in choices:
        try:
            return inputs, origin.run(inputs, weights)
        except ImportFailed as failed:
            refused = refused or failed
    assert refused is not None
    raise refused


def _list_other_choices(inputs: list[Array], examples: Sequence[Array]) -> Iterator[list[Array]]:
    """Yield other inputs for an origin that refuses the drawn ones.

    They have the integers of the examples, then zeros as the integers of one input, then of all, and then ones: a table of one row has no
    index 1, and a sequence of one element has the length 1.
    """
    yield from _take_from_examples(inputs, examples)
    integers = tuple(index for index, array in enumerate(inputs) if array.dtype.kind in "iu")
    choices = dict.fromkeys((*((index,) for index in integers), integers)) if integers else ()
    for number, replaced in product((0, 1), choices):
        yield [np.full_like(array, number) if index in replaced else array for index, array in enumerate(inputs)]


def _take_from_examples(inputs: list[Array], examples: Sequence[Array]) -> Iterator[list[Array]]:
    """Yield the inputs with the integers and booleans of the examples, and then the examples themselves, because floats have limits too.

    For example, the four numbers of a box are indices of tables, and so is the difference of two of them, which must not be negative.
    """
    if len(examples) != len(inputs) or not all(example.size for example in examples):
        return
    repeated = [_repeat_example(example, array.shape) for array, example in zip(inputs, examples, strict=True)]
    if not all(map(is_float, inputs)):
        yield [array if is_float(array) else example for array, example in zip(inputs, repeated, strict=True)]
    yield repeated


def _draw_distinct(array: Array, generator: np.random.Generator) -> Array:
    """Draw integers that differ within each plane. `max_unpool` has no order in which it writes two elements to one place."""
    planes = array.reshape(*array.shape[:2], -1)
    return generator.permuted(np.broadcast_to(np.arange(planes.shape[-1]), planes.shape), axis=-1).astype(array.dtype).reshape(array.shape)


def _repeat_example(example: Array, shape: tuple[int, ...]) -> Array:
    """Return an example in another size, by repeating it along each axis."""
    for axis, size in enumerate(shape):
        example = np.take(example, np.arange(size), axis, mode="wrap")
    return example


def _unpools(program: Program) -> bool:
    """Return whether a graph of the program undoes a max-pool."""
    return any(isinstance(node, OpNode) and node.op.name == "max_unpool" for graph in collect_graphs(program.main) for node in graph.nodes)


_DIVISIONS = ("div", "floor_div", "remainder", "fmod")


def divides_integers(program: Program) -> bool:
    """Return whether a graph of the program has a division or a remainder with an integer tensor as the divisor."""
    return any(_has_integer_divisor(node, graph) for graph in collect_graphs(program.main) for node in graph.nodes)


def _has_integer_divisor(node: Node, graph: Graph) -> bool:
    if not isinstance(node, OpNode) or node.op.name not in _DIVISIONS or len(node.inputs) < 2:
        return False
    divisor = node.inputs[1]
    if not divisor.type.dtype.is_float:
        return True
    # The importer of ONNX divides integers as float64.
    maker = next((candidate for candidate in graph.nodes if any(value is divisor for value in candidate.outputs)), None)
    return isinstance(maker, OpNode) and maker.op.name == "cast" and maker.inputs[0].type.dtype.kind == "int"
