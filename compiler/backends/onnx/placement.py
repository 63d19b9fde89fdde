"""On which device the nodes of a model run.

In: a session that has recorded it, and its model. Out: a `Placement`. Always: a node that is on another device than the one asked for is
counted either among those that compute sizes, which ONNX Runtime keeps on the CPU on purpose, or among those that fell back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from onnx import ModelProto

from netc.dsl.record import Record

from .execution_providers import provider_of

RECORDED = "session.record_ep_graph_assignment_info"
"""The option of a session that makes it record where its nodes are."""
_SIZES = ("Shape", "Size")


class Placement(Record):
    """`there`: the number of nodes on the device; `sizes`: of nodes elsewhere that depend on nothing but sizes of the inputs; `fallen`: the
    other nodes elsewhere, each as `operator name`."""

    there: int
    sizes: int
    fallen: tuple[str, ...]

    def sentence(self, device: str) -> str:
        """What it says, for users."""
        sizes = f", {self.sizes} that compute sizes on the CPU" if self.sizes else ""
        if not self.fallen:
            return f"all {self.there} nodes run on {device.upper()}{sizes}"
        named = ", ".join(self.fallen[:5]) + (", ..." if len(self.fallen) > 5 else "")
        return f"{self.there} nodes run on {device.upper()}{sizes}, and {len(self.fallen)} on the CPU: {named}"


def placement(session: Any, device: str, model: ModelProto, constants: Collection[str] = ()) -> Placement:
    """Where the nodes are. `session` is ONNX Runtime's; `constants` are names of initialisers that the model was given without."""
    wanted, of_sizes = provider_of(device), _nodes_of_sizes(model, constants)
    there, sizes, fallen = 0, 0, []
    for part in session.get_provider_graph_assignment_info():
        for node in part.get_nodes():
            if part.ep_name == wanted:
                there += 1
            elif node.name in of_sizes:
                sizes += 1
            else:
                fallen.append(f"{node.op_type} `{node.name}`")
    return Placement(there, sizes, tuple(fallen))


def _nodes_of_sizes(model: ModelProto, constants: Collection[str]) -> set[str]:
    """The names of nodes that depend on sizes of tensors and on constants alone."""
    constant = {tensor.name for tensor in model.graph.initializer} | set(constants)
    sizes: set[str] = set()
    found: set[str] = set()
    for node in model.graph.node:
        given = [name for name in node.input if name and name not in constant]
        if node.op_type in _SIZES or (given and sizes.issuperset(given)):
            sizes.update(node.output)
            found.add(node.name)
        elif not given:
            constant.update(node.output)
    return found
