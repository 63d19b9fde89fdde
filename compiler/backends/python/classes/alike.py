"""Whether the tensors of a tuple are of one type.

In: tensors. Out: whether they are. Always: few types are compared, since the tensors of long tuples are those of shorter ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....ir.graph import Value
from ....ir.types import TensorType


class Alike:
    def __init__(self) -> None:
        self._numbers: dict[TensorType, int] = {}
        self._by_identity: dict[int, int] = {}

    def alike(self, values: Sequence[Value]) -> bool:
        unknown = {id(v.type): v.type for v in values if id(v.type) not in self._by_identity}
        self._by_identity.update((key, self._numbers.setdefault(one, len(self._numbers))) for key, one in unknown.items())
        return len({self._by_identity[id(v.type)] for v in values}) < 2
