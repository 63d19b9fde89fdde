"""Proves that a spec is the model that it was imported from.

In: the model compiled from the text, and its origin. Out: a `Proof`, or a `NotProved` that says what differs. Always: the proof compares
the keys and shapes of all parameters and buffers, and the outputs for two sizes of every symbolic dimension, in PyTorch and in ONNX
Runtime. If the origin accepts other weights, it runs with weights in which no two tensors are alike: equal weights would hide swapped
layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from netc.compiler.types.numpy_types import is_float
from netc.dsl.record import Record

from ..inputs.random_inputs import choose_varied_shapes
from .array_difference import LIMIT, measure_difference
from .drawn_inputs import draw_and_run
from .first_difference import find_first_difference, record_calls
from .free_memory import return_free_memory
from .memory_guard import require_memory
from .onnx_process import CRASHED
from .output_judge import NotProved, OutputJudge, Unstable
from .run_targets import NoKernel, call_module, make_onnx_run, make_torch_run, run_target

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

    from ..model import Model
    from .origin import Origin
    from .training_mode import TrainingStep


class Proof(Record):
    """The differences between a spec and its origin, which were all small enough.

    Args:
        sizes: The sizes of the symbolic dimensions, in each comparison.
        differences: The largest difference for each target, relative to the largest output.
        rounded: The same for the quantized model, if the origin is the float model that it represents.
        inexact: The origin's own rounding error, measured against float64 if the comparison needed it.
        training: The largest difference of outputs and buffers in a training step, if the spec has the origin's behavior in training.
        skipped: Why ONNX Runtime is not among the targets: it has no kernels for the model's element types, or ONNX no such operator.
        judge: What computed the origin's outputs, if its own runtime cannot.
        not_compared: Why an optional target is not among the targets, if it was tried.
    """

    sizes: tuple[Mapping[str, int], ...]
    differences: Mapping[str, float]
    rounded: float | None = None
    inexact: float = 0.0
    training: float | None = None
    skipped: str = ""
    judge: str = ""
    not_compared: Mapping[str, str] = {}


Sizes = tuple[Mapping[str, int], Mapping[str, tuple[int, ...]]]
"""Sizes of the symbolic dimensions, and the shapes of the inputs with them."""


def prove_import(model: Model, origin: Origin, seed: int = 0, sizes: int = 2, points: Sequence[Sizes] = ()) -> Proof:
    """Compare a model with its origin, at a number of sizes, or at the given `points`. Raises `NotProved`.

    If rounding errors are larger than the limit, a wrong model that differs by less could pass. So the model must also pass with weights
    nearer to its own, with which most models are more stable.
    """
    _compare_keys(model, origin)
    try:
        proof = _prove_with_noise(model, origin, seed, sizes, points, NOISE)
    except Unstable:
        if not origin.accepts_weights:
            raise
        return _prove_with_noise(model, origin, seed, sizes, points, SMALL_NOISE)
    if not proof.inexact or not origin.accepts_weights:
        return proof
    try:
        steadier = _prove_with_noise(model, origin, seed, sizes, points, SMALL_NOISE)
    except Unstable:
        return proof
    return min(proof, steadier, key=lambda one: one.inexact)


def _prove_with_noise(model: Model, origin: Origin, seed: int, sizes: int, given_points: Sequence[Sizes], noise: float) -> Proof:
    generator = np.random.default_rng(seed)
    weights = draw_weights(model, origin, generator, noise)
    points = given_points or choose_varied_shapes(model.program, sizes)
    for known, _ in points:
        # Before the inputs are drawn: the shapes alone tell how much memory the stages need.
        require_memory(model.program, known)
    cases = [_Case(model, origin, case, weights, generator) for case in points]
    rounded = (
        None
        if origin.run_quantized is None
        else max(_measure_quantization(origin.run_quantized(case.inputs, weights), case.expected) for case in cases)
    )
    judges = [OutputJudge(origin, case.inputs, weights, case.expected, case.sizes) for case in cases]
    largest: dict[str, float] = {}
    skipped = ""
    # One target after the other, because each has the weights in memory once more.
    for target, make_run in (("PyTorch", make_torch_run), ("ONNX Runtime", make_onnx_run)):
        if target == "ONNX Runtime" and CRASHED in _describe_judge(origin):
            skipped = "it crashes on the original"
            continue
        try:
            run = make_run(model, weights)
        except NoKernel as error:
            skipped = str(error)
            continue
        results = [run_target(target, run, case.inputs) for case in cases]
        del run  # before anything is evaluated in float64
        return_free_memory()
        for case, judge, result in zip(cases, judges, results, strict=True):
            try:
                most = judge.compare_outputs(target, result, list(model.outputs))
            except NotProved as error:
                raise _add_first_stage(error, model, origin, case.inputs, weights) from None
            largest[target] = max(largest.get(target, 0.0), most)
    inexact = max(judge.inexact for judge in judges)
    steps = (
        ()
        if origin.run_step is None
        else [_compare_training_steps(model, origin.run_step(case.inputs, weights), case.inputs, weights) for case in cases]
    )
    return Proof(tuple(case.sizes for case in cases), largest, rounded, inexact, max(steps, default=None), skipped, _describe_judge(origin))


class Comparison:
    """Compares a model with its origin at further sizes, in PyTorch alone. `inputs_of` is a model with the same inputs."""

    def __init__(self, origin: Origin, inputs_of: Model, model: Model | None, seed: int) -> None:
        self.origin, self.inputs_of, self.model = origin, inputs_of, model
        self.generator = np.random.default_rng(seed)
        self.weights = draw_weights(inputs_of, origin, self.generator)
        self.run = None if model is None else make_torch_run(model, self.weights)

    def compare_at(self, sizes: Sizes) -> None:
        """Raise `ImportFailed` if the origin fails at these sizes, and `NotProved` if the model differs or there is none."""
        case = _Case(self.inputs_of, self.origin, sizes, self.weights, self.generator)
        if self.run is None:
            raise NotProved("the text does not compile without the condition")
        judge = OutputJudge(self.origin, case.inputs, self.weights, case.expected, case.sizes)
        judge.compare_outputs("PyTorch", run_target("PyTorch", self.run, case.inputs), list(self.inputs_of.outputs))


NOISE = 0.5
"""The distance of drawn weights from the model's, in standard deviations."""
SMALL_NOISE = 0.05
"""The distance for models that are unstable with other weights. EfficientNets of fifty blocks amplify rounding errors to percents."""


