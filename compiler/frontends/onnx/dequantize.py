"""A quantized ONNX model as the float model that it approximates.

In: a model, and the folder of its data. Out: a model of the standard operators on floats, all tensors inside, and sentences on what was
dropped; or an `ImportFailed` with what has no float counterpart. Always: weights are the floats that their integers represent; activations
are not rounded and not cut off, but where the least integer represents 0: that is a Relu that the quantizer left out.
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
from .node_order import needed_in_order
from .onnx_files import Unreadable, array

LARGEST = 2**31 - 2**20
"""The most bytes of a model, which protobuf can hold."""
_NEVER_NEGATIVE = ("Relu", "Sigmoid", "Softmax", "HardSigmoid", "Abs", "Sqrt", "Exp")
_OF_SEVERAL = ("Add", "Mul", "Concat")
_KEEP_SIGN = (
    *("MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum", "ReduceMax", "Slice", "Gather"),
    *("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", *_OF_SEVERAL),
)
FARTHEST = 1000
"""The most operators that are asked for a sign."""


def dequantized(model: onnx.ModelProto, folder: Path | None) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """See the module's docstring. The model itself if nothing in it is quantized."""
    if not any(node.op_type in FORMS for node in model.graph.node):
        return model, ()
    rewriter = Dequantizer(model, folder)
    made = rewriter.run()
    if rewriter.obstacles:
        raise ImportFailed(tuple(rewriter.obstacles))
    if made.ByteSize() > LARGEST:
        raise ImportFailed((Obstacle("the file", "is larger than 2 GiB with the floats that its weights represent", model.graph.name),))
    return made, rewriter.notes()


