"""Bounds of values: no number that PyTorch computes passes them.

The operators get inputs whose intervals are known; each element of the result must be within its interval. The models of the zoo get inputs
of any size, and hooks of their PyTorch modules see the results of layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from zoo.small import SMALL

import netc
from netc.compiler.ranges import LEAST_SPREAD, BoundFinder, ParameterReader, find_bounds
from netc.compiler.ranges.tensor_bounds import TensorBound, constant_bound, scalar_bound, unknown_bound
from netc.compiler.types.numpy_types import Array, to_array
from netc.proving.measure_ranges import measure_ranges
from netc.quantizing.calibration import draw_sample
from tests.case_families import FAMILIES

TEXTS = [text for module in FAMILIES.values() for text in module.CASES if "gradient" not in text and " for _ in " not in text]


def interval_of(array: Array, shape: tuple[Any, ...]) -> TensorBound:
    """The intervals of the elements of one input, the same for all positions of a symbolic axis."""
    bound = constant_bound(array)
    return bound.merge_axes(tuple(axis for axis, size in enumerate(shape) if not isinstance(size, int)))


def one_hot(x: Array) -> Array:
    """A large number where the input is largest, and 0 elsewhere."""
    return 1e4 * (x == x.max(initial=-9))


def hard_inputs(model: netc.Model) -> Iterator[dict[str, Array]]:
    """Random numbers, small and large; equal numbers with a large mean; zeros; one number that is not zero."""
    drawn = draw_sample(model.program)
    changes = (
        lambda x: x,
        lambda x: 40 * x,
        lambda x: 0 * x + 3000,
        lambda x: x + 3000,
        lambda x: 0 * x,
        lambda x: 1e4 * (x == x.max(initial=-9)),
    )
    for change in changes:
        yield {name: change(a).astype(a.dtype) if a.dtype.kind == "f" else a for name, a in drawn.items()}


def run(module: nn.Module, inputs: Mapping[str, Array]) -> list[Array]:
    torch.manual_seed(0)
    with torch.no_grad():
        found = module(*(torch.from_numpy(np.array(array)) for array in inputs.values()))
    return [to_array(y) for y in (found if isinstance(found, tuple) else (found,))]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.share(20)
@pytest.mark.thorough(5)
def test_operator(text: str) -> None:
    model = netc.compile(text)
    if any(t.dtype.name == "bfloat16" for t in model.inputs.values()):
        pytest.skip("NumPy has no bfloat16")
    weights = dict(model.backend_input(seed=0).open_arrays())
    module = model.module(seed=0).eval()
    for inputs in hard_inputs(model):
        finder = BoundFinder(model.program, ParameterReader(model.program, weights))
        bounds = finder.evaluate_graph(model.program.main, [interval_of(inputs[n], t.shape) for n, t in model.inputs.items()])
        for result, bound in zip(run(module, inputs), bounds, strict=True):
            assert_within(result, bound)


def assert_within(result: Array, bound: TensorBound) -> None:
    """Finite elements are between the ends. Infinities and NaN are not bounded."""
    numbers = result.astype(np.float64)
    low, high = (np.broadcast_to(end, result.shape) for end in (bound.low, bound.high))
    finite = np.isfinite(numbers)
    assert (numbers >= low)[finite].all()
    assert (numbers <= high)[finite].all()


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("x = input 4; x -> layer_norm affine=false -> dense 1 init=ones bias=false", 4.0),
        ("x = input 4; x -> rms_norm affine=false -> dense 1 init=ones bias=false", 4.0),
        ("x = input 4; w = param [4, 1] init=ones as w; (x -> layer_norm affine=false) @ w", 4.0),
        ("x = input 4; x -> normalize axis=-1 -> dense 1 init=ones bias=false", 2.0),
        ("x = input 4; x -> tanh -> dense 3 init=constant(2) bias=false -> relu6", 6.0),
        ("x = input [T, 4]; v = x -> tanh; (x -> softmax axis=-1) @ (v -> transpose 1 2) * 3", 3.0),
        ("x = input 2xTx4; (x, x, x -> tanh) -> attention causal=true", 1.0),
        ("x = input [T] int64; x -> embedding 5 3 init=constant(7)", 7.0),
        ("x = input 3; sigmoid(x) * 5 + 2", 7.0),
        ("x = input [T, 3]; x -> tanh -> mean axis=1", 1.0),
        ("x = input 2x4x4; x -> sigmoid -> conv 1 2x2 init=ones bias=false", 8.0),
        ("x = input [T, 3]; (y, h) = x -> scan (h = table (n, i) [N, 3] = 0.5) axis=1 { h = tanh(in + h); out h }; out y", 1.0),
        ("x = input 3; x -> clamp (-2) 2 -> square", 4.0),
        ("x = input [T, 3]; x -> lstm 4", 1.0),
    ],
)
def test_bound_is_known(text: str, limit: float) -> None:
    """Bounds computed by hand, which hold for inputs of any size and are reached, or nearly so."""
    model = netc.compile(text)
    stages = find_bounds(model.program, dict(model.backend_input(seed=0).open_arrays()))
    *_, last = stages.values()
    assert limit <= last.largest <= limit * 1.01


def find_bounds_of_any_input(model: netc.Model) -> list[TensorBound]:
    """The bounds of the results, for inputs of which nothing is known."""
    finder = BoundFinder(model.program, ParameterReader(model.program, dict(model.backend_input(seed=0).open_arrays())))
    return list(finder.evaluate_graph(model.program.main, [unknown_bound(t.rank) for t in model.inputs.values()]))


SUM = "dense 1 init=ones bias=false"


@pytest.mark.parametrize(
    "text",
    [
        # Quotients of integers, whose reciprocal is no float.
        "x = input 60; t = table (i) [60] int64 = i + 1; t // t + 0 * (x -> argmax axis=1 keepdim=true)",
        "x = input 60; t = table (i) [60] int64 = i + 1; t // 49 + 0 * (x -> argmax axis=1 keepdim=true)",
        "x = input 4 int64; y = x -> clamp 49 49; y // y",
        # Integers beyond 2**53, of which float64 has no room for the last digit, and beyond 2**24, for float32.
        "x = input 4 int64; (x -> clamp 9007199254740993 9007199254740993) - 9007199254740992",
        "x = input 4 int64; x -> clamp 16777217 16777217 -> cast float32",
        "x = input 4; 0 * x + (table (i) [4] float64 = 0.1 -> cast float32)",
        "x = input 4; x -> sigmoid -> mul 1e-9 -> cast float16 -> cast float32",
        # Rows of weights and of normalized numbers, rounded to another type or next to a large number.
        "x = input 8; w = table (i, j) [8, 3] = 1.0; (x -> softmax axis=1 -> cast bfloat16 -> cast float32) @ w",
        "x = input 8; w = table (i, j) [8, 3] = 1.0; (x -> softmax axis=1 -> cast float16 -> cast float32) @ w",
        f"x = input 8; (x -> rms_norm affine=false) * 1.2 + 3e7 + (-3e7) -> {SUM}",
        f"x = input 8; (x -> rms_norm affine=false) * (-1.2) + 3e7 + (-3e7) -> {SUM}",
        # Differences that are mostly rounding.
        "x = input 4; (x -> sigmoid -> mul 0.01 -> tanhshrink) * 1e12",
        "p = param [4] init=constant(0.01) as p; x = input 4; 0 * x + (p -> tanhshrink)",
        # Kernels round `lambd` to float32.
        "p = param [4] init=constant(0.1) as p; x = input 4; 0 * x + (p -> hardshrink 0.1)",
        "p = param [4] init=constant(-0.1) as p; x = input 4; 0 * x + (p -> hardshrink 0.1)",
        "p = param [4] init=constant(0.100001) as p; x = input 4; 0 * x + (p -> softshrink 0.1)",
        # A result of `softplus` above the threshold is less than the formula's.
        "p = param [4] init=constant(5) as p; x = input 4; 0 * x + (p -> softplus 1 1)",
        "x = input 4; (x -> sigmoid) * 0.01 + 0.5 -> softplus 2 1.005",
    ],
)
def test_bounds_hold_all_roundings(text: str) -> None:
    """The bounds hold where rounding decides, for inputs of any size."""
    model = netc.compile(text)
    bounds = find_bounds_of_any_input(model)
    ones = {name: 0 * array + 1 for name, array in draw_sample(model.program).items()}
    for inputs in (*hard_inputs(model), ones):
        for result, bound in zip(run(model.module(seed=0).eval(), inputs), bounds, strict=True):
            assert_within(result, bound)


@pytest.mark.parametrize(
    "text", ["x = input 3; x -> relu", "x = input [T, 3]; x -> tanh -> sum axis=1", "x = input 2; y = input 2; tanh(x) / tanh(y)"]
)
def test_no_bound_is_made_up(text: str) -> None:
    *_, last = find_bounds(netc.compile(text).program, {}).values()
    assert last.largest == float("inf")


ONES = [1.0, 1.0, 1.0]
FAR = [99.0, -99.0, 50.0]
HALF_SUMS = [0.1, 1.3, -0.7, 0.4, 2.2, -1.1, 0.9, 0.3]


@pytest.mark.parametrize(
    ("text", "x"),
    [
        # softplus falls at its threshold
        ("x = input 3; 1 / (sigmoid(x) + 0.2 -> softplus threshold=0.1)", [-50.0, -50.0, -50.0]),
        ("x = input 3; tanh(x) * 5 -> softplus threshold=(-10)", FAR),
        ("x = input 3; tanh(x) + 2 -> softplus beta=2 threshold=1.5", FAR),
        # a row of one number is repeated
        ("x = input 1; c = param [5] init=ones; (x -> rms_norm affine=false) * c -> dense 1 init=ones bias=false", [1.0]),
        ("x = input 1; c = param [5] init=ones; (x -> rms_norm affine=false) + c -> dense 1 init=ones bias=false", [1.0]),
        # the exponent has more axes than its base
        ("x = input 3; c = param [1, 1, 1] init=constant(2); tanh(x) ** c", FAR),
        # quotients and sums of integers are exact, and constants are rounded to their type
        ("x = input 3; a = table (i) [3] int64 = 49; (a // a -> cast float32) * 70000 + 0 * tanh(x)", ONES),
        ("x = input 3; a = table (i) [3] int64 = 2401; b = table (i) [3] int64 = 49; (a // b -> cast float32) + 0 * tanh(x)", ONES),
        ("x = input 3; a = table (i) [3] int64 = 16777219; (a -> cast float32) + 0 * tanh(x)", ONES),
        ("x = input 3; clamp(x, 0.3, 0.3) - 0.3", ONES),
        ("x = input 3; tanh(x) * 0 -> pad [1, 1] value=0.001", ONES),
        ("x = input 3; a = table (i) [3] int32 = 49; (a -> pad [1, 1] value=0.5) + (tanh(x) * 0 -> pad [1, 1])", ONES),
        ("x = input 3; a = table (i) [3] int32 = 5; (a -> threshold 6 2.7) + tanh(x) * 0", ONES),
        ("x = input 3; a = table (i) [3] int32 = 5; ((a, x > 0) -> masked_fill 2.9) + tanh(x) * 0", ONES),
        ("x = input 3; clamp(x, 0.001, 0.001) -> tanhshrink", ONES),
        # squares and powers underflow
        ("x = input 3; x -> rms_norm eps=0", [1e-30, 1e-30, 1e-30]),
        ("x = input 3; x -> layer_norm eps=0", [1e-30, -1e-30, 3e-30]),
        ("x = input 3; x -> group_norm 1 eps=0", [1e-30, -1e-30, 3e-30]),
        ("x = input 3; x -> normalize eps=1e-40", [1e-30, 1e-30, 1e-30]),
        ("x = input 3; x -> normalize p=8", [1e-7, 1e-7, 1e-7]),
        # the rounding of a narrower type remains
        ("x = input 8; v = param [8, 4] init=ones; (x -> softmax -> cast bfloat16 -> cast float32) @ v", HALF_SUMS),
        ("x = input 8; (x -> rms_norm affine=false -> cast bfloat16 -> cast float32) -> dense 1 init=ones bias=false", [1.003] * 8),
        # a million equal weights are below the normal numbers of float16, and rounded up
        ("x = input T; (x -> unsqueeze 1 -> softmax -> cast float16 -> cast float32) @ (x * 0 + 1 -> unsqueeze 2)", [0.0] * 1_000_000),
    ],
)
def test_results_are_within_their_bounds(text: str, x: list[float]) -> None:
    """For inputs of which nothing is known."""
    model = netc.compile(text)
    (bound,) = find_bounds_of_any_input(model)
    (name,) = model.inputs
    (result,) = run(model.module(seed=0).eval(), {name: np.array([x], np.float32)})
    numbers = np.nan_to_num(result.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    assert ((numbers >= bound.low) & (numbers <= bound.high)).all()


def test_casts_to_the_same_type_keep_rows() -> None:
    model = netc.compile("x = input 4; v = param [4, 2] init=ones; (x -> softmax -> cast float32) @ v")
    *_, last = find_bounds(model.program, dict(model.backend_input(seed=0).open_arrays())).values()
    assert last.largest <= 1.01


@pytest.mark.parametrize("size", [2, 5, 257])
@pytest.mark.parametrize("name", ["layer_norm", "group_norm 1", "instance_norm", "rms_norm"])
def test_normalizations_of_a_large_mean(name: str, size: int) -> None:
    """The bounds hold down to the least deviation that the report states, for a mean of 1e8 and a tiny `eps`."""
    model = netc.compile(f"input 1x{size} -> {name} eps=1e-12")
    (stage,) = find_bounds(model.program, dict(model.backend_input(seed=0).open_arrays())).values()
    assert stage.needs_spread == (name != "rms_norm")
    generator = np.random.default_rng(0)
    for mean in (1.0, 3e3, 1e8):
        deviations = generator.normal(size=(200, 1, size))
        deviations[:100] = np.sqrt(size) * (np.arange(size) == 0)
        x = (mean * (1 + generator.uniform(size=(200, 1, 1))) * (1 + deviations * 2.0**-15)).astype(np.float32)
        wide = x.astype(np.float64)
        x = x[wide.std(axis=2)[:, 0] >= LEAST_SPREAD * np.abs(wide).max(axis=(1, 2))]
        assert len(x) > 50
        (result,) = run(model.module(seed=0).eval(), {"input": x})
        assert np.abs(result).max() <= stage.largest


def test_numbers_that_differ_by_rounding_pass_the_bound() -> None:
    """So the condition is needed: the bound sqrt(n - 1) of exact arithmetic does not hold for PyTorch's kernels."""
    model = netc.compile("input 4 -> layer_norm")
    (stage,) = find_bounds(model.program, dict(model.backend_input(seed=0).open_arrays())).values()
    x = np.full((1, 4), 1e8, np.float32)
    x[0, 0] = np.nextafter(x[0, 0], np.float32(np.inf))
    (result,) = run(model.module(seed=0).eval(), {"input": x})
    assert np.abs(result).max() > 100 * stage.largest


