"""What a model is imported from, and how it runs there.

In: a PyTorch module, a `.pt2` file, or an ONNX file. Out: an `Origin`. Always: the model runs as it did before netc saw it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from netc.compiler.frontends.imported_model import Imported
from netc.dsl.record import Record

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

    from .first_difference import Call
    from .training_mode import Step

Run = Callable[["Sequence[Array]", "Mapping[str, Array]"], "list[Array]"]
"""From inputs in order, and weights by key, to outputs in order."""

Moved = Callable[["Sequence[Array]", "Mapping[str, Array]", int], "list[Array]"]
"""The same with rounding errors, which depend on a seed."""

Calls = Callable[["Sequence[Array]", "Mapping[str, Array]"], "list[Call]"]
"""The same, but to the calls of the modules inside."""

Steps = Callable[["Sequence[Array]", "Mapping[str, Array]"], "Step"]
"""The same, but to a step of training."""


class Origin(Record):
    """A model where it comes from. `what` is its name in messages: a path, or `package.module:name`. `redrawn`: it runs with any weights,
    so that numbers can be drawn for the proof; else with its own alone. `calls` has those of the modules inside. `rounded` is the quantized
    model that it was made of, `exact` the same model in float64, `moved` that with the rounding errors of float32. `step` is a step of
    training, if the import has that. `judge` says, after a run, who ran the model if it is not the runtime that it is made for. `examples`
    are inputs that it is known to take, in order; none of a file."""

    what: str
    imported: Imported
    run: Run
    redrawn: bool
    calls: Calls | None = None
    seconds: float = 0.0
    rounded: Run | None = None
    exact: Run | None = None
    moved: Moved | None = None
    step: Steps | None = None
    judge: Callable[[], str] | None = None
    examples: Sequence[Array] = ()
