"""Reads the kernels for WebGPU of ONNX Runtime Web.

The page docs/webgpu-operators.md, which each release of the package onnxruntime-web contains, has the versions. The element types are in
the C++ sources of the provider, which `cpp` expands.

>>> read_versions("| Relu | ai.onnx(6-12,13,14+); com.ms.internal.nhwc(1+) |  |")
{'Relu': ['6-12', '13', '14+']}
>>> source = 'ONNX_OPERATOR_KERNEL_EX(Relu, kOnnxDomain, 14, kJs, KernelDefBuilder().TypeConstraint("T", Floats()), Relu);'
>>> read_types([source, "List& Floats() { BuildFromTypeList<float, MLFloat16>(); }"])
{('Relu', '14+'): ['T=float32,float16']}
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .onnxruntime_page import sort_types

_ROW = re.compile(r"\| (\w+) \| .*?\bai\.onnx\(([\d,+-]+)\)")
_KERNEL = re.compile(r"ONNX_OPERATOR_(VERSIONED_)?(?:TYPED_)?KERNEL_EX\((.*?)\);", re.DOTALL)
_CONSTRAINT = re.compile(r'TypeConstraint\("(\w+)",(.*?)(?=\.TypeConstraint|\.InputMemoryType|\.Alias|$)', re.DOTALL)
_NAMES = {"float": "float32", "MLFloat16": "float16", "double": "float64", "bool": "bool"}
_NAMES |= {f"{sign}int{bits}_t": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_ADDED = {("HardSwish", "14+"): ["T=float32,float16"]}
"""Kernels of the page that no published snapshot of the sources has: pull request 29828 of microsoft/onnxruntime."""
_SKIPPED = {"LayerNormalization": ("1-16",), "SimplifiedLayerNormalization": ("1+",)}
"""Operators that ONNX Runtime defines itself, in the domain of ONNX, and that no model has before its optimizer."""
_DEPTH = 3
"""A list of types is a function that returns a named list of types."""


def read_kernels(page: str, sources: Sequence[str]) -> dict[str, list[str]]:
    """Return the rows of the standard operators by operator, in the form of the table's file.

    Raises:
        ValueError: A kernel of the page is not in the sources.
    """
    types = _ADDED | read_types(sources)
    versions = read_versions(page)
    unknown = sorted({op_type for op_type, rows in versions.items() for row in rows if (op_type, row) not in types})
    if unknown:
        raise ValueError(f"the sources have no kernel of {', '.join(unknown)}")
    return {op_type: [" ".join([row, *types[op_type, row]]) for row in reversed(rows)] for op_type, rows in versions.items()}


def read_versions(page: str) -> dict[str, list[str]]:
    """Return the ranges of opsets by operator."""
    matches = filter(None, map(_ROW.match, page.splitlines()))
    return {match[1]: [row for row in match[2].split(",") if row not in _SKIPPED.get(match[1], ())] for match in matches}


def read_types(sources: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Return the constraints of types by operator and range of opsets. Kernels of one range for several types are joined."""
    text = "\n".join(sources)
    types: dict[tuple[str, str], dict[str, list[str]]] = {}
    for is_versioned, arguments in _KERNEL.findall(text):
        words = [word.strip() for word in arguments.split(",")]
        if words[1] != "kOnnxDomain":
            continue
        first, last = words[2], words[3] if is_versioned else ""
        row = f"{first}+" if not last else first if first == last else f"{first}-{last}"
        builder = arguments.rpartition(",")[0]
        known = types.setdefault((words[0], row), {})
        for name, allowed in _CONSTRAINT.findall(builder):
            found = _list_types(allowed, text)
            known[name] = list(dict.fromkeys([*known.get(name, []), *found])) if found else []
    return {kernel: [f"{name}={','.join(sort_types(found))}" for name, found in known.items() if found] for kernel, known in types.items()}


def _list_types(text: str, sources: str, depth: int = 0) -> list[str]:
    """List the element types that C++ names. Empty if it names all types."""
    found: list[str] = []
    for word in re.findall(r"\w+", text):
        if word in _NAMES:
            found.append(_NAMES[word])
        elif depth < _DEPTH:
            match = re.search(rf"\b{word}\(\) {{(.*?)}}|using {word} =(.*?);", sources, re.DOTALL)
            found += _list_types(match[1] or match[2], sources, depth + 1) if match is not None else []
    return found


def expand_sources(folder: Path) -> list[str]:
    """Return the C++ files of a folder with their own macros expanded."""
    texts = []
    for path in sorted(folder.rglob("*.cc")):
        own = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#include"))
        texts.append(subprocess.run(["cpp", "-P"], input=own, capture_output=True, text=True, check=True).stdout)
    return texts
