"""Writes out the regions of `torch.autocast` and `torch.vmap` in an exported program.

The operators of a region of `torch.autocast` compute in another element type than their nodes say, and the operators between the marks of
`torch.vmap` have one axis less than their tensors. PyTorch traces such a program again, and its trace has the casts and the axes.

In: an exported program. Out: the same program without such regions. Always: it computes the same numbers and gradients. The graph is flat
where a region was, because PyTorch forgets in which modules the operators were called.
"""

from __future__ import annotations

from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

from .flat_nodes import GRADIENT_REGION, flatten_regions
from .gradient_stops import detach_regions

_FUNCTORCH = ("torch._functorch", "torch._C._functorch")


def trace_transforms(program: ExportedProgram) -> ExportedProgram:
    """Return the program with casts and batch axes as operators, if it has regions of `torch.autocast` or `torch.vmap`."""
    modules = [module for module in program.graph_module.modules() if isinstance(module, GraphModule)]
    if not any(_is_transform(node) for module in modules for node in module.graph.nodes):
        return program
    for module in modules:
        # The new trace forgets the regions without gradients, so they become `aten.detach` before. It needs the regions that switch off
        # the casts of a region around them.
        flatten_regions(module, (GRADIENT_REGION,))
        detach_regions(module)
        module.recompile()
    traced: ExportedProgram = program.run_decompositions({})
    return traced


def _is_transform(node: Node) -> bool:
    if node.op != "call_function":
        return False
    # `args[2]` is `enabled`.
    casts = getattr(node.target, "__name__", "") == "wrap_with_autocast" and bool(node.args[2])
    return casts or str(getattr(node.target, "__module__", "")).startswith(_FUNCTORCH)
