"""Graph to PyTorch source to live module.

`source` and `class_name` need no torch; `live` is in its own module, which imports it when it makes something.
"""

from __future__ import annotations

from .emit import class_name, emitted, source
from .operators import Unsupported

__all__ = ["Unsupported", "class_name", "emitted", "source"]
