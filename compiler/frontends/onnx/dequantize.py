"""Rewrites a quantized ONNX model as the float model that it approximates.

QuantizeLinear, QLinearConv, DequantizeLinear becomes Conv, with the floats that the integers of its weight represent.

In: a model, and the folder of its data. Out: a model of standard operators on floats with all tensors inside, and notes on what was
dropped. Operators without a float counterpart raise `ImportFailed`. Always: activations are neither rounded nor clipped, except where the
least integer represents 0: there the quantizer folded a Relu, so the float model has one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ...ir.unique import make_unique_name
from ...types.numpy_types import Array
from ..imported_model import ImportFailed, Obstacle
from .float_forms import FORMS, KEEPING, NotRewritten
from .node_order import order_needed_nodes
from .onnx_files import Unreadable, read_tensor

LARGEST = 2**31 - 2**20
"""The largest number of bytes of a model: protobuf holds at most 2 GiB."""
_NEVER_NEGATIVE = ("Relu", "Sigmoid", "Softmax", "HardSigmoid", "Abs", "Sqrt", "Exp")
_OF_SEVERAL = ("Add", "Mul", "Concat")
_KEEP_SIGN = (
    *("MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum", "ReduceMax", "Slice", "Gather"),
    *("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", *_OF_SEVERAL),
)
FARTHEST = 1000
"""The largest number of operators that are searched for a sign."""


def dequantize_model(model: onnx.ModelProto, folder: Path | None) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """Rewrite a quantized model. Returns the model itself if nothing in it is quantized."""
    if not any(node.op_type in FORMS for node in model.graph.node):
        return model, ()
    rewriter = Dequantizer(model, folder)
    float_model = rewriter.rewrite_model()
    if rewriter.obstacles:
        raise ImportFailed(tuple(rewriter.obstacles))
    if float_model.ByteSize() > LARGEST:
        raise ImportFailed((Obstacle("the file", "is larger than 2 GiB with the floats that its weights represent", model.graph.name),))
    return float_model, rewriter.write_notes()


class Dequantizer:
    """Rewrites one model. `floats` are the names of tensors that were integers and are floats now."""

    def __init__(self, model: onnx.ModelProto, folder: Path | None) -> None:
        self.model = onnx.ModelProto()
        # The caller's model stays as it is: the proof also runs the quantized file.
        self.model.CopyFrom(model)
        self.graph = self.model.graph
        self.folder = folder
        self.nodes: list[onnx.NodeProto] = []
        self.floats: set[str] = set()
        self.obstacles: list[Obstacle] = []
        self.dropped: Counter[str] = Counter()
        self.rectified = 0
        self.stored = {t.name: t for t in self.graph.initializer}
        self.constants: dict[str, Array] = {}
        self.makers: dict[str, onnx.NodeProto] = {}
        self.scaled: dict[str, str] = {}
        """Results whose scale is folded into a weight already, by the name of their product with the scale."""
        self.original: dict[str, onnx.NodeProto] = {name: node for node in self.graph.node for name in node.output}
        self.takers: dict[str, list[onnx.NodeProto]] = {}
        self.names = {n for node in self.graph.node for n in (*node.input, *node.output)} | set(self.stored)
        for node in self.graph.node:
            for name in node.input:
                self.takers.setdefault(name, []).append(node)

    def rewrite_model(self) -> onnx.ModelProto:
        for node in self.graph.node:
            try:
                self._rewrite_node(node)
            except (NotRewritten, Unreadable) as error:
                self._add_obstacle(node, str(error))
        ordered, stuck = order_needed_nodes(self.nodes, [o.name for o in self.graph.output])
        # A scale may come later in the file than the product that it is folded into, so the nodes are ordered again.
        self.nodes = self.nodes if stuck else ordered
        inputs = [info for info in self.graph.input if info.name not in self.stored]
        del self.graph.node[:], self.graph.input[:]
        self.graph.input.extend(inputs)
        self.graph.node.extend(self.nodes)
        # The recorded types of intermediate tensors are the integers' types.
        del self.graph.value_info[:]
        for info in self.graph.output:
            if info.name in self.floats:
                info.type.tensor_type.elem_type = TensorProto.FLOAT
        self._store_initializers()
        return self.model

    def write_notes(self) -> tuple[str, ...]:
        """Describe what the float model no longer has."""
        listed = ", ".join(f"{count} {name}" for name, count in sorted(self.dropped.items()))
        notes = [f"The file is quantized; this is the float model that it represents, in which nothing is rounded. Left out: {listed}."]
        if self.rectified:
            notes.append(f"{self.rectified} relu are where quantized numbers began at 0.")
        outputs = [info.name for info in self.graph.output if info.name in self.floats]
        return (*notes, *([f"Outputs that were quantized numbers are floats: {', '.join(outputs)}."] if outputs else []))

    # --- nodes ---------------------------------------------------------------------------------------------------------------

    def _rewrite_node(self, node: onnx.NodeProto) -> None:
        form = FORMS.get(node.op_type)
        if next(iter(node.output), "") in self.scaled:
            self.add_node("Identity", [self.scaled[node.output[0]]], node.output[0], node)
        elif form is not None:
            self.dropped[node.op_type] += 1
            form(self, node)
        elif node.op_type == "Constant" and len(node.attribute) == 1 and node.attribute[0].name == "value":
            self.constants[node.output[0]] = read_tensor(node.attribute[0].t, self.folder)
            self.append_node(node)
        elif not any(name in self.floats for name in node.input):
            self.append_node(node)
            self._rewrite_row_lookup(node)
        elif node.op_type in KEEPING:
            self.append_node(KEEPING[node.op_type](self, node))
            # A cast ends the quantized part, and its result is float in the file already.
            if node.op_type != "Cast":
                self.floats.update(name for name in node.output if name)
        else:
            self._add_obstacle(node, "computes with quantized numbers")

    def _rewrite_row_lookup(self, node: onnx.NodeProto) -> None:
        """Rewrite a lookup in a table of integers whose rows are dequantized afterwards as a lookup in a table of floats."""
        users = self.takers.get(next(iter(node.output), ""), [])
        if node.op_type != "Gather" or not users or any(u.op_type != "DequantizeLinear" for u in users):
            return
        stored, (_, scale, *zero) = self.get_constant(node.input[0]), users[0].input
        scales = self.get_constant(scale)
        if stored is None or scales is None or scales.size != 1 or stored.dtype.kind not in "iu":
            return
        node.input[0] = self.to_float(node.input[0], scale, next(iter(zero), ""))
        self.floats.add(node.output[0])

    def _add_obstacle(self, node: onnx.NodeProto, why: str) -> None:
        self.obstacles.append(Obstacle(node.op_type, why, node.name or next(iter(node.output), "")))

    def append_node(self, node: onnx.NodeProto) -> None:
        """Add a node to the float model."""
        self.nodes.append(node)
        for name in node.output:
            self.makers[name] = node

    def add_node(self, op: str, inputs: Sequence[str], output: str, like: onnx.NodeProto, **attributes: Any) -> None:
        """Add a node in place of another."""
        self.append_node(helper.make_node(op, list(inputs), [output], name=like.name, **attributes))

    # --- tensors -------------------------------------------------------------------------------------------------------------

    def get_constant(self, name: str) -> Array | None:
        """Return the numbers of a constant, or None."""
        if name not in self.constants and name in self.stored:
            self.constants[name] = read_tensor(self.stored[name], self.folder)
        return self.constants.get(name)

    def require_constant(self, name: str, what: str) -> Array:
        constant = self.get_constant(name)
        if constant is None:
            raise NotRewritten(f"has {what} that is computed")
        return constant

    def add_constant(self, numbers: Array, wanted: str) -> str:
        """Add a constant with these numbers, under a free name."""
        name = self.make_name(wanted)
        self.store_constant(numbers, name)
        return name

    def store_constant(self, numbers: Array, name: str) -> None:
        """Add a constant with this name."""
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(numbers).reshape(numbers.shape), name))
        self.constants[name] = numbers

    def make_name(self, wanted: str) -> str:
        return make_unique_name(wanted, self.names)

    def to_float(self, name: str, scale: str, zero: str, axis: int = 0) -> str:
        """Return the name of the floats that a quantized tensor represents: the tensor itself if it is rewritten already, or a constant."""
        if name in self.floats:
            return name
        numbers = self.get_constant(name)
        # An input of the model, or a result that stays an integer, is dequantized at run time.
        if numbers is None:
            output = self.make_name(f"{name}_real")
            self.append_node(helper.make_node("DequantizeLinear", [name, scale, *([zero] if zero else [])], [output], axis=axis))
            return output
        return self.add_constant(self.dequantize_array(numbers, scale, zero, axis), _strip_quantizer_suffix(name))

    def dequantize_array(self, stored: Array, scale: str, zero: str, axis: int) -> Array:
        """Return `(stored - zero) * scale`."""
        by = self.require_constant(scale, "a scale")
        offset = self.require_constant(zero, "a zero point") if zero else np.zeros((), np.int64)
        shape = [1] * stored.ndim
        if by.size > 1 or offset.size > 1:
            # A scale for each channel broadcasts along the channel's axis.
            shape[axis] = max(by.size, offset.size)
        shifted = stored.astype(np.int64) - _shape_parameter(offset.astype(np.int64), shape)
        result: Array = (shifted * _shape_parameter(by.astype(np.float64), shape)).astype(by.dtype)
        return result

    def finish_output(self, name: str, node: onnx.NodeProto, zero: str) -> None:
        """Bind the output of a node, with a Relu if its least integer represents 0."""
        output = node.output[0]
        # Without a zero point, the type is uint8 and begins at 0.
        offset = self.get_constant(zero) if zero else np.zeros((), np.uint8)
        cut = offset is not None and offset.dtype.kind in "iu" and bool((offset == np.iinfo(offset.dtype).min).all())
        if cut and not self._is_positive(name):
            self.rectified += 1
            self.append_node(helper.make_node("Relu", [name], [output]))
        else:
            self.append_node(helper.make_node("Identity", [name], [output]))
        self.floats.add(output)

    def _is_positive(self, name: str) -> bool:
        """Return whether the operators before a tensor show that it has no negative numbers. Such a tensor needs no Relu."""
        stack, seen = [name], set[str]()
        while stack and len(seen) < FARTHEST:
            maker = self.makers.get(stack.pop())
            if maker is None or maker.op_type not in (*_NEVER_NEGATIVE, *_KEEP_SIGN):
                return False
            if maker.op_type in _KEEP_SIGN:
                new = set(maker.input if maker.op_type in _OF_SEVERAL else maker.input[:1]) - seen
                seen |= new
                stack += new
        return not stack

    def _store_initializers(self) -> None:
        """Keep the constants that something reads, with all of them inside the model."""
        used_names = {name for node in self.nodes for name in node.input} | {o.name for o in self.graph.output}
        used_names |= {
            name for node in self.nodes for a in node.attribute for g in (a.g, *a.graphs) for inner in g.node for name in inner.input
        }
        kept = [t for t in self.graph.initializer if t.name in used_names]
        try:
            plain = [
                numpy_helper.from_array(read_tensor(t, self.folder), t.name) if t.data_location == TensorProto.EXTERNAL else t for t in kept
            ]
        except Unreadable as error:
            self.obstacles.append(Obstacle("the file", str(error), self.graph.name))
            return
        del self.graph.initializer[:]
        self.graph.initializer.extend(plain)


def _shape_parameter(numbers: Array, shape: Sequence[int]) -> Array:
    return numbers.reshape(shape) if numbers.size > 1 else numbers.reshape(())


def _strip_quantizer_suffix(name: str) -> str:
    """Return the name that a weight had before the quantizer renamed it."""
    for end in ("_quantized", "_Q4", "_Q8", ".quant"):
        if name.endswith(end):
            return name[: -len(end)]
    return name
