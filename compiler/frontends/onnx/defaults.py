"""Decides whether an attribute that no importer has read may stay unread.

    >>> is_default(onnx.helper.make_node("Softmax", ["x"], ["y"], axis=-1), "axis", 17)
    True

An attribute that netc does not know may change the result, so the import refuses it unless it has its default value.
"""

from __future__ import annotations

import onnx

from ...onnx_standard.operator_schemas import find_schema

_HARMLESS = frozenset([
    "stash_type", "saturate", "round_mode", "storage_order", "extrapolation_value", "exclude_outside", "cubic_coeff_a", "nearest_mode",
    "output_datatype", "dtype", "consumed_inputs", "momentum", "kernel_shape", "hidden_size", "auto_pad", "pads",
    "coordinate_transformation_mode", "antialias", "softmax_precision", "keep_aspect_ratio_policy", "activation_alpha", "activation_beta",
    "axis", "noop_with_empty_axes", "keepdims", "num_outputs", "mode", "inplace", "ratio", "seed", "direction", "activations",
    "q_num_heads", "kv_num_heads",
])  # fmt: skip
"""Attributes that do not change the result, or not in the cases in which an importer does not ask for them."""


def is_default(node: onnx.NodeProto, name: str, version: int) -> bool:
    """Return whether an attribute has its default value."""
    if name in _HARMLESS:
        return True
    schema = find_schema(node.op_type, version)
    declared = None if schema is None else schema.attributes.get(name)
    if declared is None or not declared.default_value.name:
        return False
    return bool(
        onnx.helper.get_attribute_value(declared.default_value)
        == next(onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name)
    )
