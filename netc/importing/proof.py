"""The proof that a spec is the model that it was imported from.

In: the model compiled from the text, and its origin. Out: a `Proof`, or a `NotProved` that says what differs. Always: compared are the keys
and shapes of all parameters and buffers, and the outputs for two sizes of every symbolic dimension, in PyTorch and in ONNX Runtime; where
the origin can be given other weights, with some in which no two tensors are alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from netc.dsl.record import Record

from ..samples import random_array, several_shapes
from .differences import LIMIT, difference

if TYPE_CHECKING:
    from netc.compiler.ir.elements import Array

    from ..model import Model
    from .origin import Origin


class Proof(Record):
    """What was compared: the sizes of symbolic dimensions, and the largest difference in each target, relative to the largest output.
    `rounded` is that of the quantised model, if the origin is the float model that it stands for."""

    sizes: tuple[Mapping[str, int], ...]
    differences: Mapping[str, float]
    rounded: float | None = None


class NotProved(Exception):
    """The spec is not the model: `what` is a whole sentence."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def prove(model: Model, origin: Origin, seed: int = 0, sizes: int = 2) -> Proof:
    """Compares. Raises `NotProved`."""
    _compare_keys(model, origin)
    generator = np.random.default_rng(seed)
    weights = dict(origin.imported.weights)
    if origin.redrawn:
        weights = {key: _redrawn(key, array, generator) for key, array in weights.items()}
        weights |= {key: weights[info.tied_to] for key, info in model.parameters.items() if info.tied_to in weights and key in weights}
    targets = {"PyTorch": _torch(model, weights), "ONNX Runtime": _onnx(model, weights)}
    largest = dict.fromkeys(targets, 0.0)
    used: list[Mapping[str, int]] = []
    rounded: float | None = None
    for found, shapes in several_shapes(model.program, sizes):
        inputs = [random_array(t.dtype, shapes[name], generator) for name, t in model.inputs.items()]
        expected = origin.run(inputs, weights)
        used.append(found)
        if origin.rounded is not None:
            rounded = max(rounded or 0.0, _apart(origin.rounded(inputs, weights), expected))
        for target, run in targets.items():
            try:
                most = _compare(target, run(inputs), expected, list(model.outputs), found)
            except NotProved as error:
                raise _with_stage(error, model, origin, inputs, weights) from None
            largest[target] = max(largest[target], most)
    return Proof(tuple(used), largest, rounded)


def _apart(quantised: list[Array], expected: list[Array]) -> float:
    """How far the outputs of a quantised model are from the floats that it stands for; those that are no floats are left out."""
    pairs = [(q, e) for q, e in zip(quantised, expected, strict=True) if q.dtype == e.dtype and q.shape == e.shape]
    return max((difference(q, e) for q, e in pairs), default=0.0)


def _with_stage(error: NotProved, model: Model, origin: Origin, inputs: list[Array], weights: Mapping[str, Array]) -> NotProved:
    """The error, with the first stage that differs if the origin can say what its modules compute."""
    from .stages import calls_of, first_difference

    if origin.calls is None:
        return error
    module = model.module(weights).eval()
    own = calls_of(module, lambda: _called(module, inputs))
    stage = first_difference(origin.calls(inputs, weights), own)
    return NotProved(f"{error.what}; {stage}") if stage else error


def _compare_keys(model: Model, origin: Origin) -> None:
    shapes = {key: tuple(array.shape) for key, array in origin.imported.weights.items()}
    own = {key: tuple(info.shape) for key, info in model.parameters.items() if info.tied_to is None or key in shapes}
    if shapes == own:
        return
    differing = [key for key in {**shapes, **own} if shapes.get(key) != own.get(key)]
    shown = ", ".join(f"`{key}` is {_shown(own.get(key))} and was {_shown(shapes.get(key))}" for key in differing[:3])
    raise NotProved(f"{len(differing)} of {len(shapes)} parameters differ: {shown}")


def _shown(shape: tuple[Any, ...] | None) -> str:
    return "not there" if shape is None else str(list(shape))


def _redrawn(key: str, array: Array, generator: np.random.Generator) -> Array:
    """Numbers of the same order, so that parameters that begin as ones or zeros count."""
    if array.dtype.kind != "f":
        return array
    noise = generator.standard_normal(array.shape).astype(array.dtype)
    scale = float(np.std(array)) if array.size > 1 else 0.0
    if key.endswith("running_var"):
        return np.asarray(np.abs(array + np.asarray(0.2, array.dtype) * noise) + np.asarray(0.2, array.dtype), array.dtype)
    return np.asarray(array + np.asarray(scale or 0.1, array.dtype) * noise * np.asarray(0.5, array.dtype), array.dtype)


def _torch(model: Model, weights: Mapping[str, Array]) -> Any:
    module = model.module(weights).eval()

    return lambda inputs: [tensor.numpy() for tensor in flat_tensors(_called(module, inputs))]


def _called(module: Any, inputs: list[Array]) -> Any:
    import torch

    with torch.no_grad():
        return module(*(torch.from_numpy(np.array(x)) for x in inputs))


def flat_tensors(made: Any) -> Iterator[Any]:
    """The tensors that a module made, in order."""
    if isinstance(made, tuple | list):
        for one in made:
            yield from flat_tensors(one)
    else:
        yield made


def _onnx(model: Model, weights: Mapping[str, Array]) -> Any:
    session = model.session(weights)

    def run(inputs: list[Array]) -> list[Array]:
        made = session(*inputs)
        return list(made.values()) if isinstance(made, dict) else [made]

    return run


def _compare(target: str, found: list[Array], expected: list[Array], names: list[str], sizes: Mapping[str, int]) -> float:
    """The largest difference. Raises `NotProved` beyond the limit."""
    if len(found) != len(expected):
        raise NotProved(f"{target} gives {len(found)} outputs, and there were {len(expected)}")
    largest = 0.0
    for name, own, other in zip(names, found, expected, strict=True):
        where = f"`{name}` in {target} with " + ", ".join(f"{n}={s}" for n, s in sizes.items())
        if own.shape != other.shape or own.dtype != other.dtype:
            raise NotProved(f"{where} is {own.dtype} {list(own.shape)}, and was {other.dtype} {list(other.shape)}")
        found_one = difference(own, other)
        if not found_one <= LIMIT:
            raise NotProved(f"{where} differs by {found_one:.2g} of its largest value")
        largest = max(largest, found_one)
    return largest
