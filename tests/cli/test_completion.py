"""Completion in the shell, as bash asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from netc.cli import cli

SPEC = "block b(w) { in -> dense w }\nmodel small { input 3 -> b 2 }\nmodel large { input 3 -> b 20 }\n"


def completed(monkeypatch: pytest.MonkeyPatch, line: str) -> list[str]:
    words = line.split(" ")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    return BashComplete(cli, {}, "netc", "_NETC_COMPLETE").complete().splitlines()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("netc comp", "plain,compile"),
        ("netc check digits.n", "file,digits.n"),
        ("netc check a.net b", "file,b"),
        ("netc run m", "file,m"),
        ("netc summary m", "file,m"),
        ("netc compile a.net -o o", "file,o"),
        ("netc compile a.net --weights w", "file,w"),
        ("netc check --allow-path d", "dir,d"),
        ("netc ops conv_t", "plain,conv_transpose"),
        ("netc ops rep", "plain,repeat"),
        ("netc ops std/m", "plain,std/mlp.net"),
        ("netc explain shape-m", "plain,shape-mismatch"),
        ("netc check --format gi", "plain,github"),
    ],
)
def test_completes(line: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found in completed(monkeypatch, line)


def test_models_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.net").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    assert completed(monkeypatch, "netc summary a.net --model ") == ["plain,large", "plain,small"]
    assert completed(monkeypatch, "netc check a.net --model s") == ["plain,small"]
    assert completed(monkeypatch, "netc summary nothing.net --model ") == []
    assert completed(monkeypatch, "netc summary --model ") == []


def test_completion_runs_no_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is not finished may name another module than the one that is meant."""
    (tmp_path / "eager_plugin.py").write_text("from pathlib import Path\nPath(__file__).with_name('loaded').touch()\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "plain,github" in completed(monkeypatch, "netc check --plugin eager_plugin --format gi")
    assert not (tmp_path / "loaded").exists()
