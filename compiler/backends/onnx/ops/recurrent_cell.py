"""Emit recurrent cells as a product with the input, one with the state, and the step between them (recurrence.py).

>>> import netc
>>> [node.op_type for node in netc.compile("x = input 3; h = input 4; (x, h) -> rnn_cell 4").onnx().graph.node]
['Gemm', 'Gemm', 'Add', 'Tanh']
"""

from __future__ import annotations

import numpy as np

from ....ops.recurrent_cell import GruCell, LstmCell, RecurrentCell, RnnCell
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import FLOAT32
from ..onnx_emitters import Site, emits
from ..recurrence import STEPS, Names


@emits(
    RnnCell,
    GruCell,
    LstmCell,
    onnx={RnnCell: "Gemm and Tanh or Relu", GruCell: "Gemm, Split, Sigmoid and Tanh", LstmCell: "Gemm, Split, Sigmoid and Tanh"},
)
def emit_cell(op: RecurrentCell, site: Site) -> tuple[str, ...]:
    return _CellEmitter(op, site).emit_step()


class _CellEmitter:
    """Emits the nodes of one step."""

    def __init__(self, op: RecurrentCell, site: Site) -> None:
        self.op, self.site = op, site
        self.given = site.given.x.dtype
        self.dtype = FLOAT32 if self.given.name == "bfloat16" else self.given
        """The type of the computation: ONNX Runtime has no kernels for bfloat16."""
        self.zero_product: str | None = None

    def emit_step(self) -> tuple[str, ...]:
        x, *states = (self._cast_to_compute(name) for name in self.site.inputs)
        projected = self._emit_product(states[0], "hh") if states else self._make_zero_product()
        before = states or [self.site.scalar(0.0, self.dtype)] * len(self.op.kept)
        after = STEPS[type(self.op)](self.op, self, self._emit_product(x, "ih"), projected, before)
        return tuple(name if self.dtype == self.given else self.site.cast(name, self.given) for name in after[: len(self.site.results)])

    def _emit_product(self, x: str, end: str) -> str:
        weight, bias = self._read_parameter(f"weight_{end}"), self._read_parameter(f"bias_{end}") if self.op.bias else ""
        if self.site.given.x.rank == 2:
            return self.site.add("Gemm", [x, weight, bias], transB=1)
        product = self.site.add("MatMul", [x, self.site.add("Transpose", [weight], perm=[1, 0])])
        return self.site.add("Add", [product, bias]) if bias else product

    def _make_zero_product(self) -> str:
        """Return the product of a zero state, which has one axis: the bias, or zeros."""
        if self.op.bias:
            self.zero_product = self._read_parameter("bias_hh")
        else:
            assert isinstance(self.op.hidden, int), "sizes of parameters are known"
            self.zero_product = self.site.constant(np.zeros(self.op.gates * self.op.hidden, numpy_dtype(self.dtype)))
        return self.zero_product

    def _read_parameter(self, name: str) -> str:
        return self._cast_to_compute(self.site.parameter(name))

    def _cast_to_compute(self, name: str) -> str:
        return name if self.dtype == self.given else self.site.cast(name, self.dtype)

    # --- what a step is written with ---------------------------------------------------------------------------------------

    def add(self, op_type: str, *inputs: str) -> str:
        return self.site.add(op_type, inputs)

    def split_gates(self, x: str, count: int) -> Names:
        last = 0 if x == self.zero_product else self.site.given.x.rank - 1  # WebGPU takes no negative axis here
        return list(self.site.add_many("Split", [x], count, axis=last, num_outputs=count))
