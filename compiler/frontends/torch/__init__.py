"""PyTorch modules as typed graphs: `from_module` and `from_exported`.

torch.export runs the module once and gives a graph of aten operators, each with the modules that called it; here it becomes a graph of
netc's operators and of the modules' calls, with the keys of the state dict.
"""

from __future__ import annotations

from .exporting import from_exported, from_module

__all__ = ["from_exported", "from_module"]
