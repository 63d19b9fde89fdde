"""The pages that explain errors and warnings, one a code: docs/errors/CODE.md, which ships with netc."""

from __future__ import annotations

import os
import re

from ..files.package_data import find_data_folder

_FOLDER = find_data_folder("pages", "docs/errors")
_ENDING = ".md"


def list_codes() -> list[str]:
    """Every code that has a page, sorted."""
    return sorted(name.removesuffix(_ENDING) for name in os.listdir(_FOLDER) if name.endswith(_ENDING))


def list_titles() -> list[tuple[str, str]]:
    """Every code with the first sentence of its page."""
    paragraphs = ((code, (read_page(code) or "").split("\n\n")[1].replace("\n", " ")) for code in list_codes())
    return [(code, re.split(r"(?<=\.) (?=[A-Z`])", text)[0]) for code, text in paragraphs]


def read_page(code: str) -> str | None:
    """The Markdown text of a code's page, None if there is none."""
    if code not in list_codes():
        return None
    with open(os.path.join(_FOLDER, code + _ENDING), encoding="utf-8") as file:
        return file.read()
