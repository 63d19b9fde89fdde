"""Describes the original of an imported model, and how it runs.

In: a PyTorch module, a `.pt2` file, or an ONNX file. Out: an `Origin`. Always: the model runs as it did before netc saw it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from netc.compiler.frontends.imported_model import Imported
from netc.dsl.record import Record

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

    from .first_difference import RecordedCall
    from .training_mode import TrainingStep


Run = Callable[["Sequence[Array]", "Mapping[str, Array]"], "list[Array]"]
"""Runs the model: from inputs in order, and weights by key, to outputs in order."""

RunPerturbed = Callable[["Sequence[Array]", "Mapping[str, Array]", int], "list[Array]"]
"""Runs the model with rounding errors, which depend on a seed."""

RunCalls = Callable[["Sequence[Array]", "Mapping[str, Array]"], "list[RecordedCall]"]
"""Runs the model, and returns the calls of the modules inside."""

RunStep = Callable[["Sequence[Array]", "Mapping[str, Array]"], "TrainingStep"]
"""Runs a step of training."""


class Origin(Record):
    """The original of an imported model."""

    what: str
    """Its name in messages: a path, or `package.module:name`."""
    imported: Imported
    run: Run
    accepts_weights: bool
    """Whether it runs with any weights, so that the proof can draw some. A file runs with its own weights only."""
    run_calls: RunCalls | None = None
    seconds: float = 0.0
    """The time that reading took."""
    run_quantized: Run | None = None
    """Runs the quantized model, if the origin is the float model that it represents."""
    run_float64: Run | None = None
    """Runs the model in float64."""
    run_perturbed: RunPerturbed | None = None
    """Runs the model in float64 with the rounding errors of float32."""
    run_step: RunStep | None = None
    """Runs a step of training, if the import includes the model's behavior in training."""
    describe_judge: Callable[[], str] | None = None
    """Says, after a run, who ran the model if its own runtime could not."""
    examples: Sequence[Array] = ()
    """Inputs that it is known to accept, in order. A file has none."""
