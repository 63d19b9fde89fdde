"""Errors of the attention operators: masks that do not match the scores, and causal attention over different lengths.

>>> import netc
>>> netc.compile("q = input 4x8; mask = input 4x5 bool; (q, q, q, mask) -> attention")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[mask-mismatch]: `attention` needs a mask of a shape that broadcasts to [N, 4, 4], found [N, 4, 5]
 --> <text>:1:58
  |
1 | q = input 4x8; mask = input 4x5 bool; (q, q, q, mask) -> attention
  |                       --------------                     ^^^^^^^^^
  |                       |
  |                       this is [N, 4, 5]
  |
  = help: give the mask the queries as its axis -2 and the keys as its axis -1
...
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim, format_dim
from ..types.tensor_types import Shape, TensorType, show_shape
from .operator_errors import where_hint
from .problem import Location, Problem, input_location


class MaskMismatch(Problem):
    """A mask whose shape does not broadcast to the scores. `needed` completes "needs a mask of ..."."""

    code: ClassVar[str] = "mask-mismatch"
    operator: str
    needed: str
    mask: Shape
    index: int

    def format_message(self) -> str:
        return f"`{self.operator}` needs a mask of {self.needed}, found {show_shape(self.mask)}"

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        return ((input_location(self.index), f"this is {show_shape(self.mask)}"),)

    def format_help(self) -> tuple[str, ...]:
        return ("give the mask the queries as its axis -2 and the keys as its axis -1",)


class MaskType(Problem):
    """A mask with an integer element type."""

    code: ClassVar[str] = "mask-type"
    operator: str
    needed: str
    mask: TensorType

    def format_message(self) -> str:
        return f"`{self.operator}` needs a mask of {self.needed}, found {self.mask}"

    def format_label(self) -> str:
        return f"this is {self.mask.dtype}"

    def format_help(self) -> tuple[str, ...]:
        return ("convert it to bool with a comparison, as in `mask > 0`",)


def _format_count(number: Dim, one: str, several: str) -> str:
    return f"{format_dim(number)} {one if number == 1 else several}"


class CausalAlignment(Problem):
    """Causal attention without `align`, over queries and keys whose lengths are not provably equal. `advice` is the condition that would
    make them equal, if there is one. `at` has the positions of the two inputs."""

    code: ClassVar[str] = "causal-alignment"
    operator: str
    queries: Dim
    keys: Dim
    advice: str
    at: tuple[int, int]

    def format_message(self) -> str:
        lengths = f"{_format_count(self.queries, 'query', 'queries')} and {_format_count(self.keys, 'key', 'keys')}"
        return f"causal `{self.operator}` of {lengths} needs `align`, which says which key belongs to a query"

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        queries, keys = self.at
        places = (
            (input_location(queries), _format_count(self.queries, "query", "queries")),
            (input_location(keys), _format_count(self.keys, "key", "keys")),
        )
        return tuple((place, f"the {lengths}") for place, lengths in places)

    def format_help(self) -> tuple[str, ...]:
        return (
            "`align=end` if the last query belongs to the last key, as in a decoder with a cache of earlier keys",
            "`align=start` if the first query belongs to the first key, as PyTorch's `is_causal` has it",
            *where_hint(self.advice, "if the lengths are always equal"),
        )
