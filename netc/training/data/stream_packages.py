"""The packages that read streams, imported where they are used.

>>> import_stream_package("json").dumps(1)
'1'
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from netc.compiler.errors.optional_packages import DISTRIBUTIONS, format_install_command

from .data_source import DataError


def import_stream_package(name: str) -> Any:
    """Import a module of an optional package. Raises `DataError` if the package is not installed."""
    try:
        return import_module(name)
    except ImportError:
        raise DataError(f"{DISTRIBUTIONS[name.partition('.')[0]]} is not installed", f"run `{format_install_command(name)}`") from None
