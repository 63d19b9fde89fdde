"""Reads the page of ONNX Runtime's kernels.

>>> page = '''## Operators implemented by CPUExecutionProvider
... |**Operator Domain:** *ai.onnx*||||
... |Abs|*in* X:**T**<br> *out* Y:**T**|13+|**T** = tensor(double), tensor(float)|
... |||[6, 12]|**T** = tensor(float)|
... '''
>>> read_kernels(page, "CPUExecutionProvider")
{'Abs': ['13+ T=float32,float64', '6-12 T=float32']}
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from netc.compiler.types.tensor_types import DTYPES

_DOMAIN = re.compile(r"\|\*\*Operator Domain:\*\* \*(\S+)\*")
_CONSTRAINT = re.compile(r"\*\*(\w+)\*\* = (.*)")
_OTHER_NAMES = {"float": "float32", "double": "float64"}


def read_kernels(page: str, provider: str) -> dict[str, list[str]]:
    """Return the rows of the standard operators by operator, in the form of the table's file."""
    kernels: dict[str, list[str]] = {}
    domain = operator = ""
    for line in _find_section(page, provider):
        match = _DOMAIN.match(line)
        if match is not None:
            domain = match[1]
            continue
        cells = line.strip("\n").split("|")
        if domain != "ai.onnx" or len(cells) != 6:
            continue
        operator = cells[1] or operator
        kernels.setdefault(operator, []).append(_format_row(cells[3], cells[4]))
    if not kernels:
        raise ValueError(f"the page has no kernels of {provider}")
    return kernels


def _find_section(page: str, provider: str) -> list[str]:
    sections = page.split("## Operators implemented by ")
    return next((section.splitlines() for section in sections[1:] if section.split()[0] == provider), [])


def _format_row(versions: str, constraints: str) -> str:
    return " ".join([versions.strip("[]").replace(", ", "-"), *filter(None, map(_format_constraint, constraints.split("<br/>")))])


def _format_constraint(text: str) -> str:
    """Format the element types of one type parameter. Empty if it is of no tensors, such as sequences."""
    match = _CONSTRAINT.fullmatch(text.strip())
    if match is None:
        return ""
    names = [_OTHER_NAMES.get(name, name) for name in re.findall(r"(?<!\()\btensor\((\w+)\)", match[2])]
    return f"{match[1]}={','.join(sort_types(names))}" if names else ""


def sort_types(names: Iterable[str]) -> list[str]:
    """Sort names of element types: netc's in their order, then others."""
    order = {name: index for index, name in enumerate(DTYPES)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))
