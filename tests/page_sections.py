"""Generated parts of a page of docs/, each between two comments: `<!-- figures -->` and `<!-- end of figures -->`.

>>> replace_section("a\\n<!-- figures -->\\nold\\n<!-- end of figures -->\\nb\\n", "figures", "new\\n")
'a\\n<!-- figures -->\\nnew\\n<!-- end of figures -->\\nb\\n'
"""

from __future__ import annotations


class Reasons:
    """The numbered reasons below a table, for cells of networks that a runtime or a format refuses."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def format_cell(self, reason: str) -> str:
        """Return the cell for a reason, which keeps the number of its first cell."""
        text = " ".join(reason.split()).replace("|", "\\|").replace("<", "&lt;")
        return f"refused ({self._numbers.setdefault(text, len(self._numbers) + 1)})"

    def format_notes(self) -> str:
        """Return the reasons as a list."""
        return "\n".join(f"{number}. {reason}" for reason, number in self._numbers.items())


def replace_section(page: str, name: str, text: str) -> str:
    """Return the page with this text between the comments of this name.

    Raises:
        ValueError: The page lacks one of the comments.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, found, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"the page has no lines {begin.strip()} and {end.strip()}")
    return f"{before}{begin}{text}{end}{after}"
