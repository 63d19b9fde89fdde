"""How many examples Hypothesis draws for a test: always the same ones, fewer with `--quick`, `N` new ones in `make fuzz N=...`."""

from __future__ import annotations

import os

from hypothesis import settings

QUICK = 10
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"

settings.register_profile("deterministic", derandomize=True, deadline=None, print_blob=False, database=None)
settings.register_profile("long", deadline=None, max_examples=int(os.environ.get("N", "1000")))
settings.register_profile("quick", settings.get_profile("deterministic"), max_examples=QUICK)


def load(*, quick: bool) -> None:
    """Before the tests are imported."""
    settings.load_profile("quick" if quick else "long" if LONG else "deterministic")


def examples(usual: int) -> int:
    """The number for a test that usually draws `usual`."""
    drawn = settings().max_examples
    if LONG:
        return drawn
    return max(usual // 10, drawn) if drawn == QUICK else usual