def test_unions_and_products_of_intervals() -> None:
    x, y = scalar_bound(-1, 2, 1), scalar_bound(-3, 0.5, 1)
    assert ((x * y).low.item(), (x * y).high.item()) == (-6, 3)
    assert ((x | y).low.item(), (x | y).high.item()) == (-3, 2)
    unknown = scalar_bound(-np.inf, np.inf, 1)
    assert (unknown * scalar_bound(0, 0, 1)).limit == 0
    assert (unknown + -unknown).limit == np.inf


WITHOUT_LAYERS = ("hifigan", "kan")
"""Models whose weights are computed, so that no module has a layer of the spec."""
QUICK = ("t5", "resnet")
small = pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in SMALL])


def scaled_weights(model: netc.Model, factor: float) -> dict[str, Array]:
    """Drawn weights, each tensor times a factor of its own. Statistics of variances stay positive."""
    generator = np.random.default_rng(3)
    weights = dict(model.backend_input(seed=1).open_arrays())
    for name, array in weights.items():
        if array.dtype.kind == "f":
            weights[name] = (array * factor ** generator.uniform(-1, 1)).astype(array.dtype)
    # a tied parameter is its target
    return {name: weights[model.parameters[name].tied_to or name] for name in weights}


def hard_batches(name: str, model: netc.Model) -> Iterator[dict[str, Array]]:
    drawn = {key: to_array(x) for key, x in zip(model.inputs, SMALL[name].inputs(model), strict=True)}
    for change in (lambda x: 300 * x, lambda x: 0 * x + 3000, one_hot):
        yield {key: change(a).astype(a.dtype) if a.dtype.kind == "f" else a for key, a in drawn.items()}