def draw_weights(model: Model, origin: Origin, generator: np.random.Generator, noise: float = NOISE) -> dict[str, Array]:
    """Draw the weights for the comparison. No two tensors are alike, unless the origin accepts only its own weights."""
    weights = dict(origin.imported.weights)
    if origin.accepts_weights:
        weights = {key: perturb_weight(key, array, generator, noise) for key, array in weights.items()}
        # Tied parameters are one tensor, so they get the same numbers.
        weights |= {key: weights[info.tied_to] for key, info in model.parameters.items() if info.tied_to in weights and key in weights}
        return_free_memory()  # of the noise
    return weights


class _Case:
    """Inputs of some sizes, and the origin's results."""

    def __init__(self, model: Model, origin: Origin, point: Sizes, weights: Mapping[str, Array], generator: np.random.Generator) -> None:
        self.sizes, shapes = point
        self.inputs, self.expected = draw_and_run(model, origin, shapes, weights, generator)


def _describe_judge(origin: Origin) -> str:
    return "" if origin.describe_judge is None else origin.describe_judge()


def _compare_training_steps(model: Model, expected: TrainingStep, inputs: list[Array], weights: Mapping[str, Array]) -> float:
    """Compare a step of training, and return the largest difference. Raises `NotProved`."""
    from .training_mode import run_training_step  # and PyTorch, which the ONNX files that commands read do without

    module = model.module(weights)
    imported = run_training_step(module, lambda: call_module(module, inputs))
    if [array.shape for array in imported.outputs] != [array.shape for array in expected.outputs]:
        shapes = [[list(array.shape) for array in step.outputs] for step in (imported, expected)]
        raise NotProved(f"in training the outputs have the shapes {shapes[0]}, and had {shapes[1]}")
    pairs = [(f"output {index + 1}", *pair) for index, pair in enumerate(zip(imported.outputs, expected.outputs, strict=True))]
    pairs += [(f"`{key}` after the step", imported.state[key], expected.state[key]) for key in weights]
    differences = {what: measure_difference(result, other) for what, result, other in pairs}
    for what, value in differences.items():
        if value > LIMIT:
            raise NotProved(f"in training {what} differs by {value:.2g} of its largest value")
    return max(differences.values(), default=0.0)


