"""The pages of docs/errors: the first ```net example of each has its code, the second has no diagnostics."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from netc.analysis import Analysis
from netc.reference.error_pages import read_page
from tests.errors.checked import checked
from tests.errors.codes import page_codes

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A file that the examples of a page read."""
TABLES = Path(__file__).with_name("constants") / "tables.safetensors"
"""Arrays that examples may have as tables."""
SHOWN = {
    "batch-refused": "it is of a run of training",
    "batch-too-small": "it is of a run of training",
    "binary-file": "no text is binary",
    "converter-not-installed": "it is of the machine",
    "file-too-large": "64 MiB are not written on a page",
    "folder-not-empty": "it is of a run of training",
    "format-unsupported": "the spec is right, one target is not",
    "formula-too-deep": "hundreds of terms are not read on a page",
    "loss-not-finite": "it is of a run of training",
    "missing-file": "it is of the command line",
    "no-device": "it is of the machine",
    "not-a-file": "it is of the command line",
    "not-utf8": "a page is UTF-8",
    "missing-form": "the operator is one of a plugin",
    "onnx-unsupported": "the spec is right, one target is not",
    "package-not-installed": "it is of the machine",
    "runtime-unsupported": "the spec is right, one runtime is not",
    "refused-by-definition": "the operator is one of a plugin",
    "refused-by-plugin": "the operator is one of a plugin",
    "range-overflow": "it is of a file of weights",
    "run-differs": "it is of a run of training",
    "run-exists": "it is of a run of training",
    "run-locked": "it is of a run of training",
    "run-unreadable": "it is of a run of training",
    "cannot-split": "the spec is right, its layers cannot be divided",
    "cannot-import": "it is of a file of another tool",
    "size-not-fixed": "the spec is right, one target is not",
    "source-unsupported": "the spec is right, one target is not",
    "spec-unsupported": "the spec is right, one target is not",
    "unreadable-file": "it is of the system",
    "weights-mismatch": "it is of a file of weights",
    "weights-not-finite": "it is of a file of weights",
    "weights-pattern": "it is of a file of weights",
    "weights-unreadable": "it is of a file of weights",
    "worker-lost": "it is of a run of training",
}
"""Codes whose pages show a terminal (```console) instead of a spec, and why. test_made.py has all of them but
formula-too-deep, package-not-installed, converter-not-installed and worker-lost."""


def fences(code: str) -> list[tuple[str, str]]:
    return FENCE.findall(read_page(code) or "")


def analyzed(text: str, folder: Path) -> Analysis:
    path = folder / "model.net"
    path.write_text(text, encoding="utf-8")
    return checked(path)


@pytest.mark.parametrize("code", page_codes())
def test_page(code: str, tmp_path: Path) -> None:
    kinds = [kind for kind, _ in fences(code)]
    assert kinds == (["console"] if code in SHOWN else ["net", "net"])
    if code in SHOWN:
        return
    shutil.copy(TABLES, tmp_path)
    for name, content in FILE.findall(read_page(code) or ""):
        (tmp_path / name).write_text(content, encoding="utf-8")
    (_, wrong), (_, right) = fences(code)
    assert code in {d.code for d in analyzed(wrong, tmp_path).diagnostics}
    assert [d.message for d in analyzed(right, tmp_path).diagnostics] == []


@pytest.mark.parametrize("code", page_codes())
def test_form(code: str) -> None:
    lines = (read_page(code) or "").splitlines()
    assert lines[:2] == [f"# {code}", ""]
    assert lines[2][:1].isalpha() or lines[2].startswith("`")
    assert all(len(line) <= 150 for line in lines)
