"""The proof that a spec is the model that it was imported from.

In: the model compiled from the text, and its origin. Out: a `Proof`, or a `NotProved` that says what differs. Always: compared are the keys
and shapes of all parameters and buffers, and the outputs for two sizes of every symbolic dimension, in PyTorch and in ONNX Runtime; where
the origin can be given other weights, with some in which no two tensors are alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from netc.compiler.types.numpy_types import is_float, to_array, to_tensor
from netc.dsl.record import Record

from ..inputs.random_inputs import choose_varied_shapes
from .array_difference import LIMIT, difference
from .drawn_inputs import draw_and_run
from .first_difference import calls_of, first_difference
from .float64_reference import NotEvaluated
from .memory_guard import require_memory
from .onnx_process import CRASHED

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

    from ..model import Model
    from .origin import Origin
    from .training_mode import Step


SLACK = 2.0
"""How much farther from float64 than the original a result may be, as its digits fall otherwise."""


KERNELS = 4.0
"""How much farther than rounding errors move a result it may be: exp, tanh and erf of good libraries are up to 4 digits in the last place
off, where a rounding error is at most one."""
_RUNS = 3
"""How many times rounding errors are drawn: those of one run may cancel, where an output has few numbers."""


WORST = 1e-2
"""How far the original may be from float64, or rounding errors may move that, for the distance to be a measure."""


class Proof(Record):
    """What was compared: the sizes of symbolic dimensions, and the largest difference in each target, relative to the largest output.
    `rounded` is that of the quantized model, if the origin is the float model that it represents. `inexact`: how far the origin is from
    itself in float64, where that was needed. `training` is the largest difference in a step of training, of the outputs and of the buffers
    after it, if the import has what the model does there. `skipped` says why ONNX Runtime is not among the targets, if it has no
    kernels for the model's types. `judge` says who ran the original, if its own runtime cannot."""

    sizes: tuple[Mapping[str, int], ...]
    differences: Mapping[str, float]
    rounded: float | None = None
    inexact: float = 0.0
    training: float | None = None
    skipped: str = ""
    judge: str = ""


class NoKernel(Exception):
    """ONNX Runtime cannot run the model: the text says what it lacks."""


