"""Reads the page of TensorRT's operators.

>>> page = '''TensorRT 10.15 supports operators in the inclusive range of opset 9 to opset 24.
... | Operator | Supported | Supported Types | Restrictions |
... |----------|-----------|-----------------|--------------|
... | MaxPool | Y | FP32, FP16 | 2D or 3D pooling only.
... | Unique  | N |
... '''
>>> read_operators(page)
{'version': '10.15', 'opsets': [9, 24], 'operators': {'MaxPool': 'float32,float16'}}
"""

from __future__ import annotations

import re
from typing import Any

from netc.compiler.types.tensor_types import DTYPES

_OPSETS = re.compile(r"TensorRT (\d+\.\d+) supports operators in the inclusive range of opset (\d+) to opset (\d+)")
_NAMES = {"FP32": "float32", "FP16": "float16", "BF16": "bfloat16"}


def read_operators(page: str) -> dict[str, Any]:
    """Return the version, the range of opsets, and the element types of each operator that TensorRT has."""
    match = _OPSETS.search(page)
    if match is None:
        raise ValueError("the page does not say which opsets TensorRT supports")
    operators = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) > 2 and cells[1] == "Y":
            operators[cells[0]] = ",".join(_read_types(cells[2]))
    return {"version": match[1], "opsets": [int(match[2]), int(match[3])], "operators": operators}


def _read_types(cell: str) -> list[str]:
    names = [_NAMES.get(name, name.lower()) for name in re.findall(r"\w+", cell)]
    return [name for name in names if name in DTYPES]
