"""TVM's profile."""

from __future__ import annotations

from .runtime_profile import RuntimeProfile

TVM = RuntimeProfile("tvm", "TVM", 18, needs_sizes=True)
