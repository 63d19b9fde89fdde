"""A program as PyTorch source."""

from __future__ import annotations

from ..python.python_source import Parts as Parts
from ..python.python_source import SourceWriter
from . import ops
from .torch_emitters import EMITTERS
from .torch_framework import TORCH

assert ops, "importing the package fills the tables"

WRITER = SourceWriter(TORCH, EMITTERS)
source, emitted, parts, function, file_of = (
    WRITER.write_source,
    WRITER.write_source_and_name,
    WRITER.write_parts,
    WRITER.write_function,
    WRITER.write_file,
)
classes_in, class_name = WRITER.build_classes, WRITER.choose_class_name
