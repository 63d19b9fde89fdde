"""Finds the buffers that an exported program changes when it runs, and describes them to the user.

In: an `ExportedProgram`. Out: the buffers that its in-place operators change, and notes about them. A spec changes only the statistics of
`batch_norm`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch.export import ExportedProgram
from torch.fx import Node

from ..imported_model import Obstacle
from .flat_nodes import flatten_regions
from .placeholders import find_placeholders
from .views import is_in_place, walk_aliases


def find_frozen_statistics(program: ExportedProgram) -> frozenset[str]:
    """Return the running means of batch normalizations that are in evaluation while the model is in training."""
    return frozenset(key for node, key in _find_running_means(program, flatten_regions(program.graph_module)) if not node.args[5])


def _find_running_means(program: ExportedProgram, nodes: Iterable[Node]) -> list[tuple[Node, str]]:
    """List the batch normalizations whose running mean is in the state dict, with its key. Others get a constant or an input."""
    keys = {**program.graph_signature.inputs_to_buffers, **program.graph_signature.inputs_to_parameters}
    # The schema is batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled).
    calls = [node for node in nodes if str(node.target) == "aten.batch_norm.default"]
    means = [(node, node.args[3]) for node in calls]
    return [(node, keys[mean.name]) for node, mean in means if isinstance(mean, Node) and mean.name in keys]


def find_step_counters(program: ExportedProgram, nodes: Sequence[Node]) -> set[Node]:
    """Find the nodes that only count a step. Each batch normalization counts its calls, and netc's operator does so itself."""
    placeholders = find_placeholders(program)
    specs = program.graph_signature.input_specs
    counters = {
        placeholders[spec.arg.name]
        for spec in specs
        if (spec.target or "").endswith("num_batches_tracked") and spec.arg.name in placeholders
    }
    for node in nodes:
        if is_in_place(node) and node.args[0] in counters:
            counters.add(node)
    return counters


def describe_changes(source: ExportedProgram) -> tuple[str, ...]:
    """Describe the buffers that the module changes when it runs, since a spec does not change them."""
    changed = sorted(_find_changes(source))
    if not changed:
        return ()
    some = ", ".join(f"`{key}`" for key in changed[:5]) + (", ..." if len(changed) > 5 else "")
    return (f"The module changes buffers when it runs, here they stay as they are: {some}.",)


def _find_changes(source: ExportedProgram) -> dict[str, str]:
    """Map the buffers that in-place operators change, also through views, to the first operator that does."""
    buffers = source.graph_signature.inputs_to_buffers
    result: dict[str, str] = {}
    for node in source.graph.nodes:
        for target in walk_aliases(node):
            if target.name in buffers:
                result.setdefault(buffers[target.name], str(node.target))
    return result


def find_unheld_changes(source: ExportedProgram) -> list[Obstacle]:
    """Find the state that a training step changes and a spec cannot: by the module's own code, or by layers whose results nothing reads."""
    why = "is changed by {}, and a spec changes only the statistics of `batch_norm`"
    changed = {key: why.format(name) for key, name in _find_changes(source).items() if not key.endswith("num_batches_tracked")}
    unread = "is all that is read of a call of its layer, and a spec computes only what is read"
    changed |= dict.fromkeys(_find_unread_statistics(source), unread)
    return [Obstacle(f"`{key}`", text, key.rpartition(".")[0], "import it as it is in evaluation") for key, text in changed.items()]


def _find_unread_statistics(source: ExportedProgram) -> list[str]:
    """List the running means of batch normalizations with a call whose result nothing reads."""
    read: set[Node] = set()
    for node in reversed(source.graph.nodes):
        # An in-place change is read through the old tensor and its views too.
        names_of_it = (node, *walk_aliases(node)) if is_in_place(node) else (node,)
        if node.op == "output" or any(not read.isdisjoint(alias.users) for alias in names_of_it):
            read.add(node)
    return [key for node, key in _find_running_means(source, source.graph.nodes) if node.args[5] and node not in read]