class NotProved(Exception):
    """The spec is not the model: `what` is a whole sentence."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Unsteady(NotProved):
    """The original is so far from itself in float64, or rounding errors move it so far, that nothing is known."""


Sizes = tuple[Mapping[str, int], Mapping[str, tuple[int, ...]]]
"""Sizes of the symbolic dimensions, and the shapes of the inputs with them."""


def prove(model: Model, origin: Origin, seed: int = 0, sizes: int = 2, at: Sequence[Sizes] = ()) -> Proof:
    """Compares, for this number of sizes, or for those that are given. Where rounding errors are larger than the limit, a wrong model that
    differs by less could pass: so it must also pass with weights nearer to its own, with which most models are steadier. Raises
    `NotProved`."""
    _compare_keys(model, origin)
    try:
        proof = _prove_with_noise(model, origin, seed, sizes, at, NOISE)
    except Unsteady:
        if not origin.redrawn:
            raise
        return _prove_with_noise(model, origin, seed, sizes, at, LITTLE)
    if not proof.inexact or not origin.redrawn:
        return proof
    try:
        steadier = _prove_with_noise(model, origin, seed, sizes, at, LITTLE)
    except Unsteady:
        return proof
    return min(proof, steadier, key=lambda one: one.inexact)


def _prove_with_noise(model: Model, origin: Origin, seed: int, sizes: int, at: Sequence[Sizes], noise: float) -> Proof:
    generator = np.random.default_rng(seed)
    weights = drawn_weights(model, origin, generator, noise)
    points = at or choose_varied_shapes(model.program, sizes)
    for known, _ in points:
        require_memory(model.program, known)
    cases = [_Case(model, origin, one, weights, generator) for one in points]
    rounded = None if origin.rounded is None else max(_apart(origin.rounded(one.inputs, weights), one.expected) for one in cases)
    judges = [_Judge(origin, one.inputs, weights, one.expected, one.sizes) for one in cases]
    largest: dict[str, float] = {}
    skipped = ""
    for target, made_of in (("PyTorch", _torch), ("ONNX Runtime", _onnx)):  # one after the other, as each has the weights once more
        if target == "ONNX Runtime" and CRASHED in _judge_of(origin):
            skipped = "it crashes on the original"
            continue
        try:
            run = made_of(model, weights)
        except NoKernel as error:
            skipped = str(error)
            continue
        results = [_made(target, run, one.inputs) for one in cases]
        del run  # before anything is evaluated in float64
        for one, judge, made in zip(cases, judges, results, strict=True):
            try:
                most = judge.difference(target, made, list(model.outputs))
            except NotProved as error:
                raise _with_stage(error, model, origin, one.inputs, weights) from None
            largest[target] = max(largest.get(target, 0.0), most)
    inexact = max(judge.inexact for judge in judges)
    steps = () if origin.step is None else [_in_training(model, origin.step(one.inputs, weights), one.inputs, weights) for one in cases]
    return Proof(tuple(one.sizes for one in cases), largest, rounded, inexact, max(steps, default=None), skipped, _judge_of(origin))


class Comparison:
    """A model and its origin at further sizes, in PyTorch alone. `inputs_of` is a model with the same inputs."""

    def __init__(self, origin: Origin, inputs_of: Model, model: Model | None, seed: int) -> None:
        self.origin, self.inputs_of, self.model = origin, inputs_of, model
        self.generator = np.random.default_rng(seed)
        self.weights = drawn_weights(inputs_of, origin, self.generator)
        self.run = None if model is None else _torch(model, self.weights)

    def compare_at(self, sizes: Sizes) -> None:
        """Raises `ImportFailed` if the origin fails at these sizes, `NotProved` if the model differs, or there is none."""
        case = _Case(self.inputs_of, self.origin, sizes, self.weights, self.generator)
        if self.run is None:
            raise NotProved("the text does not compile without the condition")
        judge = _Judge(self.origin, case.inputs, self.weights, case.expected, case.sizes)
        judge.difference("PyTorch", _made("PyTorch", self.run, case.inputs), list(self.inputs_of.outputs))


NOISE = 0.5
"""How far drawn weights are from those of the model, in their deviations."""
LITTLE = 0.05
"""The same for models that are unsteady with other weights, as EfficientNets of fifty blocks: they enlarge rounding errors to percents."""


def drawn_weights(model: Model, origin: Origin, generator: np.random.Generator, noise: float = NOISE) -> dict[str, Array]:
    """The weights with which both are compared: where the origin takes others than its own, no two tensors of them are alike."""
    weights = dict(origin.imported.weights)
    if origin.redrawn:
        weights = {key: _redrawn(key, array, generator, noise) for key, array in weights.items()}
        weights |= {key: weights[info.tied_to] for key, info in model.parameters.items() if info.tied_to in weights and key in weights}
    return weights


class _Case:
    """Inputs of some sizes, and what the origin makes of them."""

    def __init__(self, model: Model, origin: Origin, at: Sizes, weights: Mapping[str, Array], generator: np.random.Generator) -> None:
        self.sizes, shapes = at
        self.inputs, self.expected = draw_and_run(model, origin, shapes, weights, generator)


def _judge_of(origin: Origin) -> str:
    return "" if origin.judge is None else origin.judge()


def _made(target: str, run: Callable[[list[Array]], list[Array]], inputs: list[Array]) -> list[Array]:
    """What a target gives. Raises `NotProved` where it gives nothing, as for an index beyond an axis."""
    try:
        return run(inputs)
    except Exception as error:  # PyTorch and ONNX Runtime raise exceptions of many kinds
        raise NotProved(f"what was made fails in {target}: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error


def _in_training(model: Model, expected: Step, inputs: list[Array], weights: Mapping[str, Array]) -> float:
    """The largest difference in a step of training. Raises `NotProved`."""
    from .training_mode import step_of  # and PyTorch, which the ONNX files that commands read do without

    module = model.module(weights)
    found = step_of(module, lambda: _called(module, inputs))
    if [array.shape for array in found.outputs] != [array.shape for array in expected.outputs]:
        shapes = [[list(array.shape) for array in one.outputs] for one in (found, expected)]
        raise NotProved(f"in training the outputs have the shapes {shapes[0]}, and had {shapes[1]}")
    pairs = [(f"output {at + 1}", *pair) for at, pair in enumerate(zip(found.outputs, expected.outputs, strict=True))]
    pairs += [(f"`{key}` after the step", found.state[key], expected.state[key]) for key in weights]
    differences = {what: difference(own, other) for what, own, other in pairs}
    for what, value in differences.items():
        if value > LIMIT:
            raise NotProved(f"in training {what} differs by {value:.2g} of its largest value")
    return max(differences.values(), default=0.0)


def _apart(quantized: list[Array], expected: list[Array]) -> float:
    """How far the outputs of a quantized model are from the floats that it represents; those that are no floats are left out."""
    pairs = [(q, e) for q, e in zip(quantized, expected, strict=True) if q.dtype == e.dtype and q.shape == e.shape]
    return max((difference(q, e) for q, e in pairs), default=0.0)


def _with_stage(error: NotProved, model: Model, origin: Origin, inputs: list[Array], weights: Mapping[str, Array]) -> NotProved:
    """The error, with the first stage that differs if the origin can say what its modules compute."""
    if origin.calls is None:
        return error
    module = model.module(weights).eval()
    own = calls_of(module, lambda: _called(module, inputs))
    stage = first_difference(origin.calls(inputs, weights), own)
    return type(error)(f"{error.what}; {stage}") if stage else error


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


def _redrawn(key: str, array: Array, generator: np.random.Generator, share: float) -> Array:
    """Numbers of the same order, so that parameters that begin as ones or zeros count; matrices have the same variance, as deep models
    that enlarge what they compute enlarge rounding errors too."""
    if not is_float(array):
        return array
    if array.dtype.kind != "f":  # bfloat16, which NumPy does not compute with
        return _redrawn(key, array.astype(np.float32), generator, share).astype(array.dtype)
    noise = generator.standard_normal(array.shape).astype(array.dtype)
    scale = float(np.std(array)) if array.size > 1 else 0.0
    if key.endswith("running_var"):
        spread = np.asarray(0.4 * share, array.dtype)
        return np.asarray(np.abs(array + spread * noise) + spread, array.dtype)
    drawn = array + np.asarray((scale or 0.1) * share, array.dtype) * noise
    return np.asarray(drawn * np.asarray((1 + share**2) ** -0.5 if scale and array.ndim > 1 else 1.0, array.dtype), array.dtype)


def _torch(model: Model, weights: Mapping[str, Array]) -> Any:
    module = model.module(weights).eval()

    return lambda inputs: [to_array(tensor) for tensor in flat_tensors(_called(module, inputs))]


def _called(module: Any, inputs: list[Array]) -> Any:
    import torch

    with torch.no_grad():
        return module(*map(to_tensor, inputs))


def flat_tensors(made: Any) -> Iterator[Any]:
    """The tensors that a module made, in order."""
    if isinstance(made, tuple | list):
        for one in made:
            yield from flat_tensors(one)
    else:
        yield made


def _onnx(model: Model, weights: Mapping[str, Array]) -> Any:
    """The model in ONNX Runtime. Raises `NoKernel`."""
    from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as Lacking

    try:
        session = model.session(weights)
    except Lacking as error:
        found = _LACKING.search(str(error))
        raise NoKernel(f"it has no {found[1]} of these element types" if found else str(error)) from None

    def run(inputs: list[Array]) -> list[Array]:
        made = session(*inputs)
        return list(made.values()) if isinstance(made, dict) else [made]

    return run


_LACKING = re.compile(r"implementation for (\w+)\(")
"""How ONNX Runtime names the operator that it cannot compute."""


class _Judge:
    """Compares with what the origin gave for some inputs; where that is more than the limit away, with the origin in float64.

    Results of the origin have rounding errors of their own. A file whose results depend on how sums are rounded gives others in any other
    program. So a target may be about as far from what is computed in float64 as the origin is itself, or as that moves if all numbers are
    half a digit off and all steps round at random; but where the origin is so far that it says nothing, only if another target is as near
    as that.
    """

    def __init__(
        self, origin: Origin, inputs: list[Array], weights: Mapping[str, Array], expected: list[Array], sizes: Mapping[str, int]
    ) -> None:
        self.origin, self.inputs, self.weights, self.expected, self.sizes = origin, inputs, weights, expected, sizes
        self.inexact = 0.0
        self.confirmed = set[int]()
        """The outputs that a target has as float64 has them."""

    @cached_property
    def exact(self) -> list[Array] | None:
        """The outputs in float64, if the origin can be evaluated so."""
        return self._evaluated(self.origin.exact)

    @cached_property
    def moved(self) -> list[list[Array]]:
        """The same with rounding errors, a few times."""
        run = self.origin.moved
        runs = [] if run is None else [self._evaluated(run, seed) for seed in range(_RUNS)]
        return [outputs for outputs in runs if outputs is not None]

    def _evaluated(self, run: Callable[..., list[Array]] | None, *seed: int) -> list[Array] | None:
        if run is None:
            return None
        try:
            made = run(self.inputs, self.weights, *seed)
        except NotEvaluated:
            return None
        same = len(made) == len(self.expected) and all(a.shape == b.shape for a, b in zip(made, self.expected, strict=True))
        return made if same else None

    def difference(self, target: str, found: list[Array], names: list[str]) -> float:
        """The largest difference. Raises `NotProved` beyond the limit."""
        if len(found) != len(self.expected):
            raise NotProved(f"{target} gives {len(found)} outputs, and there were {len(self.expected)}")
        largest = 0.0
        for at, (name, own, other) in enumerate(zip(names, found, self.expected, strict=True)):
            where = f"`{name}` in {target}" + "".join(f"{', ' if n else ' with '}{s}" for n, s in enumerate(self._sizes()))
            if own.shape != other.shape or own.dtype != other.dtype:
                raise NotProved(f"{where} is {own.dtype} {list(own.shape)}, and was {other.dtype} {list(other.shape)}")
            largest = max(largest, self._one(at, own, where))
        return largest

    def _sizes(self) -> list[str]:
        return [f"{name}={size}" for name, size in self.sizes.items()]

    def _one(self, at: int, own: Array, where: str) -> float:
        found = difference(own, self.expected[at])
        if found <= LIMIT:
            return found
        if self.exact is None or not is_float(own):
            raise NotProved(f"{where} differs by {found:.2g} of its largest value")
        mine, its = difference(own, self.exact[at]), difference(self.expected[at], self.exact[at])
        far = 0.0 if mine <= LIMIT else self._rounding(at)
        if mine <= LIMIT or (far <= WORST and mine <= min(KERNELS * far, SLACK * WORST)):
            self.confirmed.add(at)
        elif not (mine <= SLACK * its and (its <= WORST or at in self.confirmed)):
            error = Unsteady if max(its, far) > WORST else NotProved
            raise error(f"{where} differs by {found:.2g} of its largest value, by {mine:.2g} from float64; the original by {its:.2g}")
        self.inexact = max(self.inexact, its)
        return mine

    def _rounding(self, at: int) -> float:
        """How far rounding errors move an output."""
        if self.exact is None:
            return 0.0
        return max((difference(outputs[at], self.exact[at]) for outputs in self.moved), default=0.0)
