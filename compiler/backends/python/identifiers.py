"""Makes the names of the emitted Python: identifiers from labels, and unique ones among names that are taken.

In: labels, names of blocks and tensors as the spec has them. Out: identifiers that clash neither with each other, nor with Python, nor
with the imports of the emitted file. Always: equal names in equal order give equal identifiers.

>>> to_camel_case("basic_block"), singularize("layers"), make_variable_name("class"), make_unique("x", {"x", "x2"})
('BasicBlock', 'layer', 'class_', 'x3')
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Container, Iterable
from keyword import iskeyword, issoftkeyword

from ...types.tensor_types import UNNAMED_INPUT

UNNAMED = frozenset({"", "in", UNNAMED_INPUT})
"""Names of tensors that the spec does not name."""
RESERVED = frozenset({"math", "self"})
"""The names that any emitted class may use, so that no variable has them."""
_BUILTINS = frozenset(dir(builtins))

_KERNEL = re.compile(r"\d+(x\d+)+")
"""A size of several axes, such as 3x3, whose x is no letter."""


def are_consecutive(labels: Iterable[str]) -> bool:
    """Whether the labels are 0, 1, 2, ..."""
    return all(label == str(i) for i, label in enumerate(labels))


def to_camel_case(name: str) -> str:
    """`basic_block` as the name of a class: `BasicBlock`. Never empty.

    Numbers stay apart, and letters after a number are capitals, as in published names: `Llama2_7B`, `Resnext50_32X4D`, `Conv1x1`.
    """
    joined = ""
    # Uppercase only the first letter: `conv_bnReLU` keeps the capitals that its author chose.
    for word in re.findall(r"[A-Za-z0-9]+", name):
        number = word[0].isdigit()
        apart = "_" if number and joined[-1:].isdigit() else ""
        joined += apart + (word.upper() if number and not _KERNEL.fullmatch(word) else word[0].upper() + word[1:])
    if not joined:
        return "Block"
    return joined if not joined[0].isdigit() else f"Net{joined}"


def singularize(label: str) -> str:
    """Return `layer` for `layers`. Words that are not plurals stay."""
    if len(label) > 3 and label.endswith("ies"):
        return label[:-3] + "y"
    if len(label) > 3 and label.endswith(("ches", "shes", "xes")):
        return label[:-2]
    if len(label) > 3 and label.endswith("s") and not label.endswith(("ss", "us", "is")):
        return label[:-1]
    return label


def make_variable_name(name: str, imported: Container[str] = ()) -> str:
    """Make a variable name: `x` for the unnamed input of a block, and an underscore after names of Python or the imports.

    >>> make_variable_name("_"), make_variable_name("__init__"), make_variable_name("print")
    ('value', '_init', 'print_')
    """
    name = re.sub(r"\W", "_", name)
    if name == UNNAMED_INPUT:  # it hides a built-in function, but `model.inputs` and ONNX have this name too
        return name
    if name in UNNAMED:
        return "x"
    if not name.strip("_"):  # `_` stands for a value without a use, and no attribute can be `__`
        return "value"
    if name[0].isdigit():
        name = f"_{name}"
    if name.startswith("__"):  # Python mangles such a name within a class, or gives it a meaning
        name = f"_{name.strip('_')}"
    is_reserved = iskeyword(name) or issoftkeyword(name) or name in RESERVED or name in _BUILTINS or name in imported
    return f"{name}_" if is_reserved else name


def make_unique(wanted: str, used_names: Container[str]) -> str:
    """Return `wanted`, or the first numbered name that is new: `x`, `x2`, `x3`."""
    if wanted not in used_names:
        return wanted
    # After a digit, the number needs an underscore: `conv12` would look like another layer than `conv1`.
    stem = wanted.rstrip("0123456789") or wanted
    joint = "_" if stem != wanted else ""
    name, count = wanted, 2
    while name in used_names:
        name = f"{wanted}{joint}{count}"
        count += 1
    return name
