"""Models that other tools wrote, as the texts that commands read: `.onnx`.

In: the path of a file. Out: an `ImportedSource`, the spec that it becomes, or an `Unreadable` with all that has no counterpart. Always: the
text is not compared with the file, which `netc import` does; nothing of a file is executed, so `.pt2`, which PyTorch unpickles, is not
among them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from netc.dsl.source import SourceFile, Span

from ..files.file_problems import CannotImport, FileProblem
from ..files.safetensors_arrays import TextWithArrays
from ..files.source_files import Unreadable, read_file

if TYPE_CHECKING:
    from .origin import Origin
    from .run_import import ImportedSpec


class ImportedSource(TextWithArrays):
    """The text of a spec, and the weights by key that belong to it."""

    def __init__(self, name: str, spec: ImportedSpec, weights: Mapping[str, Any]) -> None:
        super().__init__(name, spec.text, spec.files)
        self.weights = weights


def is_model_file(path: str) -> bool:
    """Whether the file is a model rather than a text."""
    return suffix(path) in _ORIGINS


def suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def read_model_file(path: str) -> SourceFile:
    """The spec of a model's file. Raises `Unreadable`."""
    if not os.path.isfile(path):
        return read_file(path)  # which says why
    from netc.compiler.frontends.imported_model import ImportFailed

    from .proof import NotProved
    from .run_import import spec_of

    problem: FileProblem
    try:
        origin = _ORIGINS[suffix(path)](path)
        return ImportedSource(path, spec_of(origin, verify=False), origin.imported.weights)
    except ImportFailed as error:
        problem = CannotImport(path, error.lines())
    except NotProved as error:
        problem = CannotImport(path, (error.what,))
    raise Unreadable(problem, Span(SourceFile(path, ""), 0, 0))


def _onnx(path: str) -> Origin:
    from .onnx_origin import onnx_origin

    return onnx_origin(path, {})


_ORIGINS: dict[str, Callable[[str], Origin]] = {".onnx": _onnx}
