"""Sorts the placeholders of an exported program into inputs, stored tensors and constants.

In: an `ExportedProgram`. Out: the placeholders of the caller's tensors with the symbols of their axes, the tensors of the state dict, and
the constants. For `forward(self, x)` of a linear layer, `x` is the only user input, and `weight` and `bias` are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node

from ...types.tensor_types import BATCH
from .keys import StoredTensor, find_all_keys
from .sympy_sizes import SymbolAxis, match_axis


def find_placeholders(program: ExportedProgram) -> dict[str, Node]:
    return {node.name: node for node in program.graph.nodes if node.op == "placeholder"}


def find_user_inputs(program: ExportedProgram) -> list[Node | None]:
    """Find the inputs of the caller, in order, with None for those that are not tensors."""
    placeholders = find_placeholders(program)
    specs = [spec for spec in program.graph_signature.input_specs if spec.kind == InputKind.USER_INPUT]
    nodes = [placeholders.get(getattr(spec.arg, "name", "")) for spec in specs]
    return [node if node is not None and isinstance(node.meta.get("val"), torch.Tensor) else None for node in nodes]


def name_symbols(inputs: Sequence[Node | None], axes: Sequence[Any] | None) -> dict[str, SymbolAxis]:
    """Name the symbols of torch.export after the axes of the inputs."""
    result: dict[str, SymbolAxis] = {}
    tables = flatten_axes(axes) if axes is not None else [None] * len(inputs)
    for node, table in zip(inputs, tables, strict=True):
        if node is None:
            continue
        for axis, size in enumerate(node.meta["val"].shape):
            # The first axis with a symbol names it. torch.export gives all axes of one `Dim` the same symbol.
            # The user of a program declared `2*t + 1`. For a module, torch.export solves a rounded division by it, as if it were exact.
            symbol_of = match_axis(size.node.expr, with_offset=axes is None) if isinstance(size, torch.SymInt) else None
            if symbol_of is not None and symbol_of[0] not in result:
                used_names = {known_axis.name for known_axis in result.values()}
                name = (table or {}).get(axis)
                result[symbol_of[0]] = SymbolAxis(
                    name or (BATCH if axis == 0 and BATCH not in used_names else _choose_free_letter(used_names)), *symbol_of[1:]
                )
    return result


def _choose_free_letter(used_names: set[str]) -> str:
    return next(letter for letter in ascii_uppercase if letter != BATCH and letter not in used_names)


def flatten_axes(axes: Any) -> list[Any]:
    """List the names of axes for each tensor or other argument, in the order of the inputs."""
    if isinstance(axes, dict) and all(isinstance(key, int) for key in axes):
        return [axes]
    if isinstance(axes, dict):
        return [table for inner in axes.values() for table in flatten_axes(inner)]
    if isinstance(axes, list | tuple):
        return [table for inner in axes for table in flatten_axes(inner)]
    return [None]


def find_stored_tensors(program: ExportedProgram) -> dict[Node, StoredTensor]:
    """Find the entries of the state dict that the program reads."""
    placeholders = find_placeholders(program)
    state = program.state_dict
    nodes: dict[Node, StoredTensor] = {}
    keys = find_all_keys(list(state), state)
    for spec in program.graph_signature.input_specs:
        key = spec.target
        if key in state and spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
            tensor = state[key]
            is_buffer = spec.kind == InputKind.BUFFER
            nodes[placeholders[spec.arg.name]] = StoredTensor(keys[key], tensor, not is_buffer and tensor.requires_grad, is_buffer)
    return nodes


def find_constants(program: ExportedProgram) -> tuple[dict[Node, torch.Tensor], dict[Node, str]]:
    """Find the tensors that are not in the state dict, and the names of those that are buffers."""
    placeholders = find_placeholders(program)
    targets = {
        placeholders[spec.arg.name]: spec.target or "" for spec in program.graph_signature.input_specs if spec.arg.name in placeholders
    }
    values = {node: program.constants.get(target) for node, target in targets.items()}
    # torch.export names tensors that the code makes `lifted_tensor_0` and so on, which says nothing to a reader.
    names = {node: target.rpartition(".")[2] for node, target in targets.items() if not target.startswith("lifted")}
    return {node: value for node, value in values.items() if isinstance(value, torch.Tensor)}, names
