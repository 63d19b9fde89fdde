"""Reads PyTorch modules as typed graphs: `from_module` and `from_exported`.

torch.export runs the module once and returns a graph of aten operators, each with the stack of modules that called it. This package turns
it into a graph of netc's operators and of the modules' calls, with the keys of the state dict. The order of the work is in programs.py.
"""

from __future__ import annotations

from .exporting import from_exported, from_module

__all__ = ["from_exported", "from_module"]
