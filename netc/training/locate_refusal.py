"""Find the stage that PyTorch refuses to compute for the values of a batch.

In: an objective, a batch, and the error that PyTorch raised for it, such as an index outside of an axis. Out: the stage, with its span in
the spec. Always: the graphs are evaluated from the outermost one inwards, each up to the stage that fails; nothing is changed.

    >>> is_lost_process_error(RuntimeError("Connection closed by peer [127.0.0.1]:29500"))
    True
    >>> is_machine_error(RuntimeError("index 5 is out of bounds for dimension 0 with size 3"))
    False
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.distributed import DistError

from netc.compiler.ir.graph import CallNode, Node

from .batches import MicroBatch
from .objective import Objective
from .probe_objective import StageLocation, find_graph, find_label, probe_values

REFUSALS = (IndexError, RuntimeError, ValueError)
"""The classes of PyTorch's errors for values that an operator does not accept."""
LOST_PROCESS_MESSAGES = ("Connection closed by peer", "Connection reset by peer", "remote process exited")
"""PyTorch's messages when another process has ended. NCCL's errors have their own class, Gloo's are plain `RuntimeError`."""


def is_machine_error(error: Exception) -> bool:
    """Whether the memory or another process is the cause, and not the values."""
    return isinstance(error, (torch.OutOfMemoryError, DistError)) or is_lost_process_error(error)


def is_lost_process_error(error: Exception) -> bool:
    """Whether another process of the run has ended, which says why itself."""
    return any(words in str(error) for words in LOST_PROCESS_MESSAGES)


def find_refusing(objective: Objective, weights: Mapping[str, Tensor], micro_batch: MicroBatch, error: Exception) -> StageLocation | None:
    """The first stage that raises the same error again; None if no stage does, for example because memory ran out. `weights` are the
    model's weights."""
    if is_machine_error(error):
        return None
    path: list[CallNode] = []
    refusing: Node | None = None
    while (node := _find_first_refusing(objective, path, weights, micro_batch, str(error))) is not None:
        refusing = node
        if not isinstance(node, CallNode) or node.scan is not None:
            break
        path.append(node)
    return None if refusing is None else StageLocation(find_label(path, refusing), refusing.span)


def _find_first_refusing(
    objective: Objective, path: list[CallNode], weights: Mapping[str, Tensor], micro_batch: MicroBatch, text: str
) -> Node | None:
    """The first node, in the body at the end of a path of calls, for which PyTorch raises an error with this text."""
    nodes = find_graph(objective, path).nodes
    inputs = [micro_batch[value.name] for value in objective.means.totals.main.inputs]

    def is_refused(count: int) -> bool:
        try:
            probe_values(objective, path, [value for node in nodes[:count] for value in node.outputs], inputs, weights)
        except Exception as error:  # some bodies cannot return their inner values
            return str(error) == text
        return False

    # If the first nodes raise the error, more nodes raise it too: so the number of nodes is found by bisection.
    count = bisect_left(range(1, len(nodes) + 1), True, key=is_refused) + 1
    return nodes[count - 1] if count <= len(nodes) else None
