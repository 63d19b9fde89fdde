"""The words of the definitions in this folder, for type checkers. `read_shared_definitions` replaces them by a framework's own."""

from __future__ import annotations

from typing import Any

Array = Any
DType = Any
Rngs = Any
Bool: Any
Int: Any
fn: Any
np: Any
xp: Any


class Module:
    """The base of modules."""

    def __getattr__(self, name: str) -> Any: ...

    def __call__(self, *inputs: Array) -> Any: ...


Buffer: Any
Dropout: Any
Linear: Any
Param: Any
conv: Any
conv_transpose: Any
initializers: Any
ops: Any
scatter: Any
uniform_between: Any
vector_norm: Any
"""Definitions that each framework has in its own library, or has itself."""
