"""The nodes of a function, with the attributes of one call.

In: a node of a model-local or a standard function, and the attributes of the call. Out: the node with values for the attributes that refer
to the call's: `alpha: @slope` becomes `alpha: 0.1` for `Activation(slope=0.1)`. Attributes that the call leaves out are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx


def fill_attributes(node: onnx.NodeProto, given: Mapping[str, onnx.AttributeProto]) -> onnx.NodeProto:
    """A node of a function, with the attributes of the call."""
    if not any(a.ref_attr_name for a in node.attribute):
        return node
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            copy.attribute.append(attribute)
        elif attribute.ref_attr_name in given:
            made = copy.attribute.add()
            made.CopyFrom(given[attribute.ref_attr_name])
            made.name = attribute.name
    return copy
