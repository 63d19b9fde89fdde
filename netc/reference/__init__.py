"""Reference pages: operators, words of the language, error codes, and the names that other libraries use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netc.compiler.elaborate.elaboration_session import ForeignNames


def load_foreign_names() -> ForeignNames:
    """The names of other libraries: 20 KB of tables that only an unknown name needs."""
    from . import foreign_names

    return foreign_names
