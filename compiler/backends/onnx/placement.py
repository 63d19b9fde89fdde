"""Finds the device on which each node of a model runs.

In: a session that has recorded it, and its model. Out: a `Placement`. Always: a node on another device than the requested one is counted
either as computing sizes, which ONNX Runtime keeps on the CPU on purpose, or as fallen back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from onnx import ModelProto

from netc.dsl.record import Record

from .execution_providers import get_device_provider
from .size_nodes import find_roles

RECORDED = "session.record_ep_graph_assignment_info"
"""The option of a session that makes it record where its nodes are."""


class Placement(Record):
    """The number of nodes on the device (`on_device`), and of nodes elsewhere that compute only sizes of the inputs (`sizes`).

    `fallen_back` lists the other nodes elsewhere, each as `operator name`.
    """

    on_device: int
    sizes: int
    fallen_back: tuple[str, ...]

    def format_sentence(self, device: str) -> str:
        """Format the placement for users."""
        sizes = f", {self.sizes} that compute sizes on the CPU" if self.sizes else ""
        if not self.fallen_back:
            return f"all {self.on_device} nodes run on {device.upper()}{sizes}"
        named = ", ".join(self.fallen_back[:5]) + (", ..." if len(self.fallen_back) > 5 else "")
        return f"{self.on_device} nodes run on {device.upper()}{sizes}, and {len(self.fallen_back)} on the CPU: {named}"


def find_placement(session: Any, device: str, model: ModelProto, constants: Collection[str] = ()) -> Placement:
    """Find where the nodes are. `session` is ONNX Runtime's. `constants` are names of initializers that the model lacks."""
    provider, roles = get_device_provider(device), find_roles(model.graph, constants)
    of_sizes = {node.name for node, role in zip(model.graph.node, roles, strict=True) if role == "sizes"}
    on_device, sizes, fallen_back = 0, 0, []
    for part in session.get_provider_graph_assignment_info():
        for node in part.get_nodes():
            if part.ep_name == provider:
                on_device += 1
            elif node.name in of_sizes:
                sizes += 1
            else:
                fallen_back.append(f"{node.op_type} `{node.name}`")
    return Placement(on_device, sizes, tuple(fallen_back))