class Dequantizer:
    """One model. `floats` are the names of tensors that were integers and are floats."""

    def __init__(self, model: onnx.ModelProto, folder: Path | None) -> None:
        self.model = onnx.ModelProto()
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
        """What is multiplied with a scale that is in a weight already, by the name of the product."""
        self.original: dict[str, onnx.NodeProto] = {name: node for node in self.graph.node for name in node.output}
        self.takers: dict[str, list[onnx.NodeProto]] = {}
        self.names = {n for node in self.graph.node for n in (*node.input, *node.output)} | set(self.stored)
        for node in self.graph.node:
            for name in node.input:
                self.takers.setdefault(name, []).append(node)

    def run(self) -> onnx.ModelProto:
        for node in self.graph.node:
            try:
                self._node(node)
            except (NotRewritten, Unreadable) as error:
                self._obstacle(node, str(error))
        ordered, stuck = needed_in_order(self.nodes, [o.name for o in self.graph.output])
        self.nodes = self.nodes if stuck else ordered
        inputs = [info for info in self.graph.input if info.name not in self.stored]
        del self.graph.node[:], self.graph.input[:]
        self.graph.input.extend(inputs)
        self.graph.node.extend(self.nodes)
        del self.graph.value_info[:]
        for info in self.graph.output:
            if info.name in self.floats:
                info.type.tensor_type.elem_type = TensorProto.FLOAT
        self._store()
        return self.model

    def notes(self) -> tuple[str, ...]:
        """What is no longer there."""
        listed = ", ".join(f"{count} {name}" for name, count in sorted(self.dropped.items()))
        found = [f"The file is quantized; this is the float model that it represents, in which nothing is rounded. Left out: {listed}."]
        if self.rectified:
            found.append(f"{self.rectified} relu are where quantized numbers began at 0.")
        outputs = [info.name for info in self.graph.output if info.name in self.floats]
        return (*found, *([f"Outputs that were quantized numbers are floats: {', '.join(outputs)}."] if outputs else []))

    # --- nodes ---------------------------------------------------------------------------------------------------------------

    def _node(self, node: onnx.NodeProto) -> None:
        form = FORMS.get(node.op_type)
        if next(iter(node.output), "") in self.scaled:
            self.add("Identity", [self.scaled[node.output[0]]], node.output[0], node)
        elif form is not None:
            self.dropped[node.op_type] += 1
            form(self, node)
        elif node.op_type == "Constant" and len(node.attribute) == 1 and node.attribute[0].name == "value":
            self.constants[node.output[0]] = array(node.attribute[0].t, self.folder)
            self.keep(node)
        elif not any(name in self.floats for name in node.input):
            self.keep(node)
            self._of_constant(node)
        elif node.op_type in KEEPING:
            self.keep(KEEPING[node.op_type](self, node))
            if node.op_type != "Cast":
                self.floats.update(name for name in node.output if name)
        else:
            self._obstacle(node, "computes with quantized numbers")

    def _of_constant(self, node: onnx.NodeProto) -> None:
        """Rows of a table of integers that become floats afterwards are rows of floats."""
        users = self.takers.get(next(iter(node.output), ""), [])
        if node.op_type != "Gather" or not users or any(u.op_type != "DequantizeLinear" for u in users):
            return
        stored, (_, scale, *zero) = self.known(node.input[0]), users[0].input
        scales = self.known(scale)
        if stored is None or scales is None or scales.size != 1 or stored.dtype.kind not in "iu":
            return
        node.input[0] = self.real(node.input[0], scale, next(iter(zero), ""))
        self.floats.add(node.output[0])

    def _obstacle(self, node: onnx.NodeProto, why: str) -> None:
        self.obstacles.append(Obstacle(node.op_type, why, node.name or next(iter(node.output), "")))

    def keep(self, node: onnx.NodeProto) -> None:
        """Adds a node of the result."""
        self.nodes.append(node)
        for name in node.output:
            self.makers[name] = node

    def add(self, op: str, inputs: Sequence[str], output: str, like: onnx.NodeProto, **attributes: Any) -> None:
        """Adds a node in place of another."""
        self.keep(helper.make_node(op, list(inputs), [output], name=like.name, **attributes))

    # --- tensors -------------------------------------------------------------------------------------------------------------

    def known(self, name: str) -> Array | None:
        """The numbers of a constant."""
        if name not in self.constants and name in self.stored:
            self.constants[name] = array(self.stored[name], self.folder)
        return self.constants.get(name)

    def needed(self, name: str, what: str) -> Array:
        found = self.known(name)
        if found is None:
            raise NotRewritten(f"has {what} that is computed")
        return found

    def new(self, numbers: Array, wanted: str) -> str:
        """A constant with these numbers."""
        name = self.name(wanted)
        self.store(numbers, name)
        return name

    def store(self, numbers: Array, name: str) -> None:
        """A constant that is called so."""
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(numbers).reshape(numbers.shape), name))
        self.constants[name] = numbers

    def name(self, wanted: str) -> str:
        return make_unique_name(wanted, self.names)

    def real(self, name: str, scale: str, zero: str, axis: int = 0) -> str:
        """The floats that a quantized tensor represents: itself, if it is among those that are floats; else a constant of them."""
        if name in self.floats:
            return name
        numbers = self.known(name)
        if numbers is None:
            output = self.name(f"{name}_real")
            self.keep(helper.make_node("DequantizeLinear", [name, scale, *([zero] if zero else [])], [output], axis=axis))
            return output
        return self.new(self.numbers(numbers, scale, zero, axis), _stem(name))

    def numbers(self, stored: Array, scale: str, zero: str, axis: int) -> Array:
        """`(stored - zero) * scale`."""
        by = self.needed(scale, "a scale")
        offset = self.needed(zero, "a zero point") if zero else np.zeros((), np.int64)
        shape = [1] * stored.ndim
        if by.size > 1 or offset.size > 1:
            shape[axis] = max(by.size, offset.size)
        whole = stored.astype(np.int64) - _shaped(offset.astype(np.int64), shape)
        made: Array = (whole * _shaped(by.astype(np.float64), shape)).astype(by.dtype)
        return made

    def settled(self, made: str, node: onnx.NodeProto, zero: str) -> None:
        """Gives the node's output what was made for it, with a Relu if its least number is 0."""
        output = node.output[0]
        offset = self.known(zero) if zero else np.zeros((), np.uint8)
        cut = offset is not None and offset.dtype.kind in "iu" and bool((offset == np.iinfo(offset.dtype).min).all())
        if cut and not self._is_positive(made):
            self.rectified += 1
            self.keep(helper.make_node("Relu", [made], [output]))
        else:
            self.keep(helper.make_node("Identity", [made], [output]))
        self.floats.add(output)

    def _is_positive(self, name: str) -> bool:
        """Whether a tensor has no negative numbers, as far as the operators before it say so."""
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

    def _store(self) -> None:
        """Leaves constants that are taken, all inside."""
        taken = {name for node in self.nodes for name in node.input} | {o.name for o in self.graph.output}
        taken |= {name for node in self.nodes for a in node.attribute for g in (a.g, *a.graphs) for inner in g.node for name in inner.input}
        kept = [t for t in self.graph.initializer if t.name in taken]
        try:
            plain = [numpy_helper.from_array(array(t, self.folder), t.name) if t.data_location == TensorProto.EXTERNAL else t for t in kept]
        except Unreadable as error:
            self.obstacles.append(Obstacle("the file", str(error), self.graph.name))
            return
        del self.graph.initializer[:]
        self.graph.initializer.extend(plain)


def _shaped(numbers: Array, shape: Sequence[int]) -> Array:
    return numbers.reshape(shape) if numbers.size > 1 else numbers.reshape(())


def _stem(name: str) -> str:
    """The name of a weight before a quantizer called it otherwise."""
    for end in ("_quantized", "_Q4", "_Q8", ".quant"):
        if name.endswith(end):
            return name[: -len(end)]
    return name
