"""Nodes for one opset, as a builder gets them.

In: nodes in the newest form. Out: nodes that the opset has, in the builder. Always: element types that the opset lacks for an operator are
converted around it; every value that is made here has a known element type where its inputs have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ....types.tensor_types import DTYPES, DType
from ..messages import GraphProto
from ..onnx_builder import BuilderNode, GraphBuilder
from ..unsupported_in_onnx import NotInOpset
from .forms import FORMS
from .node import AskedNode
from .schemas import NodeForm, allowed, has, lowest, output_variables, results, schema, variables

_WIDER = {"bfloat16": "float32", "float16": "float32", "bool": "uint8", "int8": "int32", "uint8": "int32", "int16": "int32"}
"""What replaces an element type that an operator does not take."""


class Lowering:
    """See the module's docstring."""

    def __init__(self, builder: GraphBuilder, opset: int) -> None:
        self.builder = builder
        self.opset = opset
        self.dtypes: _Types = _Types(builder)

    def add(self, op_type: str, name: str, inputs: Sequence[str], count: int, attributes: dict[str, object]) -> BuilderNode:
        form = NodeForm(op_type, len(inputs), attributes)
        if has(form, self.opset):
            return self._converted(op_type, name, inputs, count, self._with_bodies(attributes))
        stands = FORMS.get(op_type)
        node = AskedNode(self.builder, self.dtypes, op_type, name, inputs, count, attributes)
        made = stands(node) if stands is not None else None
        if made is None:
            least = lowest(form, self.opset)
            raise NotInOpset(f"opset {self.opset} has no `{op_type}` of this kind" + (f", opset {least} has" if least else ""))
        found = self.dtypes.makers[made[0]]
        assert found.outputs == made
        return found

    def declare(self, types: Mapping[str, DType]) -> None:
        self.dtypes.update(types)

    def has(self, op_type: str) -> bool:
        return schema(op_type, self.opset) is not None

    def _converted(self, op_type: str, name: str, inputs: Sequence[str], count: int, attributes: dict[str, object]) -> BuilderNode:
        """The node, with conversions around it where the opset lacks a type."""
        types = [self.dtypes.get(value) if value else None for value in inputs]
        wide = self._wider(op_type, types)
        if not wide:
            return self._plain(op_type, name, inputs, count, attributes, types)
        given = [
            self._cast(name, value, wide.get(own)) for value, own in zip(inputs, variables(op_type, self.opset, len(inputs)), strict=True)
        ]
        node = self._plain(op_type, name, given, count, attributes, [self.dtypes.get(value) if value else None for value in given])
        narrow = dict(zip(variables(op_type, self.opset, len(inputs)), types, strict=True))
        back = [narrow.get(own) if own in wide else None for own in output_variables(op_type, self.opset, count)]
        if not any(back):
            return node
        assert count == 1, "nodes with several results have types that all opsets have"
        return self.dtypes.makers[self._cast(name, node.outputs[0], back[0])]

    def _wider(self, op_type: str, types: Sequence[DType | None]) -> dict[str, DType]:
        """The types that are needed in place of those given, by type variable."""
        wide: dict[str, DType] = {}
        for own, dtype in zip(variables(op_type, self.opset, len(types)), types, strict=True):
            known = allowed(op_type, self.opset, own)
            if dtype is None or not known or dtype.name in known:
                continue
            other = dtype.name
            while other not in known:
                if other not in _WIDER:
                    raise NotInOpset(f"opset {self.opset} has no `{op_type}` of {dtype}")
                other = _WIDER[other]
            wide[own] = DTYPES[other]
        return wide

    def _cast(self, name: str, value: str, dtype: DType | None) -> str:
        if dtype is None or not value:
            return value
        place = self.builder.node_names.unique(f"{name}/Cast")
        return self._plain("Cast", place, [value], 1, {"to": dtype}, [self.dtypes.get(value)]).outputs[0]

    def _plain(
        self,
        op_type: str,
        name: str,
        inputs: Sequence[str],
        count: int,
        attributes: dict[str, object],
        types: Sequence[DType | None],
    ) -> BuilderNode:
        node = self.builder.add_as_it_is(op_type, name, inputs, count, attributes)
        self.dtypes.note(node, results(op_type, types, attributes, count))
        return node

    def _with_bodies(self, attributes: dict[str, object]) -> dict[str, object]:
        """The nodes of loops that are attributes have what the opset has: parts that are equal need no number."""
        for value in attributes.values():
            for node in value.node if isinstance(value, GraphProto) else ():
                known = schema(node.op_type, self.opset).attributes
                kept = [attribute for attribute in node.attribute if attribute.name in known]
                del node.attribute[:]
                node.attribute.extend(kept)
        return attributes


class _Types(dict[str, "DType | None"]):
    """Element types by value, and the nodes that make values."""

    def __init__(self, builder: GraphBuilder) -> None:
        super().__init__()
        self.makers: dict[str, BuilderNode] = {}
        self._builder = builder

    def __missing__(self, value: str) -> DType | None:
        stored = self._builder.stored.get(value)
        return stored.dtype if stored is not None else None

    def get(self, value: str, default: object = None) -> DType | None:
        return self[value]

    def note(self, node: BuilderNode, types: Sequence[DType | None]) -> None:
        self.update(zip(node.outputs, types, strict=True))
        self.makers.update(dict.fromkeys(node.outputs, node))
