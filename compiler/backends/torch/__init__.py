"""Graph to PyTorch source to live module.

`source` and `class_name` need no torch; `live_module` is in load.py, which imports it when it makes something.
"""

from __future__ import annotations

from .construction import MissingEmitter
from .emit import class_name, emitted, source

__all__ = ["MissingEmitter", "class_name", "emitted", "source"]
