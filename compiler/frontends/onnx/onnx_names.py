"""Turns names of an ONNX file into names of netc: labels, which are the keys of the weights, and names for tensors in the text.

In: any text. Out: valid labels, each given once, none of which is the beginning of another, and identifiers. Always: a result has only
letters, digits, `_`, `-` and, in a label, dots.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from ...ir.unique import make_unique_name
from .undo_journal import Journal

_LEVEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_MADE = re.compile(r"^(onnx::|val_|constant|const[_/]|_v_|t?[0-9]+$|/)", re.IGNORECASE)
"""Names that an exporter made up."""
_TAKEN = ("training",)
"""Attributes of every PyTorch module, which cannot be labels."""
_WORDS = frozenset(
    [
        "input",
        "out",
        "repeat",
        "each",
        "as",
        "if",
        "else",
        "then",
        "for",
        "in",
        "let",
        "share",
        "shared",
        "use",
        "model",
        "block",
        "train",
        "where",
        "and",
        "or",
        "not",
        "true",
        "false",
        "inf",
        "nan",
        "training",
        "param",
        "table",
        "with",
        "over",
        "tie",
        "from",
        "let",
        "to",
    ]
)
LONGEST = 200


def split_levels(text: str) -> list[str]:
    """Split a path with dots or slashes into levels that are valid labels. Empty if the text is no path.

    PyTorch's older exporter repeats the levels before: `layer1/layer1.0` is one path, not two levels.

    >>> split_levels("/layer1/layer1.0/conv1")
    ['layer1', '0', 'conv1']
    """
    text = find_first_name(text).partition(":")[0] if not text.startswith("onnx::") else ""
    result: list[str] = []
    for part in text[:LONGEST].split("/"):
        inner = [_mend_level(level) for level in part.split(".")]
        inner = [level for level in inner if level]
        # The longest beginning that repeats the end of the path so far is dropped.
        size = max((n for n in range(1, len(inner)) if result[-n:] == inner[:n]), default=0)
        result += inner[size:]
    return result


def find_first_name(name: str) -> str:
    """Return the first of several names. Converters from TensorFlow Lite list the names of all nodes that they merged."""
    return name.partition(";")[0]


def _mend_level(level: str) -> str:
    """Write a level in letters, digits, `_` and `-`. Empty if it has no letter and no digit."""
    kept = re.sub(r"[^A-Za-z0-9_-]+", "_", _in_ascii(level)).strip("-")
    if not any(c.isalnum() for c in kept):
        return ""
    # A module cannot have a child called `training`.
    return f"{kept}_" if kept in _TAKEN else kept


def _in_ascii(text: str) -> str:
    """Write letters without accents, and letters of other scripts as their Unicode numbers: `é` is `e`, and `层` is `u5c42`.

    So two different names stay different.
    """
    if text.isascii():
        return text
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c if c.isascii() or not c.isalnum() else f"_u{ord(c):x}_" for c in plain).replace("__", "_").strip("_")


def is_made_up(name: str) -> bool:
    """Return whether an exporter made the name up, so that it says nothing about the model."""
    return not name or _MADE.match(name) is not None


def to_identifier(text: str) -> str:
    """Return a name for a tensor in the text, or an empty one."""
    name = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")[:40]
    if name and not name[0].isalpha():
        name = f"x{name}"
    return f"{name}_" if name in _WORDS else name


class LabelMaker:
    """The labels of one graph. `journal` records the labels that are used, so that they can be released."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._taken: set[str] = set()
        self._levels: set[str] = set()
        """The beginnings of labels that are taken."""
        self._counts: dict[str, int] = {}

    def make_label(self, wanted: Iterable[str]) -> str:
        """Take the label of these levels, with a number appended to the last one if it is taken."""
        path = [mended for level in wanted if (mended := _mend_level(level))] or ["stage"]
        self._mend_path(path, last=True)
        return self._take_label(".".join(path))

    def _mend_path(self, path: list[str], *, last: bool) -> None:
        """Append a number to each level at which a label cannot continue: a label is either a stage or a level."""
        for index in range(len(path)):
            level, count = path[index], 1
            while not self._is_free(path[: index + 1], last=last and index + 1 == len(path)):
                count += 1
                path[index] = f"{level}_{count}"

    def _is_free(self, path: list[str], *, last: bool) -> bool:
        """Return whether a label may begin like this, or with `last`, end like this."""
        label = ".".join(path)
        return label not in self._taken and not (last and label in self._levels)

    def make_counted_label(self, kind: str, ahead: Iterable[str] = ()) -> str:
        """Take the next label of a kind: `conv1`, `conv2`, and so on."""
        before = [level for level in ahead if _LEVEL.fullmatch(level)]
        self._mend_path(before, last=False)
        counter = ".".join([*before, kind])
        while True:
            self._journal.set_item(self._counts, counter, self._counts.get(counter, 0) + 1)
            path = [*before, f"{kind}{self._counts[counter]}"]
            if self._is_free(path, last=True):
                return self._take_label(".".join(path))

    def is_taken(self, path: Iterable[str]) -> bool:
        """Return whether the label was given."""
        return ".".join(path) in self._taken

    def release_label(self, label: str) -> None:
        """Release a label, so that it can be given again."""
        self._taken.discard(label)
        # Rebuilt, because another label may have the same beginning.
        self._levels = {".".join(other.split(".")[:n]) for other in self._taken for n in range(1, other.count(".") + 1)}

    def _take_label(self, label: str) -> str:
        parts = label.split(".")
        self._journal.add_member(self._taken, label)
        for n in range(1, len(parts)):
            self._journal.add_member(self._levels, ".".join(parts[:n]))
        return label


class IdentifierMaker:
    """Names of tensors of one graph, each given once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def make_name(self, text: str, otherwise: str) -> str:
        return make_unique_name(to_identifier(text) or otherwise, self._taken)
