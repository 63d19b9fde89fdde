"""Find the data files of netc: within an installed `netc`, or in the checkout that `netc/` is part of."""

from __future__ import annotations

import os

_HERE = os.path.dirname(os.path.dirname(__file__))


def find_data_folder(installed: str, checkout: str) -> str:
    """Return a folder that is `netc/INSTALLED` in an installed netc, and `CHECKOUT` in a checkout. setup.py has the same pairs."""
    inside = os.path.join(_HERE, installed)
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(_HERE), checkout)
