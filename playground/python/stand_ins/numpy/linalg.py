"""Norms."""

from __future__ import annotations

import math


def norm(vector):
    return math.hypot(*vector.flat)
