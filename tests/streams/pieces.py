"""A model in pieces of random lengths, held against the whole sequence.

In: a model, the dimension of its stream, and sizes of the others. Out: nothing, or an assertion with the greatest difference. The whole is
computed by the model's PyTorch module; the pieces by the stream in PyTorch and in ONNX Runtime, with the same weights.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

import netc
from netc.compiler.dims import evaluate_dim, free_symbols
from netc.compiler.ir.verify import verify_program
from netc.compiler.types.tensor_types import TensorType

CLOSE = 1e-5


def drawn(model: netc.Model, sizes: Mapping[str, int], seed: int, kinds: int) -> dict[str, Any]:
    """Inputs of those sizes; integers are less than `kinds`."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, type_ in model.inputs.items():
        shape = [d if isinstance(d, int) else evaluate_dim(d, sizes) for d in type_.shape]
        if type_.dtype.kind == "bool":
            array: Any = rng.random(shape) > 0.3
        elif type_.dtype.is_float:
            array = rng.standard_normal(shape).astype(type_.dtype.name)
        else:
            array = rng.integers(0, kinds, shape).astype(type_.dtype.name)
        found[name] = torch.from_numpy(np.asarray(array))
    return found


def axis_of(type_: TensorType, dimension: str) -> int | None:
    """The axis that is the stream."""
    return next((axis for axis, d in enumerate(type_.shape) if dimension in free_symbols(d)), None)


def lengths(total: int, seed: int, every: int = 1) -> Iterator[list[int]]:
    """Several ways to cut a sequence: into pieces of `every` position, not at all, and at random into multiples of that."""
    yield [every] * (total // every)
    yield [total]
    rng = random.Random(seed)
    for _ in range(2):
        found: list[int] = []
        while sum(found) < total:
            found.append(min(rng.randint(1, 7) * every, total - sum(found)))
        yield found


def of_whole(model: netc.Model, given: Mapping[str, Any], weights: Mapping[str, Any]) -> dict[str, Any]:
    module = model.module(weights).eval()
    with torch.no_grad():
        made = module(*given.values())
    return dict(zip(model.outputs, made if isinstance(made, tuple) else [made], strict=True))


def in_pieces(
    model: netc.Model, run: Any, given: Mapping[str, Any], cuts: list[int], dimension: str, flush: bool = False
) -> dict[str, Any]:
    """The outputs of all pieces and of the flush, joined; of an output without positions, the last."""
    axes = {name: axis_of(type_, dimension) for name, type_ in model.inputs.items()}
    state = run.begin(**{name: given[name] for name in model.inputs if axes[name] is None and name in run.begins_with})
    at, found = 0, {name: list[Any]() for name in model.outputs}
    for cut in cuts:
        pieces = {n: given[n].narrow(axis, at, cut) for n, axis in axes.items() if axis is not None}
        results, state = run(state, **pieces)
        at += cut
        for name, value in results.items():
            found[name].append(torch.as_tensor(np.asarray(value)))
    for name, value in (run.flush(state) if flush else {}).items():
        found[name].append(torch.as_tensor(np.asarray(value)))
    joined = {n: axis_of(type_, dimension) for n, type_ in model.outputs.items()}
    return {n: found[n][-1] if axis is None else torch.cat(found[n], axis) for n, axis in joined.items()}


def same_in_pieces(
    model: netc.Model,
    dimension: str = "T",
    total: int = 19,
    sizes: Mapping[str, int] | None = None,
    *,
    kinds: int = 8,
    seed: int = 0,
    every: int = 1,
    change: Callable[[dict[str, Any]], None] | None = None,
    close: float = CLOSE,
    targets: tuple[str, ...] = ("module", "session"),
    lookahead: int = 0,
) -> netc.ModelStream:
    """Asserts that pieces of multiples of `every` position give what the whole gives. `change` may change the inputs."""
    stream = model.stream(dimension, lookahead)
    for program in (stream.step, stream.start, stream.flush):
        if program is not None:
            verify_program(program)
    torch.manual_seed(seed)
    weights = model.module().state_dict()
    given = drawn(model, {"N": 2, "S": 5, dimension: total, **(sizes or {})}, seed, kinds)
    if change is not None:
        change(given)
    whole = of_whole(model, given, weights)
    for target in targets:
        run = getattr(stream, target)(weights)
        for cuts in lengths(total, seed, every):
            found = in_pieces(model, run, given, cuts, dimension, lookahead > 0)
            for name, value in whole.items():
                assert found[name].shape == value.shape, (target, cuts, name)
                what = f"{name} of {target}, in {cuts}: "
                torch.testing.assert_close(found[name], value, rtol=close, atol=close, equal_nan=True, msg=what.__add__)
    return stream
