"""Reads `.onnx` files wherever a command reads a spec: `netc summary model.onnx`.

In: the path of a file. Out: an `ImportedSource`, the spec that it becomes, or an `Unreadable` that lists everything without a counterpart.
Always: the text is not compared with the file; `netc import` does that. Nothing of a file is executed. So `.pt2` files, which PyTorch
unpickles, are not read here.

    >>> import netc
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     netc.compile("x = input 3; x -> dense 2 as fc").save(f"{folder}/tiny.onnx")
    ...     read_model_file(f"{folder}/tiny.onnx").text.splitlines()[2:]
    ['x = input 3', 'x -> dense 2 as fc']
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from netc.compiler.frontends.imported_model import ImportFailed
from netc.dsl.source import SourceFile, Span

from ..files.file_problems import CannotImport, FileProblem
from ..files.safetensors_arrays import TextWithArrays
from ..files.source_files import Unreadable, read_file
from .onnx_origin import make_onnx_origin
from .output_judge import NotProved
from .run_import import ImportedSpec, import_spec


class ImportedSource(TextWithArrays):
    """The text of a spec, and its weights by key."""

    def __init__(self, name: str, spec: ImportedSpec, weights: Mapping[str, Any]) -> None:
        super().__init__(name, spec.text, spec.files)
        self.weights = weights


def read_model_file(path: str) -> SourceFile:
    """Read a model file as a spec. Raises `Unreadable`."""
    if not os.path.isfile(path):
        return read_file(path)  # which says why
    problem: FileProblem
    try:
        origin = make_onnx_origin(path, {})
        return ImportedSource(path, import_spec(origin, verify=False), origin.imported.weights)
    except ImportFailed as error:
        problem = CannotImport(path, error.format_lines())
    except NotProved as error:
        problem = CannotImport(path, (error.what,))
    raise Unreadable(problem, Span(SourceFile(path, ""), 0, 0))
