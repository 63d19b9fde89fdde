"""The order of classes in emitted source: their own, except that a class follows those that it instantiates, as Python needs it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from netc.compiler.backends.python import build_classes


@pytest.mark.parametrize(
    ("needs", "order"),
    [
        ({"a": "", "b": "", "c": ""}, "abc"),
        ({"a": "bcd", "b": "", "c": "", "d": ""}, "bcda"),
        ({"a": "dcb", "b": "", "c": "", "d": ""}, "dcba"),
        ({"a": "bc", "b": "d", "c": "d", "d": ""}, "dbca"),
        ({"a": "", "b": "ca", "c": "", "d": "b"}, "acbd"),
    ],
)
def test_classes_follow_what_they_instantiate(needs: dict[str, str], order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    classes: dict[str, Any] = {name: SimpleNamespace(name=name) for name in needs}
    monkeypatch.setattr(build_classes, "_find_instantiated_classes", lambda cls: [classes[name] for name in needs[cls.name]])
    found = build_classes._sort_callees_first(list(classes.values()))
    assert "".join(cls.name for cls in found) == order
