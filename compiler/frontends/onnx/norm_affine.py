"""Folds the scale and shift that follow a normalization into its own parameters.

`layer_norm(x) * weight + bias` becomes `layer_norm` with `affine=true`.

In: a graph without calls, and the weights. Out: the same graph with such normalizations folded. Always: a parameter called `weight` keeps
its key.
"""

from __future__ import annotations

import numpy as np

from ...ir.graph import Node, OpNode
from ...ir.graph_values import Value
from ...ops import Operator
from ...types.numpy_types import Array
from .emitter import Emitter

_NORMS = {"layer_norm": True, "rms_norm": False, "group_norm": True, "instance_norm": True}
"""The normalizations, with whether they have a shift as well as a scale."""


def fold_affine(emit: Emitter) -> None:
    """Fold the scale and shift of every normalization of the emitter's graph."""
    graph = emit.builder.graph
    takers: dict[int, list[Node]] = {}
    for node in graph.nodes:
        for value in node.inputs:
            takers.setdefault(id(value), []).append(node)
    outputs = {id(v) for v in graph.outputs}
    for node in list(graph.nodes):
        if isinstance(node, OpNode) and node.op.name in _NORMS and node.op.args.get("affine") is False and len(node.inputs) == 1:
            _AffineFold(emit, takers, outputs).fold_norm(node)


class _AffineFold:
    def __init__(self, emit: Emitter, takers: dict[int, list[Node]], outputs: set[int]) -> None:
        self.emit, self.takers, self.outputs = emit, takers, outputs

    def fold_norm(self, norm: OpNode) -> None:
        scaled = self._find_only_user(norm, "mul")
        scale = None if find_other_input(scaled, norm) is None else self._find_parameter(find_other_input(scaled, norm), norm)
        if scaled is None or scale is None:
            return
        shifted = self._find_only_user(scaled, "add") if _NORMS[norm.op.name] else None
        other = find_other_input(shifted, scaled)
        shift = self._find_parameter(other, norm) if shifted is not None and other is not None else None
        last = shifted if shift is not None and shifted is not None else scaled
        self._replace_norm(norm, last, scale, shift)

    def _find_only_user(self, node: OpNode, name: str) -> OpNode | None:
        """Return the only node that reads the result, if it is an operator `name` of two tensors."""
        value = node.outputs[0]
        users = self.takers.get(id(value), [])
        # Another reader, or an output, needs the result before the scale.
        only = users[0] if len(users) == 1 and id(value) not in self.outputs else None
        return (
            only
            if isinstance(only, OpNode) and only.op.name == name and len(only.inputs) == 2 and only.outputs[0].type == value.type
            else None
        )

    def _find_parameter(self, value: Value | None, norm: OpNode) -> tuple[OpNode, Array] | None:
        """Return the parameter of a tensor with its numbers in the shape of the normalization's parameters, or None.

        A parameter that several normalizations share stays a tensor.
        """
        node = self.emit.makers.get(id(value))
        if not isinstance(node, OpNode) or node.op.name != "param" or len(self.takers[id(value)]) > 1:
            return None
        array = self.emit.weights[node.label]
        x = norm.inputs[0].type
        if norm.op.name in ("layer_norm", "rms_norm"):
            shape = x.shape[-len(norm.op.args["shape"]) :] if norm.op.args.get("shape") else x.shape[-1:]
            lead = array.shape[: array.ndim - len(shape)]
        else:
            # These have one number for each channel, so the parameter has axes of size 1 around the axis of the channels.
            shape = x.shape[1:2]
            tail = array.shape[array.ndim - (x.rank - 2) :] if array.ndim >= x.rank - 1 else (0,)
            lead = (*array.shape[: max(0, array.ndim - (x.rank - 1))], *tail)
        sizes = tuple(d for d in shape if isinstance(d, int))
        if len(sizes) != len(shape) or any(d != 1 for d in lead) or array.size != int(np.prod(sizes)):
            return None
        return node, np.ascontiguousarray(array.reshape(sizes))

    def _replace_norm(self, norm: OpNode, last: OpNode, scale: tuple[OpNode, Array], shift: tuple[OpNode, Array] | None) -> None:
        bias = {"bias": shift is not None} if _NORMS[norm.op.name] else {}
        op = type(norm.op)(**{**norm.op.args, "affine": True, **bias})
        bound = op.bind_inputs((norm.inputs[0].type,), self.emit.facts)
        label = self._choose_label(scale[0], None if shift is None else shift[0], op)
        last.op, last.inputs, last.specs, last.label = op, norm.inputs, op.parameters(bound), label
        self.emit.weights[f"{label}.weight"] = scale[1]
        if shift is not None:
            self.emit.weights[f"{label}.bias"] = shift[1]

    def _choose_label(self, scale: OpNode, shift: OpNode | None, op: Operator) -> str:
        """Choose the label of the module that had the weight."""
        for node in (scale, shift):
            if node is not None:
                # The label of the parameter is free again, so the norm can take its stem.
                self.emit.labels.release_label(node.label)
        stem = scale.label.removesuffix(".weight")
        if stem != scale.label:
            return self.emit.labels.make_label(stem.split("."))
        return self.emit.labels.make_counted_label(op.name, scale.label.split(".")[:-1])


def find_other_input(node: OpNode | None, before: OpNode) -> Value | None:
    """Return the other input of an operator with two inputs."""
    if node is None:
        return None
    return node.inputs[1] if node.inputs[0] is before.outputs[0] else node.inputs[0]