@pytest.mark.thorough(2)
@small
@pytest.mark.parametrize("factor", [1, 8])
def test_zoo(name: str, factor: float) -> None:
    model = SMALL[name].compiled()
    weights = scaled_weights(model, factor)
    limits: dict[str, float] = {}
    stages = find_bounds(model.program, weights)
    for (path, _), stage in stages.items():
        limits[path] = max(limits.get(path, 0.0), stage.largest)
    module = model.module(weights).eval()
    seen: dict[str, float] = {}

    def record(path: str, results: object) -> None:
        tensors = [y for y in (results if isinstance(results, tuple) else (results,)) if isinstance(y, Tensor) and y.is_floating_point()]
        seen[path] = max(seen.get(path, 0.0), *(float(torch.where(y.isfinite(), y, 0).abs().max()) for y in tensors[:1]))

    for path, layer in module.named_modules():
        if path in limits:
            layer.register_forward_hook(lambda _, __, results, path=path: record(path, results))
    batches = list(hard_batches(name, model))
    outputs = [run(module, batch) for batch in batches]
    assert seen or name in WITHOUT_LAYERS
    assert {path: (value, limits[path]) for path, value in seen.items() if value > limits[path]} == {}
    # the functions between the layers, which have no hooks; the measured layers agree with the hooks
    measures = measure_ranges(model.program, weights, batches)
    assert measures.keys() == stages.keys()
    assert {key: (m, stages[key]) for key, m in measures.items() if np.isfinite(m.largest) and m.largest > stages[key].largest} == {}
    assert {key: (m, stages[key]) for key, m in measures.items() if m.inner > stages[key].inner} == {}
    last = [largest_finite(outputs, index) for index in range(len(model.outputs))]
    assert max(measure.largest for measure in measures.values()) >= max(last) * (1 - 1e-5)


def largest_finite(outputs: list[list[Array]], index: int) -> float:
    numbers = np.concatenate([batch[index].astype(np.float64).reshape(-1) for batch in outputs])
    return float(np.abs(numbers[np.isfinite(numbers)]).max(initial=0))
