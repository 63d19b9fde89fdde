"""Writes names of columns into the settings that a help suggests."""

from __future__ import annotations

from netc.dsl.grammar import load_tables

PLACEHOLDER = "COLUMN"
"""Stands for a name that no setting can have: a string has no escapes, and braces in it are expressions."""


def format_column(name: str) -> str:
    """Return a name as a setting of a train section takes it.

    >>> format_column("town"), format_column("home town"), format_column("in"), format_column('5" pipes')
    ('town', '"home town"', '"in"', 'COLUMN')
    """
    if is_name(name):
        return name
    return PLACEHOLDER if not name.isprintable() or any(sign in name for sign in '"{}') else f'"{name}"'


def is_name(text: str) -> bool:
    """Return whether a text can be a name in a spec."""
    return text.isascii() and text.isidentifier() and text not in load_tables().keywords