def _measure_quantization(quantized: list[Array], expected: list[Array]) -> float:
    """Return the distance of a quantized model's outputs from the floats that it represents. Outputs that are not floats are left out."""
    pairs = [(q, e) for q, e in zip(quantized, expected, strict=True) if q.dtype == e.dtype and q.shape == e.shape]
    return max((measure_difference(q, e) for q, e in pairs), default=0.0)


def _add_first_stage(error: NotProved, model: Model, origin: Origin, inputs: list[Array], weights: Mapping[str, Array]) -> NotProved:
    """Add the first stage that differs to an error, if the origin can record the calls of its modules."""
    if origin.run_calls is None:
        return error
    module = model.module(weights).eval()
    imported = record_calls(module, lambda: call_module(module, inputs))
    stage = find_first_difference(origin.run_calls(inputs, weights), imported)
    return type(error)(f"{error.what}; {stage}") if stage else error


def _compare_keys(model: Model, origin: Origin) -> None:
    shapes = {key: tuple(array.shape) for key, array in origin.imported.weights.items()}
    imported = {key: tuple(info.shape) for key, info in model.parameters.items() if info.tied_to is None or key in shapes}
    if shapes == imported:
        return
    differing = [key for key in {**shapes, **imported} if shapes.get(key) != imported.get(key)]
    shown = ", ".join(f"`{key}` is {_format_shape(imported.get(key))} and was {_format_shape(shapes.get(key))}" for key in differing[:3])
    raise NotProved(f"{len(differing)} of {len(shapes)} parameters differ: {shown}")


def _format_shape(shape: tuple[Any, ...] | None) -> str:
    return "not there" if shape is None else str(list(shape))


_DRAWN_TOGETHER = 1_000_000


def perturb_weight(key: str, array: Array, generator: np.random.Generator, share: float) -> Array:
    """Draw numbers near a weight, so that parameters that begin as ones or zeros count too.

    Matrices keep their variance: a deep model that amplifies its tensors amplifies rounding errors too.
    """
    if not is_float(array):
        return array
    if array.dtype.kind != "f":  # bfloat16, which NumPy does not compute with
        return perturb_weight(key, array.astype(np.float32), generator, share).astype(array.dtype)
    scale = float(np.std(array)) if array.size > 1 else 0.0
    noise = draw_noise(array, generator)
    # A variance must stay positive.
    if key.endswith("running_var"):
        spread = np.asarray(0.4 * share, array.dtype)
        return np.asarray(np.abs(array + spread * noise) + spread, array.dtype)
    noise *= np.asarray((scale or 0.1) * share, array.dtype)
    noise += array
    if scale and array.ndim > 1:
        # the noise has `share` of the deviation, so both together have 1 + share**2 of the variance
        noise *= np.asarray((1 + share**2) ** -0.5, array.dtype)
    return noise


def draw_noise(array: Array, generator: np.random.Generator) -> Array:
    """Draw numbers of a normal distribution for an array, a million at a time: all of them in float64 would take twice its memory."""
    noise = np.empty(array.shape, array.dtype)
    flat = noise.reshape(-1)
    for start in range(0, array.size, _DRAWN_TOGETHER):
        part = flat[start : start + _DRAWN_TOGETHER]
        part[...] = generator.standard_normal(part.size)
    return noise
