"""`netc lsp` without the packages that it needs."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from netc.cli import cli


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("pygls", "lsprotocol") or name.startswith("netc.lsp")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pygls", None)
    monkeypatch.setitem(sys.modules, "lsprotocol", None)
    done = CliRunner().invoke(cli, ["lsp", "--stdio"])
    assert done.exit_code == 1
    assert "`pip install pygls lsprotocol`" in done.output
