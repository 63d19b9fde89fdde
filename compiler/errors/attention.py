"""Errors of the attention operators."""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim, format_dim
from ..types.tensor_types import Shape, TensorType, show_shape
from .operator_errors import where_hint
from .problem import Location, Problem, input_


class MaskMismatch(Problem):
    """A mask whose shape does not broadcast to the scores. `needed` completes "needs a mask of ..."."""

    code: ClassVar[str] = "mask-mismatch"
    operator: str
    needed: str
    mask: Shape
    index: int

    def message(self) -> str:
        return f"`{self.operator}` needs a mask of {self.needed}, found {show_shape(self.mask)}"

    def marks(self) -> tuple[tuple[Location, str], ...]:
        return ((input_(self.index), f"this is {show_shape(self.mask)}"),)

    def help(self) -> tuple[str, ...]:
        return ("give the mask the queries as its axis -2 and the keys as its axis -1",)


class MaskType(Problem):
    """A mask with an integer element type."""

    code: ClassVar[str] = "mask-type"
    operator: str
    needed: str
    mask: TensorType

    def message(self) -> str:
        return f"`{self.operator}` needs a mask of {self.needed}, found {self.mask}"

    def label(self) -> str:
        return f"this is {self.mask.dtype}"

    def help(self) -> tuple[str, ...]:
        return ("convert it to bool with a comparison, as in `mask > 0`",)


def _count(number: Dim, one: str, several: str) -> str:
    return f"{format_dim(number)} {one if number == 1 else several}"


class CausalAlignment(Problem):
    """Causal attention of queries and keys whose lengths are not provably equal, without `align`. `advice`: the condition that would make
    them equal, if that is open; `at`: the inputs that they are the lengths of."""

    code: ClassVar[str] = "causal-alignment"
    operator: str
    queries: Dim
    keys: Dim
    advice: str
    at: tuple[int, int]

    def message(self) -> str:
        lengths = f"{_count(self.queries, 'query', 'queries')} and {_count(self.keys, 'key', 'keys')}"
        return f"causal `{self.operator}` of {lengths} needs `align`, which says which key belongs to a query"

    def marks(self) -> tuple[tuple[Location, str], ...]:
        queries, keys = self.at
        places = (input_(queries), _count(self.queries, "query", "queries")), (input_(keys), _count(self.keys, "key", "keys"))
        return tuple((place, f"the {lengths}") for place, lengths in places)

    def help(self) -> tuple[str, ...]:
        return (
            "`align=end` if the last query belongs to the last key, as in a decoder with a cache of earlier keys",
            "`align=start` if the first query belongs to the first key, as PyTorch's `is_causal` has it",
            *where_hint(self.advice, "if the lengths are always equal"),
        )
