"""Run a model with other values at positions that must not matter, and find the elements of outputs that change.

In: a model, a derivation about its positions, and a seed. Out: the first element of each output that differs, or that depends on two
groups, by runtime. Always: inputs, masks and weights are random, masks have a visible position in each row, and what the proof assumes of
masks holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from netc.compiler.dims import evaluate_dim
from netc.compiler.proofs.abstract_tensors import AbstractTensor
from netc.compiler.proofs.position_axes import list_places
from netc.compiler.proofs.position_relations import Hidden
from netc.compiler.weights.initial import draw_initial_values
from netc.dsl.record import Record

from ..importing.proof import NOISE, perturb_weight
from ..importing.run_targets import make_onnx_run, make_torch_run
from ..inputs.random_inputs import choose_varied_shapes, draw_array

if TYPE_CHECKING:
    from netc.compiler.proofs import Derivation
    from netc.compiler.types.numpy_types import Array

    from ..model import Model

    Run = Callable[[list[Array]], list[Array]]

TRIES = 20
_GROUPS = 3
"""The number of groups that are drawn, such as documents."""
_SPREAD = 3
"""The standard deviation of changed values, so that they are larger than the others."""


class Difference(Record):
    """An element of an output that a change of hidden values has changed."""

    runtime: str
    element: str
    before: float
    after: float


class Confirmation(Record):
    """`differences` has the first difference of each output that changed. `runtimes` are those that ran, `failures` says why others did
    not."""

    differences: Mapping[str, Difference]
    runtimes: tuple[str, ...]
    failures: tuple[str, ...]


RUNTIMES: Mapping[str, Callable[[Model, Mapping[str, Array]], Run]] = {"PyTorch": make_torch_run, "ONNX Runtime": make_onnx_run}


def change_hidden_values(
    model: Model, derivation: Derivation, seed: int = 0, tries: int = TRIES, runtimes: Collection[str] = tuple(RUNTIMES)
) -> Confirmation:
    """Change hidden values at random, several times, in each of the runtimes.

    Raises `NoSizes` if no sizes satisfy the conditions of the spec.
    """
    generator = np.random.default_rng(seed)
    weights = _draw_weights(model, generator)
    cases = list(_draw_cases(model, derivation, generator, tries))
    differences: dict[str, Difference] = {}
    ran, failures = list[str](), list[str]()
    for runtime in runtimes:
        try:
            found = _compare_runs(model, RUNTIMES[runtime](model, weights), cases, runtime)
        except Exception as error:  # the runtimes raise exceptions of many kinds
            failures.append(f"{runtime} fails: {' '.join(str(error).split())[:200]}")
            continue
        ran.append(runtime)
        differences = found | differences
    return Confirmation(differences, tuple(ran), tuple(failures))


def _draw_weights(model: Model, generator: np.random.Generator) -> dict[str, Array]:
    """Draw weights near the initial ones, none of which is 0, since a weight of 0 would hide a leak."""
    drawn = draw_initial_values(model.parameters, int(generator.integers(2**31)))
    changed = {key: perturb_weight(key, array, generator, NOISE) for key, array in drawn.items()}
    return {key: changed[model.parameters[key].tied_to or key] for key in changed}


class _Case(Record):
    """Inputs, the same with other hidden values, and for each output whether an element must stay. `shown_changed`: of groups, the inputs
    with other values in the group that stays. An element that both changes reach depends on two groups."""

    inputs: list[Array]
    changed: list[Array]
    kept: list[Array]
    shown_changed: list[Array] | None = None


def _draw_cases(model: Model, derivation: Derivation, generator: np.random.Generator, tries: int) -> Iterator[_Case]:
    choices = choose_varied_shapes(model.program, 2)
    for number in range(tries):
        sizes, shapes = choices[number % len(choices)]
        yield _draw_case(model, derivation, generator, sizes, shapes)


def _draw_case(
    model: Model,
    derivation: Derivation,
    generator: np.random.Generator,
    sizes: Mapping[str, int],
    shapes: Mapping[str, tuple[int, ...]],
) -> _Case:
    setting = derivation.setting
    labels = _draw_labels(derivation, tuple(evaluate_dim(size, sizes) for size in setting.shape), generator)
    # Of groups, one is kept, and the positions of all others change.
    is_hidden = isinstance(setting.relation, Hidden)
    shown = labels.astype(bool) if is_hidden else labels == generator.choice(labels.reshape(-1))
    places = shown.reshape([labels.shape[axis] for axis in setting.roles])  # without axes of size 1
    arrays = {name: draw_array(type_.dtype, shapes[name], generator) for name, type_ in model.inputs.items()}
    if setting.mask is not None:
        arrays[setting.mask.name] = labels.astype(arrays[setting.mask.name].dtype)
    changed, shown_changed = dict(arrays), dict(arrays)
    roles = len(setting.roles)
    for name in derivation.covered:
        array = arrays[name]
        marks = mark_elements(derivation.inputs[name], sizes, places, roles)
        # Of an element of several positions, one hidden position is enough; of an element of several groups, all must be others.
        stays = np.logical_and.reduce(marks) if is_hidden else np.logical_or.reduce(marks)
        other = draw_array(model.inputs[name].dtype, array.shape, generator)
        larger = (other * _SPREAD).astype(array.dtype) if model.inputs[name].dtype.is_float else other
        changed[name] = np.where(stays, array, larger).astype(array.dtype)
        shown_changed[name] = np.where(stays, larger, array).astype(array.dtype)
    outputs = [mark_elements(tensor, sizes, places, roles) for tensor in derivation.outputs.values()]
    # An element without positions belongs to all that is shown.
    kept: list[Array] = [np.asarray(np.logical_and.reduce(marks)) if marks else np.asarray(True) for marks in outputs]
    return _Case(list(arrays.values()), list(changed.values()), kept, None if is_hidden else list(shown_changed.values()))


def _draw_labels(derivation: Derivation, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    if derivation.setting.mask is None:
        return np.arange(prod(shape)).reshape(shape)
    if not isinstance(derivation.setting.relation, Hidden):
        return np.asarray(generator.integers(0, _GROUPS, shape))
    if derivation.setting.relation.ordered:
        lengths = generator.integers(1, shape[-1] + 1, shape[:-1])
        return np.asarray(np.arange(shape[-1]) < lengths[..., np.newaxis])
    mask = generator.random(shape) < generator.choice([0.3, 0.5, 0.8])
    rows = mask.reshape(-1, shape[-1])
    rows[np.arange(len(rows)), generator.integers(0, shape[-1], len(rows))] = True
    if derivation.first_visible:
        rows[:, 0] = True
    return np.asarray(rows.reshape(shape))


def mark_elements(tensor: AbstractTensor, sizes: Mapping[str, int], shown: Array, roles: int) -> list[Array]:
    """Return, for each reference of a tensor to a position, an array that says whether the position of an element is shown."""
    flat = [(axis, inner) for axis, factors in enumerate(tensor.axes) for inner, _ in enumerate(factors)]
    counts = [evaluate_dim(tensor.axes[axis][inner].size, sizes) for axis, inner in flat]
    whole = tuple(prod(evaluate_dim(factor.size, sizes) for factor in axis) for axis in tensor.axes)
    marks: list[Array] = []
    for reference in list_places(tensor.axes, roles):
        places = [flat.index(place) for place in reference]
        # A slice from the first position on has fewer positions. Elements around the positions are shown.
        factors = [tensor.axes[axis][inner] for axis, inner in reference]
        ends = [(f.front, max(counts[place] - f.front - size, 0)) for f, place, size in zip(factors, places, shown.shape, strict=True)]
        wider = np.pad(shown, ends, constant_values=True)
        cut = wider[tuple(slice(0, counts[place]) for place in places)]
        order = np.argsort(places)
        wide = [counts[place] if place in places else 1 for place in range(len(flat))]
        marks.append(np.broadcast_to(cut.transpose(order).reshape(wide), counts).reshape(whole))
    return marks


def _compare_runs(model: Model, run: Run, cases: list[_Case], runtime: str) -> dict[str, Difference]:
    found: dict[str, Difference] = {}
    for case in cases:
        before, after = run(case.inputs), run(case.changed)
        others = before if case.shown_changed is None else run(case.shown_changed)
        for name, a, b, c, kept in zip(model.outputs, before, after, others, case.kept, strict=True):
            places = np.argwhere(_differs(a, b) & (np.broadcast_to(kept, a.shape) | _differs(a, c)))
            if len(places) and name not in found:
                place = tuple(int(index) for index in places[0])
                found[name] = Difference(runtime, f"{name}[{', '.join(map(str, place))}]", float(a[place]), float(b[place]))
    return found


def _differs(a: Array, b: Array) -> Array:
    return np.asarray((a != b) & ((a == a) | (b == b)))
