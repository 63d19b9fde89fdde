"""The words of the definitions in this folder, for type checkers. `read_array_definitions` replaces them by a framework's own."""

from __future__ import annotations

from typing import Any

Array = Any
Bool: Any
Int: Any
fn: Any
np: Any
xp: Any

vector_norm: Any
"""A definition that each framework has in its own library."""
