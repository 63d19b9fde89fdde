"""IREE's profile."""

from __future__ import annotations

from .runtime_profile import RuntimeProfile

IREE = RuntimeProfile("iree", "IREE", 18)
