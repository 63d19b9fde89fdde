"""How many examples a test draws: few in CI, `N` of them in `make fuzz N=...`."""

from __future__ import annotations

import os


def examples(usual: int) -> int:
    return int(os.environ.get("N", "1000")) if os.environ.get("HYPOTHESIS_PROFILE") == "long" else usual
