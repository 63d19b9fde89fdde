"""All rules: importing this module registers them."""

from .rules import attention, passing, positions, recurrent, shapes, windows

ALL = (attention, passing, positions, recurrent, shapes, windows)
