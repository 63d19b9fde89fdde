"""Find the schema of an operator in the ONNX standard.

>>> find_schema("Gelu", 20).since_version, find_schema("Gelu", 19)
(20, None)
"""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def find_schema(op_type: str, opset: int) -> Any:
    """Find the schema of an operator in an opset. None if the opset has no operator of that name."""
    from onnx import defs  # imports all of onnx

    try:
        schema = defs.get_schema(op_type, opset, "")
    except defs.SchemaError:
        return None
    return None if schema.deprecated else schema
