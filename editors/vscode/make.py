"""Writes the TextMate grammar of the extension, from the words of net.lark and the registry of operators.

python editors/vscode/make.py            writes syntaxes/net.tmLanguage.json
python editors/vscode/make.py --check    fails if what is written is something else
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from netc.compiler.ops import Operator
from netc.compiler.types.tensor_types import DTYPES
from netc.dsl.grammar import load_tables
from netc.highlighting import CONSTANTS, DEFINING, WORD_OPERATORS

TARGET = Path(__file__).with_name("syntaxes") / "net.tmLanguage.json"


def alternatives(words: list[str]) -> str:
    """A pattern of whole words, the longest first."""
    return r"\b(?:" + "|".join(sorted(map(re.escape, words), key=lambda word: (-len(word), word))) + r")\b"


def grammar() -> dict[str, object]:
    """The grammar, as VS Code reads it."""
    keywords = [word for word in load_tables().keywords if word not in (*CONSTANTS, *WORD_OPERATORS)]
    operators = [name for name, operator in Operator.registry.items() if operator.operands]
    patterns = [
        {"name": "comment.line.number-sign.net", "match": "#.*$"},
        {
            "name": "string.quoted.double.net",
            "begin": '"',
            "end": '"|$',
            "patterns": [{"name": "meta.interpolation.net", "match": r"\{[^{}\"\n]*\}"}],
        },
        {
            "match": r"\b(as)[ \t]+((?:[\w.-]|\{[^{}\n]*\})+)",
            "captures": {"1": {"name": "keyword.other.net"}, "2": {"name": "entity.name.tag.net"}},
        },
        {
            "match": rf"\b({'|'.join(DEFINING)})[ \t]+([A-Za-z_]\w*)",
            "captures": {"1": {"name": "keyword.other.net"}, "2": {"name": "entity.name.function.net"}},
        },
        {
            "match": r"\b([A-Za-z_]\w*)(=)(?!=)",
            "captures": {"1": {"name": "variable.parameter.net"}, "2": {"name": "keyword.operator.net"}},
        },
        {"name": "constant.language.net", "match": alternatives([*CONSTANTS])},
        {"name": "keyword.operator.word.net", "match": alternatives([*WORD_OPERATORS])},
        {"name": "keyword.other.net", "match": alternatives(keywords)},
        {"name": "constant.numeric.net", "match": r"\b\d+(?:x(?:\d+|[A-Z][A-Z0-9_]*))+\b"},
        {"name": "constant.numeric.net", "match": r"\b\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?(?:[eE][+-]?\d+)?\b"},
        {"name": "storage.type.net", "match": alternatives([*DTYPES])},
        {"name": "support.function.net", "match": alternatives(operators)},
        {"name": "keyword.operator.net", "match": r"->|\.\.\.?|[-+*/%@<>=!]+|\?"},
    ]
    return {"name": "Net", "scopeName": "source.net", "fileTypes": ["net"], "patterns": patterns}


def text() -> str:
    """The file."""
    return json.dumps(grammar(), indent=2, ensure_ascii=False) + "\n"


def main(words: list[str]) -> None:
    if "--check" in words:
        sys.exit(0 if TARGET.read_text(encoding="utf-8") == text() else f"{TARGET} is out of date: python {__file__}")
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
