"""Generated parts of a page of docs/, each between two comments: `<!-- figures -->` and `<!-- end of figures -->`.

>>> replace_section("a\\n<!-- figures -->\\nold\\n<!-- end of figures -->\\nb\\n", "figures", "new\\n")
'a\\n<!-- figures -->\\nnew\\n<!-- end of figures -->\\nb\\n'
"""

from __future__ import annotations


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
