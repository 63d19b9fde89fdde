"""Writes nodes for one opset into a builder.

In: nodes in the newest form. Out: nodes that the opset has, in the builder. Always: element types that the opset lacks for an operator are
converted around it. A new value has a known element type if its inputs have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from ....onnx_standard.operator_schemas import find_schema
from ....types.tensor_types import DTYPES, DType
from ..messages import GraphProto
from ..onnx_builder import BuilderNode, GraphBuilder
from ..size_nodes import is_size_operator
from ..unsupported_in_onnx import NotInOpset
from .device_forms import BROKEN_ATTRIBUTES, DEVICE_FORMS, WRONG_KERNELS
from .forms import FORMS
from .node import RequestedNode
from .schemas import (
    NodeForm,
    find_lowest_opset,
    has_form,
    infer_result_types,
    list_allowed_types,
    list_input_variables,
    list_output_variables,
)

_WIDER = {"bfloat16": "float32", "float16": "float32", "bool": "uint8", "int8": "int32", "uint8": "int32", "int16": "int32"}
"""The wider element type for one that an operator does not take."""

ListKernelTypes = Callable[[str, int, str], "Collection[str] | None"]
"""Lists the element types of an operator, in an opset, for a type parameter. Empty if all types do, None if no type does."""


class Lowering:
    """Lowers the nodes of one builder."""

    def __init__(self, builder: GraphBuilder, opset: int, list_kernel_types: ListKernelTypes | None = None, device: str = "") -> None:
        """`list_kernel_types` lists the element types that `device` has kernels for. Other types are converted too, if that helps."""
        self.builder = builder
        self.opset = opset
        self._list_kernel_types = list_kernel_types
        self._device = device
        self._lacking = 0
        """The number of nodes so far that the device has no kernel for."""
        self._sizes: set[str] = set()
        """Values that are computed from sizes alone, on the CPU."""
        self.dtypes: _ValueTypes = _ValueTypes(builder)

    def add_node(self, op_type: str, name: str, inputs: Sequence[str], count: int, attributes: dict[str, object]) -> BuilderNode:
        form = NodeForm(op_type, len(inputs), attributes)
        node = RequestedNode(self.builder, self.dtypes, op_type, name, inputs, count, attributes)
        if has_form(form, self.opset):
            replaced = self._replace_for_device(node)
            if replaced is not None:
                return replaced
            return self._add_with_casts(op_type, name, inputs, count, self._lower_bodies(attributes))
        replace = FORMS.get(op_type)
        outputs = replace(node) if replace is not None else None
        if outputs is None:
            least = find_lowest_opset(form, self.opset)
            raise NotInOpset(f"opset {self.opset} has no `{op_type}` of this kind" + (f", opset {least} has" if least else ""))
        return self._get_producer(outputs)

    def _get_producer(self, outputs: tuple[str, ...]) -> BuilderNode:
        node = self.dtypes.producers[outputs[0]]
        assert node.outputs == outputs
        return node

    def _replace_for_device(self, node: RequestedNode) -> BuilderNode | None:
        """Write other nodes if the device's kernel is wrong, or if it has none for the first input's type, nor for a wider one."""
        wrong = WRONG_KERNELS.get((self._device, node.op_type))
        replace, dtype = wrong or DEVICE_FORMS.get(node.op_type), self.dtypes.get(node.inputs[0]) if node.inputs else None
        if self._list_kernel_types is None or replace is None or dtype is None:
            return None
        (variable,) = list_input_variables(node.op_type, self.opset, 1)
        known = self._list_kernel_types(node.op_type, self.opset, variable)
        if wrong is None and known is not None and (not known or self._choose_kernel_type(dtype.name, known) in known):
            return None
        before = self._lacking
        outputs = replace(node)
        if outputs is not None and self._lacking == before:
            return self._get_producer(outputs)
        # The device lacks a part too. What is written of the replacement stays unused, and is pruned.
        self._lacking = before
        return None

    def declare_types(self, types: Mapping[str, DType]) -> None:
        self.dtypes.update(types)

    def has_operator(self, op_type: str) -> bool:
        return find_schema(op_type, self.opset) is not None

    def runs_attribute(self, op_type: str, attribute: str) -> bool:
        return (self._device, op_type, attribute) not in BROKEN_ATTRIBUTES

    def has_kernel(self, op_type: str) -> bool:
        return self._has_kernels(op_type, [None])

    def _add_with_casts(self, op_type: str, name: str, inputs: Sequence[str], count: int, attributes: dict[str, object]) -> BuilderNode:
        """Add the node, with conversions around it where the opset lacks a type."""
        types = [self.dtypes.get(value) if value else None for value in inputs]
        wide = self._find_wider_types(op_type, types)
        if not wide:
            return self._add_plain(op_type, name, inputs, count, attributes, types)
        cast_inputs = [
            self._add_cast(name, value, wide.get(variable))
            for value, variable in zip(inputs, list_input_variables(op_type, self.opset, len(inputs)), strict=True)
        ]
        node = self._add_plain(
            op_type, name, cast_inputs, count, attributes, [self.dtypes.get(value) if value else None for value in cast_inputs]
        )
        narrow = dict(zip(list_input_variables(op_type, self.opset, len(inputs)), types, strict=True))
        back = [narrow.get(variable) if variable in wide else None for variable in list_output_variables(op_type, self.opset, count)]
        # A result is converted back only if its type variable was widened: a comparison gives bool anyway.
        if not any(back):
            return node
        results = tuple(self._add_cast(name, output, dtype) for output, dtype in zip(node.outputs, back, strict=True))
        return self.dtypes.producers[results[0]] if count == 1 else self._join_results(node, results)

    def _join_results(self, node: BuilderNode, results: tuple[str, ...]) -> BuilderNode:
        """Return a node with all results, for the caller only: in the graph, several nodes make them."""
        joined = BuilderNode(node.op_type, node.name, node.inputs, results, {})
        self.dtypes.producers.update(dict.fromkeys(results, joined))
        return joined

    def _find_wider_types(self, op_type: str, types: Sequence[DType | None]) -> dict[str, DType]:
        """Find the wider types that are needed, by type variable."""
        wide: dict[str, DType] = {}
        for variable, dtype in zip(list_input_variables(op_type, self.opset, len(types)), types, strict=True):
            known = list_allowed_types(op_type, self.opset, variable)
            if dtype is None or not known:
                continue
            wider = _find_wider_name(dtype.name, known)
            if wider is None:
                raise NotInOpset(f"opset {self.opset} has no `{op_type}` of {dtype}")
            if self._list_kernel_types is not None:
                # A type without a kernel stays if no wider one has a kernel either: the node runs elsewhere then.
                wider = self._choose_kernel_type(wider, self._list_kernel_types(op_type, self.opset, variable) or known)
            if wider != dtype.name:
                wide[variable] = DTYPES[wider]
        return wide

    def _choose_kernel_type(self, name: str, known: Collection[str]) -> str:
        """Return the type with a kernel that holds the numbers of another one. It is the same if there is none, or if the device cannot
        convert between both."""
        wider = _find_wider_name(name, known)
        if wider is None:
            wider = "float32" if name == "bool" and "float32" in known else name
        return wider if wider == name or all(self._has_kernels("Cast", [DTYPES[end]]) for end in (name, wider)) else name

    def _has_kernels(self, op_type: str, types: Sequence[DType | None]) -> bool:
        """Whether the device has a kernel of an operator for each of these element types of its inputs. None stands for any type."""
        if self._list_kernel_types is None:
            return True
        variables = list_input_variables(op_type, self.opset, len(types))
        allowed = (self._list_kernel_types(op_type, self.opset, variable) for variable in variables)
        return all(
            known is not None and (dtype is None or not known or dtype.name in known) for known, dtype in zip(allowed, types, strict=True)
        )

    def _add_cast(self, name: str, value: str, dtype: DType | None) -> str:
        if dtype is None or not value:
            return value
        place = self.builder.node_names.make_unique(f"{name}/Cast")
        return self._add_plain("Cast", place, [value], 1, {"to": dtype}, [self.dtypes.get(value)]).outputs[0]

    def _add_plain(
        self,
        op_type: str,
        name: str,
        inputs: Sequence[str],
        count: int,
        attributes: dict[str, object],
        types: Sequence[DType | None],
    ) -> BuilderNode:
        node = self.builder.add_plain_node(op_type, name, inputs, count, attributes)
        computed = [value for value in inputs if value and value not in self.builder.stored]
        if is_size_operator(op_type) or (computed and self._sizes.issuperset(computed)):
            self._sizes.update(node.outputs)
        elif computed and not self._has_kernels(op_type, types):
            self._lacking += 1
        self.dtypes.record_node(node, infer_result_types(op_type, types, attributes, count))
        return node

    def _lower_bodies(self, attributes: dict[str, object]) -> dict[str, object]:
        """Remove attributes of nodes in loops that the opset lacks: `num_outputs` of equal parts is one."""
        for value in attributes.values():
            for node in value.node if isinstance(value, GraphProto) else ():
                known = find_schema(node.op_type, self.opset).attributes
                kept = [attribute for attribute in node.attribute if attribute.name in known]
                del node.attribute[:]
                node.attribute.extend(kept)
        return attributes


def _find_wider_name(name: str, known: Collection[str]) -> str | None:
    """Return the first of a type and its wider ones that is known."""
    wider: str | None = name
    while wider is not None and wider not in known:
        wider = _WIDER.get(wider)
    return wider


class _ValueTypes(dict[str, "DType | None"]):
    """Element types by value, and the nodes that make values."""

    def __init__(self, builder: GraphBuilder) -> None:
        super().__init__()
        self.producers: dict[str, BuilderNode] = {}
        self._builder = builder

    def __missing__(self, value: str) -> DType | None:
        stored = self._builder.stored.get(value)
        return stored.dtype if stored is not None else None

    def get(self, value: str, default: object = None) -> DType | None:  # `dict.get` would not call `__missing__`
        return self[value]

    def record_node(self, node: BuilderNode, types: Sequence[DType | None]) -> None:
        self.update(zip(node.outputs, types, strict=True))
        self.producers.update(dict.fromkeys(node.outputs, node))
