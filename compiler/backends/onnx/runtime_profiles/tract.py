"""tract's profile."""

from __future__ import annotations

from .runtime_profile import RuntimeProfile

TRACT = RuntimeProfile("tract", "tract", 18)
