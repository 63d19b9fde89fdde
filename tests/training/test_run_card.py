"""The card of a run: what it says is true, its commands run, and no name or text becomes markup. markdown-it reads it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from markdown_it.token import Token

import netc
from netc.cli import cli
from netc.training.run_card import MARKER, format_code

WILD = "<b>a</b> `x` [y](z) | *w* ``"
SPEC = """# a comment with ``` and <i>markup</i>
x = input 2
scores = x -> dense 2 relu as head
train {
  kind = input [] int64
  loss = (scores, kind) -> cross_entropy
  data csv "rows.csv" x=[width, "WILD"]
  steps 2
}
""".replace("WILD", WILD)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [f"{i},{i * i},{['<i>ash`', 'oak'][i % 2]}" for i in range(12)]
    (tmp_path / "rows.csv").write_text("\n".join([f'width,"{WILD}",kind', *rows, ""]), encoding="utf-8")
    (tmp_path / "trees.net").write_text(SPEC, encoding="utf-8")
    return tmp_path


def read_tokens(card: Path) -> Iterator[Token]:
    for token in MarkdownIt().parse(card.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


def test_card(folder: Path) -> None:
    result = netc.train("trees.net", output="run")
    card = folder / "run" / "README.md"
    tokens = list(read_tokens(card))
    assert [token.content.strip() for token in tokens if token.type.startswith("html")] == [MARKER]
    assert [token for token in tokens if token.type in ("link_open", "em_open")] == []
    codes = [token.content for token in tokens if token.type == "code_inline"]
    assert {"trees", "x", "width", WILD, "scores", "kind", "<i>ash`", "oak", "csv:rows.csv"} <= set(codes)
    assert [token.content for token in tokens if token.type == "fence"] == [SPEC]
    assert [token.attrs["src"] for token in tokens if token.type == "image"] == ["model.svg", "curves.svg"]
    text = card.read_text(encoding="utf-8")
    assert f"`loss` {result.results['loss']:.4g}, after 2 steps." in text
    assert ", 12 samples to train on." in text
    assert "**Parameters:** 6." in text
    netc.compile_file("trees.net").draw("picture.svg")
    assert (folder / "run" / "model.svg").read_bytes() == (folder / "picture.svg").read_bytes()


def test_the_commands_run(folder: Path) -> None:
    netc.train("trees.net", output="run")
    blocks = [token.content for token in read_tokens(folder / "run" / "README.md") if token.type == "code_block"]
    commands, python = blocks
    for line in commands.splitlines():
        words = ["rows.csv" if word in ("NEW", "TEST") else word for word in shlex.split(line)[1:]]
        done = CliRunner().invoke(cli, words, prog_name="netc")
        assert done.exit_code == 0, done.output
    names: dict[str, netc.Predictor] = {}
    exec(python, names)
    assert set(names["predictor"]("rows.csv")["predicted_kind"]) <= {"<i>ash`", "oak"}


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_changed_card_stays(folder: Path, is_changed: bool) -> None:
    netc.train("trees.net", output="run")
    card = folder / "run" / "README.md"
    before = card.read_text(encoding="utf-8")
    mine = before.replace(MARKER + "\n", "mine\n") if is_changed else before.replace("2 steps", "9 steps")
    card.write_text(mine, encoding="utf-8")
    CliRunner().invoke(cli, ["train", "--resume", "run"], prog_name="netc")
    after = card.read_text(encoding="utf-8")
    assert after == mine if is_changed else ", after 2 steps." in after


def test_a_text_model_generates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("so it goes. " * 20, encoding="utf-8")
    text = """tokens = input [T] int64
scores = tokens -> embedding 256 4 -> dense 256
train {
  next = input [T] int64
  loss = (scores -> transpose 1 2, next) -> cross_entropy
  data text "a.txt" length=8
  steps 1
}
"""
    (tmp_path / "a.net").write_text(text, encoding="utf-8")
    netc.train("a.net", output="run")
    assert '    netc generate run --prompt "..."\n' in (tmp_path / "run" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["a", "`", "``a`", " ` ", "a\nb", "", "<b>", "\\`", "a|b"])
def test_code(text: str) -> None:
    (token,) = MarkdownIt().parseInline(format_code(text))[0].children or ()
    assert (token.type, token.content.strip()) == ("code_inline", " ".join(text.split()))
