"""Make names unique.

>>> taken = {"conv"}
>>> make_unique_name("conv", taken), make_unique_name("conv", taken)
('conv_2', 'conv_3')
"""

from __future__ import annotations


def make_unique_name(wanted: str, used: set[str]) -> str:
    """Return the name, with a number if it is taken already, and add it to `used`."""
    name, number = wanted, 1
    while name in used:
        number += 1
        name = f"{wanted}_{number}"
    used.add(name)
    return name
