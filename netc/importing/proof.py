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

if TYPE_CHECKING:
    from netc.compiler.ir.elements import Array

    from ..model import Model
    from .origin import Origin

LIMIT = 1e-5
"""The largest difference, of the largest absolute value of an output."""


class Proof(Record):
    """What was compared: the sizes of symbolic dimensions, and the largest difference in each target, relative to the largest output."""

    sizes: tuple[Mapping[str, int], ...]
    differences: Mapping[str, float]


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
    for found, shapes in several_shapes(model.program, sizes):
        inputs = [random_array(t.dtype, shapes[name], generator) for name, t in model.inputs.items()]
        expected = origin.run(inputs, weights)
        used.append(found)
        for target, run in targets.items():
            difference = _compare(target, run(inputs), expected, list(model.outputs), found)
            largest[target] = max(largest[target], difference)
    return Proof(tuple(used), largest)


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
    import torch

    module = model.module(weights).eval()

    def run(inputs: list[Array]) -> list[Array]:
        with torch.no_grad():
            made = module(*(torch.from_numpy(np.array(x)) for x in inputs))
        return [tensor.numpy() for tensor in _flat(made)]

    return run


def _flat(made: Any) -> Iterator[Any]:
    if isinstance(made, tuple | list):
        for one in made:
            yield from _flat(one)
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
        difference = _difference(own, other)
        if not difference <= LIMIT:
            raise NotProved(f"{where} differs by {difference:.2g} of its largest value")
        largest = max(largest, difference)
    return largest


def _difference(own: Array, other: Array) -> float:
    if not own.size:
        return 0.0
    if own.dtype.kind not in "fc":
        return 0.0 if np.array_equal(own, other) else 1.0
    a, b = own.astype(np.float64), other.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.isfinite(b)
    scale = max(float(np.max(np.abs(b[finite]), initial=0.0)), 1e-30)
    return float(np.max(np.where(same, 0.0, np.abs(a - b)), initial=0.0)) / scale if bool(np.all(same | finite)) else float("inf")
