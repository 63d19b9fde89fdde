"""IREE's profile, for its compiler for CPUs, as measured with IREE 3.13. Its importer has no Attention of opset 23."""

from __future__ import annotations

from .runtime_profile import RuntimeProfile

IREE = RuntimeProfile("iree", "IREE", 18)
