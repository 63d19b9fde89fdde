"""Finds the comparisons of sizes that the module's own code made while torch.export traced it.

`return x * 2 if x.shape[1] == 96 else x` traces one branch. torch.export records the other one as a guard of its `ShapeEnv`, `Ne(s1, 96)`.
Only bounds of one size become ranges of the exported program, so without the guards the spec would compute the traced branch for T=96 too.

In: an exported program. Out: SymPy expressions that hold for the traced branches. Always: comparisons that PyTorch makes itself, such as
the choice of a memory layout, are left out. A program from a file has its guards as texts alone, which guard_conditions.py reads.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx.experimental.symbolic_shapes import uninteresting_files
from torch.utils._pytree import tree_leaves

_PYTORCH = os.path.dirname(torch.__file__) + os.sep


def find_compared_sizes(program: ExportedProgram) -> list[Any]:
    """Return the comparisons of sizes in the module's own code, as they were when torch.export traced it."""
    result: list[Any] = []
    for environment in {id(env): env for env in _find_shape_environments(program)}.values():
        result += [guard.expr for guard in environment.guards if _is_own_code(guard.sloc.framework_loc)]
        # With `prefer_deferred_runtime_asserts_over_guards`, comparisons are assertions, and not all of them get a node in the graph.
        asserted = [assertion for listed in environment.deferred_runtime_asserts.values() for assertion in listed]
        result += [assertion.expr for assertion in asserted if _is_own_code(_find_comparing_frame(assertion.stack))]
    return result


def _find_shape_environments(program: ExportedProgram) -> list[Any]:
    values = [node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"]
    sizes: list[Any] = [size for value in tree_leaves(values) if isinstance(value, torch.Tensor) for size in value.shape]
    return [size.node.shape_env for size in sizes if isinstance(size, torch.SymInt)]


def _find_comparing_frame(stack: Any) -> Any:
    """Return the frame that compares: the innermost one outside of the files that compute with symbols."""
    files = uninteresting_files()
    return next((frame for frame in reversed(stack.summary()) if frame.filename not in files), None)


def _is_own_code(frame: Any) -> bool:
    """Return whether a frame, or its text, is of code outside of PyTorch's package."""
    path = frame if isinstance(frame, str) else getattr(frame, "filename", "")
    return not os.path.abspath(path).startswith(_PYTORCH)
