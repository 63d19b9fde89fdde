"""All codes, found in the source, so that none can be forgotten."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import netc.compiler.errors
import netc.files.file_problems
from netc.compiler.errors.problem import Problem
from netc.reference.error_pages import list_codes as page_codes

__all__ = ["all_codes", "page_codes"]

ROOT = Path(__file__).parents[2]
SYNTAX = re.compile(r"""Diagnostic\(\s*"(?:error|warning|note)",\s*"([a-z0-9-]+)\"""")


def all_codes() -> set[str]:
    """The codes of the problems of the compiler and of files, and the codes of the parser."""
    for module in pkgutil.iter_modules(netc.compiler.errors.__path__, "netc.compiler.errors."):
        import_module(module.name)
    written = {code for path in (ROOT / "dsl").rglob("*.py") for code in SYNTAX.findall(path.read_text(encoding="utf-8"))}
    return written | {cls.code for cls in _problems(Problem) if cls.code and cls.__module__.startswith("netc.")}


def _problems(base: type[Problem]) -> Iterator[type[Problem]]:
    for cls in base.__subclasses__():
        yield cls
        yield from _problems(cls)
