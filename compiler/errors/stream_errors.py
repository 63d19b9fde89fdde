"""Errors of streams: stages that cannot be computed piece by piece along a dimension.

`netc check --causal T` and the streaming exports raise them, at the first stage whose results depend on later positions of the input.

>>> problem = LooksAhead("softmax", "T")
>>> problem.format_message(), problem.format_label()
('`softmax` looks ahead along `T`', 'its result at each position depends on later positions of the input')
"""

from __future__ import annotations

from typing import ClassVar

from ..types.tensor_types import TensorType
from .problem import Problem


def in_multiples(dimension: str, size: int) -> str:
    """Make the help for a model that advances by several positions at a time."""
    return f"say that a piece has a multiple of {size} positions: `where {dimension} % {size} == 0` after the input's shape"


def _count_positions(count: int) -> str:
    return f"{count} position{'s' if count > 1 else ''}"


class LooksAhead(Problem):
    """A result that depends on inputs at later positions: at `by` positions, or at all later ones if it is None. `allowed` is the stream's
    look-ahead, and `sufficient` one that is enough."""

    code: ClassVar[str] = "looks-ahead"
    operator: str
    dimension: str
    by: int | None = None
    advice: str = ""
    reason: str = ""
    allowed: int = 0
    sufficient: int | None = None

    def format_message(self) -> str:
        further = f" further than {_count_positions(self.allowed)}" if self.allowed else ""
        return f"`{self.operator}` looks ahead along `{self.dimension}`{further}"

    def format_label(self) -> str:
        if self.by is None:
            return "its result at each position depends on later positions of the input"
        many = f"the {self.by} positions" if self.by > 1 else "the position"
        return f"because of this, each position of an output depends on {many} after it"

    def format_notes(self) -> tuple[str, ...]:
        return (self.reason,) if self.reason else ()

    def format_help(self) -> tuple[str, ...]:
        if not self.sufficient:
            return (self.advice,) if self.advice else ()
        command = f"netc compile --stream {self.dimension} --lookahead {self.sufficient}"
        later = f"give the outputs {_count_positions(self.sufficient)} later: `{command}`"
        return (self.advice, later) if self.advice else (later,)


class NotStreamed(Problem):
    """A stage without a rule that computes it piece by piece, although it may not look ahead. `why` completes the sentence."""

    code: ClassVar[str] = "not-streamed"
    operator: str
    dimension: str
    why: str
    advice: str = ""

    def format_message(self) -> str:
        return f"`{self.operator}` cannot be computed piece by piece along `{self.dimension}`: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        return (self.advice,) if self.advice else ()


class StreamedOutput(Problem):
    """An output that does not have one element for each position of the stream."""

    code: ClassVar[str] = "streamed-output"
    name: str
    dimension: str
    found: TensorType

    def format_message(self) -> str:
        return f"the output `{self.name}` has the shape {self.found}: a stream along `{self.dimension}` gives one element for each position"


class NoStream(Problem):
    """A dimension along which there is nothing to stream. `known` has the dimensions of the inputs."""

    code: ClassVar[str] = "no-stream"
    dimension: str
    why: str
    known: tuple[str, ...] = ()

    def format_message(self) -> str:
        return f"cannot stream along `{self.dimension}`: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        return ("the dimensions of the inputs are " + ", ".join(f"`{n}`" for n in self.known),) if self.known else ()
