r"""Read the comment above a definition, which hover and completion show.

>>> from netc.dsl.source import SourceFile
>>> text = "# A residual layer,\n# without a bias.\nblock layer { relu }"
>>> read_doc_comment(Span(SourceFile("a.net", text), text.index("layer {"), len(text)))
'A residual layer, without a bias.'
"""

from __future__ import annotations

from netc.dsl.source import Span


def read_doc_comment(definition: Span) -> str:
    """Return the comment lines directly above the line of a definition, as one paragraph."""
    lines = definition.file.text[: definition.start].split("\n")[:-1]
    result: list[str] = []
    for line in reversed(lines):
        if not line.lstrip().startswith("#"):
            break
        result.insert(0, line.strip().lstrip("#").strip())
    return " ".join(result)
