"""Writes a program as PyTorch source, with the shared writer of Python.

>>> import netc
>>> print(write_source(netc.compile("input 3 -> relu").program, "net").splitlines()[-1].strip())
return F.relu(input)
"""

from __future__ import annotations

from ..python.python_source import Parts as Parts
from ..python.python_source import SourceWriter
from . import ops
from .torch_emitters import EMITTERS
from .torch_framework import TORCH

assert ops, "importing the package fills the tables"

WRITER = SourceWriter(TORCH, EMITTERS)
write_source, write_source_and_name, write_parts, write_function, write_file = (
    WRITER.write_source,
    WRITER.write_source_and_name,
    WRITER.write_parts,
    WRITER.write_function,
    WRITER.write_file,
)
build_classes, choose_class_name = WRITER.build_classes, WRITER.choose_class_name
