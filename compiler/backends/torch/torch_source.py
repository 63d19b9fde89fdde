"""A program as PyTorch source."""

from __future__ import annotations

from ..python.python_source import Parts as Parts
from ..python.python_source import SourceWriter
from . import ops
from .torch_emitters import EMITTERS
from .torch_framework import TORCH

assert ops, "importing the package fills the tables"

WRITER = SourceWriter(TORCH, EMITTERS)
source, emitted, parts, function, file_of = WRITER.source, WRITER.emitted, WRITER.parts, WRITER.function, WRITER.file_of
classes_in, class_name = WRITER.classes_in, WRITER.class_name
