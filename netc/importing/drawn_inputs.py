"""The inputs with which an import is proved, and what the original gives for them.

In: a model, its origin, the shapes of the inputs, weights and a generator. Out: inputs, and results. Always: inputs are drawn, so that
nothing that the examples have in common is taken for a rule; where the original takes no drawn integers, they are those of its examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    """Inputs, and what the origin makes of them. What it makes of masks that leave nothing is NaN, or is not, by the kernel that PyTorch
    chooses: so integers and booleans are drawn until the results are finite, the first ones otherwise."""
    inputs = [draw_array(t.dtype, shapes[name], generator) for name, t in model.inputs.items()]
    if not all(map(is_float, inputs)) and divides_integers(model.program):
        inputs = [a + np.asarray(1, a.dtype) if a.dtype.kind in "iu" else a for a in inputs]
    inputs, expected = _run_first(origin, [inputs, *_other_choices(inputs, origin.examples)], weights)
    if all(map(is_float, inputs)):
        return inputs, expected
    drawn, made = inputs, expected
    for share in _SHARES:
        if all(bool(np.isfinite(array).all()) for array in made if is_float(array)):
            return drawn, made
        drawn = [a if is_float(a) else (generator.random(a.shape) < share).astype(a.dtype) for a in inputs]
        made = origin.run(drawn, weights)
    return inputs, expected


def _run_first(origin: Origin, choices: Sequence[list[Array]], weights: Mapping[str, Array]) -> tuple[list[Array], list[Array]]:
    """The first inputs that the origin takes, with its results. Raises `ImportFailed` if it takes none, with what it says of the first."""
    refused: ImportFailed | None = None
    for inputs in choices:
        try:
            return inputs, origin.run(inputs, weights)
        except ImportFailed as failed:
            refused = refused or failed
    assert refused is not None
    raise refused


def _other_choices(inputs: list[Array], examples: Sequence[Array]) -> Iterator[list[Array]]:
    """Other inputs for an origin that refuses those that were drawn: what the examples have, then zeros in place of the integers of one
    input, then of all of them. A table of one row has no index 1."""
    yield from _from_examples(inputs, examples)
    integers = tuple(at for at, one in enumerate(inputs) if one.dtype.kind in "iu")
    choices = dict.fromkeys((*((at,) for at in integers), integers)) if integers else ()
    for zeroed in choices:
        yield [np.zeros_like(one) if at in zeroed else one for at, one in enumerate(inputs)]


def _from_examples(inputs: list[Array], examples: Sequence[Array]) -> Iterator[list[Array]]:
    """The inputs with the integers and booleans of the examples: the four numbers of a box are indices of tables, and so is the difference
    of two of them, which must not be negative. Then the examples themselves, as floats have limits too."""
    if len(examples) != len(inputs) or not all(example.size for example in examples):
        return
    repeated = [_repeated(example, one.shape) for one, example in zip(inputs, examples, strict=True)]
    if not all(map(is_float, inputs)):
        yield [one if is_float(one) else example for one, example in zip(inputs, repeated, strict=True)]
    yield repeated


def _repeated(example: Array, shape: tuple[int, ...]) -> Array:
    """The example in another size: along each axis it begins again."""
    for axis, size in enumerate(shape):
        example = np.take(example, np.arange(size), axis, mode="wrap")
    return example


# Finds divisions of integers by tensors: the proof of an import must not draw 0 for a divisor, since every runtime treats it differently.
# In: a program. Out: whether any of its graphs has a division or a remainder with an integer tensor as the divisor.


_DIVISIONS = ("div", "floor_div", "remainder", "fmod")


def divides_integers(program: Program) -> bool:
    """Whether a graph of the program divides integers by a tensor."""
    return any(_has_integer_divisor(node, graph) for graph in collect_graphs(program.main) for node in graph.nodes)


def _has_integer_divisor(node: Node, graph: Graph) -> bool:
    if not isinstance(node, OpNode) or node.op.name not in _DIVISIONS or len(node.inputs) < 2:
        return False
    divisor = node.inputs[1]
    if not divisor.type.dtype.is_float:
        return True
    # The importer of ONNX divides integers as float64.
    maker = next((one for one in graph.nodes if any(value is divisor for value in one.outputs)), None)
    return isinstance(maker, OpNode) and maker.op.name == "cast" and maker.inputs[0].type.dtype.kind == "int"
