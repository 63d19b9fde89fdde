"""Names that are given once."""

from __future__ import annotations


def make_unique_name(wanted: str, taken: set[str]) -> str:
    """The name, with a number if it is taken already; it is taken then."""
    found, number = wanted, 1
    while found in taken:
        number += 1
        found = f"{wanted}_{number}"
    taken.add(found)
    return found
