"""Judges the outputs of an imported model: whether they differ from the origin's by more than rounding errors.

In: the origin with inputs and weights, the origin's outputs, and a target's. Out: the largest difference, or a `NotProved` that names the
output. Always: outputs within the limit are not computed again. For others, the origin in float64 decides.

For example, if the origin is 3e-4 away from its own results in float64, a target may be 6e-4 away from them, whatever the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from netc.compiler.ir.walk import collect_graphs
from netc.compiler.types.numpy_types import is_float

from .array_difference import LIMIT, measure_difference
from .float64_reference import NotEvaluated

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

    from .origin import Origin

SLACK = 2.0
"""How much farther from float64 than the original a result may be: its last digits fall differently."""
KERNELS = 4.0
"""How much farther than rounding errors a result may be: exp, tanh and erf of good libraries are off by up to 4 units in the last place,
and a rounding error is at most one unit."""
ROUNDINGS = 4
"""How many rounding errors of a 16-bit type a result may be off, if only a part of the model computes in that type."""
_NARROW = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
"""The largest rounding error of the 16-bit types."""
_RUNS = 3
"""How many times rounding errors are drawn. In one run they may cancel, if an output has few numbers."""
WORST = 1e-2
"""The largest distance of the original from float64, or between runs with rounding errors, at which the distance says anything."""


class NotProved(Exception):
    """The spec does not agree with the model. `what` is a whole sentence."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Unstable(NotProved):
    """The original is so far from itself in float64, or rounding errors move it so far, that the comparison says nothing."""


class OutputJudge:
    """Compares outputs with the origin's and, if they differ by more than the limit, with the origin in float64.

    The origin's results have rounding errors of their own, and every program rounds sums differently. So a target may be about as far from
    float64 as the origin is itself, or as rounding errors move the result. If the origin is so far off that its distance says nothing, the
    target passes only if another target agrees with float64 for this output.
    """

    def __init__(
        self, origin: Origin, inputs: list[Array], weights: Mapping[str, Array], expected: list[Array], sizes: Mapping[str, int]
    ) -> None:
        self.origin, self.inputs, self.weights, self.expected, self.sizes = origin, inputs, weights, expected, sizes
        self.inexact = 0.0
        self.confirmed = set[int]()
        """The outputs for which some target agrees with float64."""

    @cached_property
    def exact_outputs(self) -> list[Array] | None:
        """The outputs in float64, or None if the origin cannot be evaluated in it."""
        return self._evaluate_origin(self.origin.run_float64)

    @cached_property
    def narrow_limit(self) -> float:
        """The limit for a model that computes in 16 bits in a part, as in a region of `torch.autocast`.

        In float64 it would round at the same places, so float64 cannot judge it. Every program sums in another order, and the last
        digit of a 16-bit result may flip.
        """
        program = self.origin.imported.program
        dtypes = {value.type.dtype.name for graph in collect_graphs(program.main) for node in graph.nodes for value in node.outputs}
        if not dtypes & {"float32", "float64"}:
            return LIMIT
        return max([LIMIT, *(min(ROUNDINGS * unit, WORST) for name, unit in _NARROW.items() if name in dtypes)])

    @cached_property
    def perturbed_outputs(self) -> list[list[Array]]:
        """The outputs in float64 with rounding errors, a few times."""
        run = self.origin.run_perturbed
        runs = [] if run is None else [self._evaluate_origin(run, seed) for seed in range(_RUNS)]
        return [outputs for outputs in runs if outputs is not None]

    def _evaluate_origin(self, run: Callable[..., list[Array]] | None, *seed: int) -> list[Array] | None:
        if run is None:
            return None
        try:
            outputs_of_run = run(self.inputs, self.weights, *seed)
        except NotEvaluated:
            return None
        same = len(outputs_of_run) == len(self.expected) and all(
            a.shape == b.shape for a, b in zip(outputs_of_run, self.expected, strict=True)
        )
        return outputs_of_run if same else None

    def compare_outputs(self, target: str, results: list[Array], names: list[str]) -> float:
        """Return the largest difference of the outputs. Raises `NotProved` beyond the limit."""
        if len(results) != len(self.expected):
            raise NotProved(f"{target} gives {len(results)} outputs, and there were {len(self.expected)}")
        largest = 0.0
        for index, (name, result, other) in enumerate(zip(names, results, self.expected, strict=True)):
            where = f"`{name}` in {target}" + "".join(f"{', ' if n else ' with '}{s}" for n, s in enumerate(self._format_sizes()))
            if result.shape != other.shape or result.dtype != other.dtype:
                raise NotProved(f"{where} is {result.dtype} {list(result.shape)}, and was {other.dtype} {list(other.shape)}")
            largest = max(largest, self._compare_output(index, result, where))
        return largest

    def _format_sizes(self) -> list[str]:
        return [f"{name}={size}" for name, size in self.sizes.items()]

    def _compare_output(self, index: int, result: Array, where: str) -> float:
        distance = measure_difference(result, self.expected[index])
        if distance <= (self.narrow_limit if is_float(result) else LIMIT):
            return distance
        if self.exact_outputs is None or not is_float(result):
            raise NotProved(f"{where} differs by {distance:.2g} of its largest value")
        mine, its = (
            measure_difference(result, self.exact_outputs[index]),
            measure_difference(self.expected[index], self.exact_outputs[index]),
        )
        # By chance, the original may be nearer to float64 than a number of its type must be.
        least = max(its, _NARROW.get(result.dtype.name, 0.0))
        # Runs with rounding errors are slow, so they are made only if they can decide.
        far = 0.0 if mine <= LIMIT else self._measure_rounding(index)
        if mine <= LIMIT or (far <= WORST and mine <= min(KERNELS * far, SLACK * WORST)):
            self.confirmed.add(index)
        elif not (mine <= SLACK * least and (its <= WORST or index in self.confirmed)):
            error = Unstable if max(its, far) > WORST else NotProved
            raise error(f"{where} differs by {distance:.2g} of its largest value, by {mine:.2g} from float64; the original by {its:.2g}")
        self.inexact = max(self.inexact, its)
        return mine

    def _measure_rounding(self, index: int) -> float:
        """Return how far rounding errors move an output."""
        if self.exact_outputs is None:
            return 0.0
        return max((measure_difference(outputs[index], self.exact_outputs[index]) for outputs in self.perturbed_outputs), default=0.0)
