"""Make names unique.

>>> taken = {"conv"}
>>> make_unique_name("conv", taken), make_unique_name("conv", taken)
('conv_2', 'conv_3')
"""

from __future__ import annotations


def make_unique_name(wanted: str, taken: set[str]) -> str:
    """Return the name, with a number if it is taken already, and add it to `taken`."""
    found, number = wanted, 1
    while found in taken:
        number += 1
        found = f"{wanted}_{number}"
    taken.add(found)
    return found
