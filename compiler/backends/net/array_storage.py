"""Names the arrays that tables of a spec read, for the file that they are stored in.

In: a program, and the file for its arrays. Out: their names in it, and the arrays under these. Always: equal arrays are stored once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netc.dsl.record import replace

from ...ir.graph import Graph, OpNode
from ...ir.walk import collect_graphs
from ...ops.constants import TableOperator
from ...ops.formula import find_stored_array
from ...ops.stored_tables import TableArray
from .tensor_names import make_free_name, to_snake_case


class StoredNames:
    """The names of a program's arrays in `file`. Without a file, each array stays where it is."""

    def __init__(self, main: Graph | None = None, file: str = "") -> None:
        self.file = file
        self._names: dict[object, TableArray] = {}
        used_names: set[str] = set()
        for node, array in _iterate_stored(main) if main is not None and file else ():
            if array.content_key not in self._names:
                wanted = to_snake_case((node.label or node.outputs[0].name or array.name).rpartition(".")[2] or "constant")
                name = make_free_name(wanted, used_names)
                used_names.add(name)
                self._names[array.content_key] = replace(array, path=file, name=name)

    @property
    def arrays(self) -> list[TableArray]:
        """The arrays of the file."""
        return list(self._names.values())

    def get_path(self, path: str) -> str:
        return self.file or path

    def get_name(self, array: TableArray) -> str:
        return self._names.get(array.content_key, array).name


def serialize_arrays(arrays: Iterable[TableArray]) -> bytes:
    """Return the bytes of a file that has these arrays under their names."""
    from safetensors.numpy import save

    serialized: bytes = save({array.name: array.load_array() for array in arrays})
    return serialized


def _iterate_stored(main: Graph) -> Iterator[tuple[OpNode, TableArray]]:
    for graph in collect_graphs(main):
        for node in graph.nodes:
            if isinstance(node, OpNode) and isinstance(node.op, TableOperator):
                array = find_stored_array(node.op.formula)
                if array is not None:
                    yield node, array
