"""Read the pages that explain errors and warnings, one for each code: docs/errors/CODE.md, which ships with netc.

>>> "unknown-operator" in list_codes(), read_page("unknown-operator").splitlines()[0]
(True, '# unknown-operator')
"""

from __future__ import annotations

import os
import re

from ..files.package_data import find_data_folder

_FOLDER = find_data_folder("pages", "docs/errors")
_ENDING = ".md"


def list_codes() -> list[str]:
    """Return every code that has a page, sorted."""
    return sorted(name.removesuffix(_ENDING) for name in os.listdir(_FOLDER) if name.endswith(_ENDING))


def list_titles() -> list[tuple[str, str]]:
    """Return every code with the first sentence of its page."""
    paragraphs = ((code, (read_page(code) or "").split("\n\n")[1].replace("\n", " ")) for code in list_codes())
    # a full stop ends a sentence only if a capital letter or code follows
    return [(code, re.split(r"(?<=\.) (?=[A-Z`])", text)[0]) for code, text in paragraphs]


def read_page(code: str) -> str | None:
    """Return the Markdown text of a code's page, or None if there is none."""
    # compared with the list, so that a code such as `../secret` is not a path
    if code not in list_codes():
        return None
    with open(os.path.join(_FOLDER, code + _ENDING), encoding="utf-8") as file:
        return file.read()
