"""Emits recurrences that ONNX has no operator for, or ONNX Runtime no kernel: a Scan over time, with one step as its body.

In: a use of a recurrent layer, the input of one of its cells, `[T, N, width]`, and the initial states, `[N, units]`. Out: names of the
outputs of the steps, `[T, N, units]`, and of the final states. Always: the products with the input are one, before the Scan. The body
takes nothing from outside: weights are states that do not change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ...ops.operator import Operator
from ...ops.recurrent import Gru, Lstm, Recurrent, Rnn
from ...ops.recurrent_cell import GruCell, LstmCell, RnnCell
from ...types.tensor_types import DType
from .attributes import make_attribute
from .messages import GraphProto
from .onnx_emitters import Site
from .onnx_types import element_code

Names = list[str]


Parameter = Callable[[str], str]
"""Returns the tensor of a parameter by its local name."""


def scan_cell(
    op: Recurrent, site: Site, parameter: Parameter, dtype: DType, flow: str, end: str, starts: Sequence[str]
) -> tuple[str, Names]:
    """Scan one cell, chosen by the suffix of its parameters' names, over the whole sequence. All tensors have the given element type."""

    def transpose_weight(name: str) -> str:
        return site.add("Transpose", [parameter(name + end)], perm=[1, 0])

    projected, constants = site.add("MatMul", [flow, transpose_weight("weight_ih")]), [transpose_weight("weight_hh")]
    if op.bias:
        projected = site.add("Add", [projected, parameter(f"bias_ih{end}")])
    # The hidden bias of a GRU is multiplied by the reset gate; other biases can be added once, before the loop.
    if op.bias and isinstance(op, Gru):
        constants.append(parameter(f"bias_hh{end}"))
    elif op.bias:
        projected = site.add("Add", [projected, parameter(f"bias_hh{end}")])
    if op.projection:
        constants.append(transpose_weight("weight_hr"))
    backwards = [1] if end.endswith("_reverse") else None
    outputs = site.add_many(
        "Scan",
        [*starts, *constants, projected],
        len(starts) + len(constants) + 1,
        body=_StepBody(f"{projected}/", dtype).build_step(op, len(starts), len(constants)),
        num_scan_inputs=1,
        scan_input_directions=backwards,
        scan_output_directions=backwards,
    )
    return outputs[-1], list(outputs[: len(starts)])


class Nodes(Protocol):
    """The body of the Scan while it is being written."""

    def add(self, op_type: str, *inputs: str) -> str:
        """Add a node and return its one result."""

    def split_gates(self, x: str, count: int) -> Names:
        """Split the last axis into `count` equal parts."""


class _StepBody:
    """Builds one step. Names begin with `prefix`, because they must differ from all names outside."""

    def __init__(self, prefix: str, dtype: DType) -> None:
        self.graph = GraphProto(name=f"{prefix}step")
        self.prefix = prefix
        self.code = element_code(dtype)

    def build_step(self, op: Recurrent, states: int, kept: int) -> GraphProto:
        """Build the step. Inputs and outputs are the states and the weights, then a slice of the input and the output that is
        collected."""
        before, weights, x = self._add_inputs("state", states), self._add_inputs("weight", kept), self._add_inputs("input", 1)
        after = STEPS[type(op)](op, self, x[0], self._project_state(op, before[0], weights), before)
        if op.projection:
            after[0] = self.add("MatMul", after[0], weights[-1])
        # The weights come out unchanged, and the first state twice, so both are copied.
        for name in (*after, *(self.add("Identity", w) for w in weights), self.add("Identity", after[0])):
            self.graph.output.add(name=name).type.tensor_type.elem_type = self.code
        return self.graph

    def _project_state(self, op: Recurrent, state: str, weights: Names) -> str:
        turned = self.add("MatMul", state, weights[0])
        return self.add("Add", turned, weights[1]) if op.bias and isinstance(op, Gru) else turned

    def _add_inputs(self, name: str, count: int) -> Names:
        names = [f"{self.prefix}{name}{index + 1}" for index in range(count)]
        for name in names:
            self.graph.input.add(name=name).type.tensor_type.elem_type = self.code
        return names

    def add(self, op_type: str, *inputs: str) -> str:
        return self.add_many(op_type, inputs, 1)[0]

    def split_gates(self, x: str, count: int) -> Names:
        # A step has the axes batch and features. WebGPU takes no negative axis here.
        return self.add_many("Split", [x], count, axis=1, num_outputs=count)

    def add_many(self, op_type: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> Names:
        number = len(self.graph.node) + 1
        names = [f"{self.prefix}{op_type}_{number}" + (f":{i}" if i else "") for i in range(outputs)]
        node = self.graph.node.add(op_type=op_type, input=inputs, output=names)
        node.attribute.extend([make_attribute(name, value) for name, value in attributes.items()])
        return names


# --- one step of each kind: the next states, from the products of input and state with their matrices, and the states before -------


def rnn_step(op: Any, nodes: Nodes, x: str, turned: str, states: Names) -> Names:
    return [nodes.add(op.nonlinearity.capitalize(), nodes.add("Add", x, turned))]


def gru_step(op: Any, nodes: Nodes, x: str, turned: str, states: Names) -> Names:
    (xr, xz, xn), (hr, hz, hn) = nodes.split_gates(x, 3), nodes.split_gates(turned, 3)
    reset, update = (nodes.add("Sigmoid", nodes.add("Add", a, b)) for a, b in ((xr, hr), (xz, hz)))
    new = nodes.add("Tanh", nodes.add("Add", xn, nodes.add("Mul", reset, hn)))
    return [nodes.add("Add", new, nodes.add("Mul", update, nodes.add("Sub", states[0], new)))]


def lstm_step(op: Any, nodes: Nodes, x: str, turned: str, states: Names) -> Names:
    i, f, g, o = nodes.split_gates(nodes.add("Add", x, turned), 4)
    fresh = nodes.add("Mul", nodes.add("Sigmoid", i), nodes.add("Tanh", g))
    cell = nodes.add("Add", nodes.add("Mul", nodes.add("Sigmoid", f), states[1]), fresh)
    return [nodes.add("Mul", nodes.add("Sigmoid", o), nodes.add("Tanh", cell)), cell]


Step = Callable[[Any, Nodes, str, str, Names], Names]
STEPS: dict[type[Operator], Step] = {
    **dict.fromkeys((Rnn, RnnCell), rnn_step),
    **dict.fromkeys((Gru, GruCell), gru_step),
    **dict.fromkeys((Lstm, LstmCell), lstm_step),
}
