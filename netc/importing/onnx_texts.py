"""Models that other tools wrote, as the texts that commands read: `.onnx`.

In: the path of a file. Out: an `ImportedSource`, the spec that it becomes, or an `Unreadable` with all that has no counterpart. Always: the
text is not compared with the file, which `netc import` does; nothing of a file is executed, so `.pt2`, which PyTorch unpickles, is not
among them.
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
from .onnx_origin import onnx_origin
from .proof import NotProved
from .run_import import ImportedSpec, spec_of


class ImportedSource(TextWithArrays):
    """The text of a spec, and the weights by key that belong to it."""

    def __init__(self, name: str, spec: ImportedSpec, weights: Mapping[str, Any]) -> None:
        super().__init__(name, spec.text, spec.files)
        self.weights = weights


def read_model_file(path: str) -> SourceFile:
    """The spec of a model's file. Raises `Unreadable`."""
    if not os.path.isfile(path):
        return read_file(path)  # which says why
    problem: FileProblem
    try:
        origin = onnx_origin(path, {})
        return ImportedSource(path, spec_of(origin, verify=False), origin.imported.weights)
    except ImportFailed as error:
        problem = CannotImport(path, error.format_lines())
    except NotProved as error:
        problem = CannotImport(path, (error.what,))
    raise Unreadable(problem, Span(SourceFile(path, ""), 0, 0))
