"""IREE's profile, for its compiler for CPUs, as measured with IREE 3.13. Its importer has no Attention of opset 23."""

from __future__ import annotations

from .runtime_profile import Limit, NodeUse, RuntimeProfile


def _has_two_directions(node: NodeUse) -> bool:
    return node.attributes.get("direction") == b"bidirectional"


IREE = RuntimeProfile("iree", "IREE", 18, limits=(Limit(("LSTM",), "its LSTM of two directions gives other numbers", _has_two_directions),))
