"""The result of an import: a typed graph and the model's weights.

In: a PyTorch module or an ONNX file. Out: an `Imported`, or an `ImportFailed` that lists everything that has no counterpart. Always: the
keys of `weights` are the keys of the program's parameters and buffers, and all labels are valid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from netc.dsl.record import Record

from ..ir.graph import Program

if TYPE_CHECKING:
    from ..types.numpy_types import Array


class Imported(Record):
    """An imported model. `notes` tell the user, in whole sentences, what was fixed, renamed or left out."""

    program: Program
    weights: Mapping[str, Array]
    notes: tuple[str, ...] = ()
    tensors: Mapping[str, tuple[str, str]] = {}
    """The names that the input and the result of a stage have in the source, by the path of the stage, if they have names there."""
    widened: bool = False
    """Whether its conditions may exclude sizes that the model accepts. netc then leaves out conditions without which the text still
    agrees."""
    stated: tuple[str, ...] = ()
    """The conditions that the user stated, which always stay."""
    further: tuple[tuple[str, int], ...] = ()
    """Sizes of symbolic dimensions at which the text is compared with the model too."""
    otherwise: Callable[[], Imported] | None = None
    """Reads the source in another way, which gives a longer text. It is called if this text is not proved."""


MAX_PLACES = 3
"""The number of places that a message names."""


class Obstacle(Record):
    """A reason why a model cannot be imported: `what` is an operator or construct of the source, `why` completes the sentence, `where` is a
    module path or the name of a node, and `help` suggests what to do."""

    what: str
    why: str
    where: str
    help: str = ""


class ImportFailed(Exception):
    """The model cannot be imported. `obstacles` are all reasons, in order."""

    def __init__(self, obstacles: tuple[Obstacle, ...]) -> None:
        self.obstacles = obstacles
        super().__init__("\n".join(self.format_lines()))

    def mark_training(self) -> ImportFailed:
        """Return the failure with its obstacles marked as obstacles in training."""
        return ImportFailed(
            tuple(Obstacle(f"{obstacle.what}, in training,", obstacle.why, obstacle.where, obstacle.help) for obstacle in self.obstacles)
        )

    def format_lines(self) -> tuple[str, ...]:
        """Format the obstacles, one sentence for each kind, with the places where it occurs."""
        places: dict[tuple[str, str, str], list[str]] = {}
        for obstacle in self.obstacles:
            places_of_kind = places.setdefault((obstacle.what, obstacle.why, obstacle.help), [])
            # A model with a hundred layers of one kind has one message, with a few places.
            if obstacle.where not in places_of_kind:
                places_of_kind.append(obstacle.where)
        lines: list[str] = []
        for (what, why, help_), where in places.items():
            shown = ", ".join(f"`{place}`" for place in where[:MAX_PLACES] if place) + (
                f" and {len(where) - MAX_PLACES} more" if len(where) > MAX_PLACES else ""
            )
            lines.append(f"{what} {why}" + (f" (in {shown})" if shown else "") + (f"; {help_}" if help_ else ""))
        return tuple(lines)
