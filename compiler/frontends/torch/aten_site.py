"""One use of an aten operator, as its reader sees it.

In: a node of torch.export and the graph that is being built. Out: the arguments by name, with the defaults of the schema. Tensors are
values of the graph, and sizes are dimensions. The site also adds operators to the graph. Always: an argument without a counterpart raises
`ImportRefused`.

    @reads("lerp")
    def read_lerp(site: AtenSite) -> Value:
        return site.apply_op("lerp", site.tensor(), site.tensor("end"), site.tensor("weight"))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import getitem
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from ...dims import Dim, SymDim
from ...ir.graph import CallNode, OpNode, Tie
from ...ir.graph_values import Value
from ...ops.formula import Const
from ...types.numpy_types import to_array
from ...types.tensor_types import DType, Shape
from ..constants import make_formula_table
from ..graph_builder import ImportRefused
from .call_scope import GraphScope
from .keys import StoredTensor, split_relative_path
from .node_targets import bind_arguments, is_complex, is_empty, operator_name, to_dtype

Number = Dim | float | bool
_LARGEST_END = 2**62
"""Slices to the end have an end as large as this."""
_HALF_FROZEN = "Some layers have frozen parameters and trained ones"


class AtenSite:
    """One node. `args` has its arguments by the names of the operator's schema."""

    def __init__(self, node: Node, scope: GraphScope) -> None:
        self.node = node
        self.scope = scope
        self.args = bind_arguments(node)
        self.name = operator_name(node)

    # --- arguments -----------------------------------------------------------------------------------------------------------

    def has_argument(self, name: str) -> bool:
        return self.args.get(name) is not None

    def leave_to_result(self, *names: str) -> None:
        """Use no value of these arguments, since the shapes of the results show them: `split_size`."""
        self.args.used.update(names)

    def is_tensor(self, name: str) -> bool:
        return isinstance(self.args.get(name), Node) and _is_tensor(self.args[name])

    def tensor(self, name: str = "self") -> Value:
        """Return the argument of this name as a tensor of the graph."""
        return self._to_tensor(self.args[name])

    @property
    def first_tensor(self) -> Value:
        """The first argument, by any name: schemas call it `self`, `input` or `x`."""
        return self.tensor(next(iter(self.args)))

    def complex_pairs(self, name: str = "self") -> Value:
        """Return the argument as a tensor, for readers that know complex numbers as pairs on a last axis of size 2."""
        return self.pairs_of(self.args[name])

    def pairs_of(self, node: Node) -> Value:
        """Return a complex tensor as pairs."""
        value = self.scope.get_value(node)
        assert isinstance(value, Value)
        return value

    def widened_tensor(self, constant: str, name: str = "self") -> Value:
        """Return a tensor in the type that PyTorch computes in with a constant, where a number in the constant's place is of another type:
        integers times a constant in float64."""
        x = self.tensor(name)
        if not self.is_tensor(constant) or self.number_of(constant) is None:
            return x
        fake, given = self.args[name].meta["val"], self.args[constant].meta["val"]
        number = 0.0 if given.dtype.is_floating_point else 0 if given.dtype != torch.bool else False
        computed = torch.result_type(fake, given)
        return x if computed == torch.result_type(fake, number) else self.cast(x, to_dtype(computed))

    def optional_tensor(self, name: str) -> Value | None:
        return self.tensor(name) if self.has_argument(name) else None

    def tensors(self, name: str) -> list[Value]:
        """Return a list of tensors, without those that have no elements."""
        return [self._to_tensor(item) for item in self.args[name] if not is_empty(item)]

    def tensor_of(self, item: Any) -> Value:
        """Return an element of a list among the arguments as a tensor."""
        return self._to_tensor(item)

    def index_from_front(self, node: Node, size: Dim) -> Value:
        """Return a tensor of indices. Indices of constants and buffers that count from the end are converted to count from the front."""
        constant = self.scope.model.constants.values.get(node)
        values = self.scope.model.find_values(node)
        if values is None or not bool((values < 0).any()):
            return self._to_tensor(node)
        if constant is not None and isinstance(size, int):
            return self.scope.builder.add_node(make_formula_table(to_array(values % size)))[0]
        return self.apply_op("remainder", self._to_tensor(node), other=size)

    def reads_result(self, number: int) -> bool:
        """Return whether anything reads the result with this number."""
        return any(user.args[1] == number and user.users for user in self.node.users if user.target is getitem)

    def constant_formula(self, number: Number) -> Const:
        """Return the formula of a number."""
        return Const(number)

    def _to_tensor(self, argument: Any) -> Value:
        if not isinstance(argument, Node):
            raise ImportRefused("it is given a number where netc needs a tensor")
        if is_empty(argument):
            raise ImportRefused("it is given a tensor without elements, which a spec does not have")
        # netc has no complex element type. The spectral readers know a complex tensor as pairs and ask for `complex_pairs` instead.
        if is_complex(argument):
            raise ImportRefused("works on complex numbers; compute with their real and imaginary parts", "use `torch.view_as_real`")
        value = self.scope.get_value(argument)
        if isinstance(value, tuple):
            raise ImportRefused("it is given several tensors where netc needs one")
        return value

    def number_of(self, name: str) -> Number | None:
        """Return the argument as a number, also if it is a constant tensor of one element. None for any other tensor."""
        argument = self.args[name]
        if isinstance(argument, Node) and _is_tensor(argument):
            number, fake = self.scope.model.constants.get_number(argument), argument.meta["val"]
            if number is None or (fake.dim() and not self._is_shaped_without(argument)):
                return None
            return _shorten(number) if fake.dtype == torch.float32 and not self._is_float64() else number
        return self._to_number(argument)

    def _is_float64(self) -> bool:
        """Whether a tensor is float64, so that numbers are not rounded to float32."""
        return any(node.meta["val"].dtype == torch.float64 for node in self.node.all_input_nodes if _is_tensor(node))

    def _is_shaped_without(self, constant: Node) -> bool:
        """Whether another tensor has the shape of the result, and the constant's element type, so that a number in the place of the
        constant changes neither."""
        others = [node.meta["val"] for node in self.node.all_input_nodes if node is not constant and _is_tensor(node)]
        shape = self.result_shape() if isinstance(self.result, torch.Tensor) else None
        dtype = constant.meta["val"].dtype
        return any(one.dtype == dtype and tuple(map(self.scope.model.sizes.to_dim, one.shape)) == shape for one in others)

    def number(self, name: str) -> Number:
        return self._to_number(self.args[name])

    def fixed_number(self, name: str) -> float | bool:
        """Return a number that does not depend on sizes."""
        number = self.number(name)
        if isinstance(number, SymDim):
            raise ImportRefused(f"`{name}` depends on the sizes of the input")
        return number

    def _to_number(self, argument: Any) -> Number:
        if isinstance(argument, Node):
            value = argument.meta["val"]
            if not isinstance(value, torch.SymInt):
                raise ImportRefused("it is given a number that depends on sizes and is no integer")
            return self.scope.model.sizes.to_dim(value)
        if not isinstance(argument, bool | int | float):
            raise ImportRefused(f"it is given {type(argument).__name__} where netc needs a number")
        return argument

    def size(self, name: str) -> Dim:
        """Return the argument as a size, or as any integer."""
        return self.size_of(self.args[name])

    def sizes(self, name: str) -> tuple[Dim, ...]:
        return tuple(self.size_of(item) for item in self.args[name])

    def size_of(self, argument: Any) -> Dim:
        """Return an argument, or an element of a list among the arguments, as a size."""
        number = self._to_number(argument)
        # A bool is an int in Python, but no size.
        if isinstance(number, bool | float):
            raise ImportRefused("it is given a size that is no integer")
        return number

    def integer(self, name: str) -> int:
        """Return an integer that does not depend on sizes."""
        size = self.size(name)
        if isinstance(size, SymDim):
            raise ImportRefused(f"`{name}` depends on the sizes of the input")
        return size

    def integers(self, name: str) -> tuple[int, ...]:
        """Return integers that do not depend on sizes. A single one counts as a list, as PyTorch takes `dim=1` for `dim=[1]`."""
        argument = self.args[name]
        items = argument if isinstance(argument, list | tuple) else [argument]
        result = tuple(self.size_of(item) for item in items)
        if any(isinstance(item, SymDim) for item in result):
            raise ImportRefused(f"`{name}` depends on the sizes of the input")
        return result  # type: ignore[return-value]

    def axes(self, name: str = "dim") -> tuple[int, ...] | None:
        """Return the axes, or None for all of them: PyTorch writes that as None or an empty list."""
        argument = self.args.get(name)
        return self.integers(name) if argument is not None and argument != [] else None

    def dtype(self, name: str = "dtype") -> DType | None:
        argument = self.args.get(name)
        return to_dtype(argument) if argument is not None else None

    def slice_start(self) -> Dim:
        """Return the start of a slice."""
        start = self.slice_end("start")
        return 0 if start is None else start

    def slice_end(self, name: str) -> Dim | None:
        """Return the end of a slice, or None for the end of the axis."""
        if not self.has_argument(name):
            return None
        size = self.size(name)
        return None if isinstance(size, int) and size > _LARGEST_END else size

    @property
    def result(self) -> Any:
        """The fake tensors that torch.export recorded as the node's result."""
        return self.node.meta["val"]

    def result_shape(self, at: int | None = None) -> Shape:
        """Return the shape of the result."""
        fake = self.result if at is None else self.result[at]
        return tuple(self.scope.model.sizes.to_dim(size) for size in fake.shape)

    @property
    def result_dtype(self) -> DType:
        """The element type of the result."""
        return to_dtype(self.result.dtype)

    # --- new operators -------------------------------------------------------------------------------------------------------

    def apply_multi_op(self, operator: str, *inputs: Value, **arguments: Any) -> tuple[Value, ...]:
        return self.scope.builder.apply_multi_op(operator, *inputs, **arguments)

    def apply_op(self, operator: str, *inputs: Value, **arguments: Any) -> Value:
        return self.apply_multi_op(operator, *inputs, **arguments)[0]

    def cast(self, x: Value, dtype: DType | None) -> Value:
        """Return the tensor in another element type, or the tensor itself if it has that type."""
        return x if dtype is None or x.type.dtype == dtype else self.apply_op("cast", x, dtype=dtype)

    def reshape(self, x: Value, shape: Sequence[Dim]) -> Value:
        return x if tuple(shape) == x.type.shape else self.apply_op("reshape", x, shape=tuple(shape))

    def try_layer(self, operator: str, *inputs: Value, given: Mapping[str, str], **arguments: Any) -> tuple[Value, ...] | None:
        """Apply a layer that has the node's parameters as its own. None if they cannot be its own.

        `given` maps PyTorch's names of the parameters in modules to the arguments of the node.
        """
        slots = {name: self.args[argument] for name, argument in given.items() if self.args[argument] is not None}
        return self.try_layer_with_slots(operator, *inputs, slots=slots, **arguments)

    def try_layer_with_slots(
        self, operator: str, *inputs: Value, slots: Mapping[str, Any], statistics: bool = False, **arguments: Any
    ) -> tuple[Value, ...] | None:
        """Apply a layer, by the nodes of its parameters. None if they cannot be its own. `statistics`: some of them cannot be inputs."""
        if not all(isinstance(node, Node) for node in slots.values()):
            return None
        keys, call = self.scope.model.keys, self.scope.call
        owned = keys.claim_own(self.node, slots, statistics)
        if owned is None:
            return None
        # Parameters directly below the module's own path belong to its only operator, which has no label.
        label = call.relative_key(owned.prefix) if owned.prefix != call.path else ""
        tie = None
        if owned.tied is not None:
            name, key = owned.tied
            stage, target = split_relative_path(keys.find_graph_call(call), key)
            tie = Tie(name, stage, target, self.scope.builder.span)
        frozen = self._is_frozen([keys.stored[node] for node in slots.values()], owned.prefix)
        inputs, usual = self._match_parameter_type(inputs, slots)
        result = self.scope.builder.apply_multi_op(operator, *inputs, label=label, tie=tie, frozen=frozen, **arguments)
        # A layer on an axis whose size is not proved would have parameters of unknown shape.
        if any(not isinstance(size, int) for spec in self.last_node().specs for size in spec.shape):
            raise ImportRefused(f"cannot prove the size of its parameters: it is given {', '.join(str(tensor.type) for tensor in inputs)}")
        return tuple(self.cast(tensor, usual) for tensor in result)

    def _is_frozen(self, tensors: Sequence[StoredTensor], path: str) -> bool:
        """Whether a layer is not trained. Add a note if only some of its parameters are frozen: a stage is trained as a whole."""
        frozen = any(tensor.is_frozen for tensor in tensors)
        notes = self.scope.model.notes
        if frozen and not all(tensor.is_frozen or tensor.is_buffer for tensor in tensors) and _HALF_FROZEN not in " ".join(notes):
            notes.append(f"{_HALF_FROZEN}, such as `{path.removesuffix('.')}`: in the spec, none of their parameters is trained.")
        return frozen

    def _match_parameter_type(self, inputs: tuple[Value, ...], slots: Mapping[str, Any]) -> tuple[tuple[Value, ...], DType | None]:
        """Convert floats to the type of the layer's parameters, if it is another. Returns also the type of the results then.

        A norm takes 16-bit floats next to parameters in float32. Its kernel computes in float32 and rounds the result, as these casts do.
        """
        usual = next((tensor.type.dtype for tensor in inputs if tensor.type.dtype.is_float), None)
        dtypes = {to_dtype(node.meta["val"].dtype) for node in slots.values()}
        if usual is None or len(dtypes) != 1 or usual in dtypes or not all(dtype.is_float for dtype in dtypes):
            return inputs, None
        return tuple(self.cast(tensor, *dtypes) if tensor.type.dtype.is_float else tensor for tensor in inputs), usual

    def find_maker(self, x: Value) -> OpNode | CallNode | None:
        """Return the node of the spec's graph that makes a tensor. None for an input of the graph."""
        return next((node for node in self.scope.builder.graph.nodes if x in node.outputs), None)

    def last_node(self) -> OpNode:
        """Return the operator that was added last."""
        node = self.scope.builder.graph.nodes[-1]
        assert isinstance(node, OpNode)
        return node


def _shorten(number: float) -> float:
    """The shortest number that float32 rounds to the same: 0.7 for 0.699999988079071."""
    shortest = float(str(np.float32(number)))
    # The greatest float32 is 3.4028234663852886e+38, and its shortest digits, 3.4028235e+38, are a greater number.
    return shortest if abs(shortest) <= float(np.finfo(np.float32).max) else number


def _is_tensor(node: Node) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)
