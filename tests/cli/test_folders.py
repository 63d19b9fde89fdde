"""`netc check FOLDER` and `netc format FOLDER`: the specs in a folder and below."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from netc.cli import cli
from netc.files import used_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {
        "a.net": "input 3 -> dense 2\n",
        "below/b.net": "input 3->dense 2 -> nothing\n",
        "below/.hidden.net": "not a spec",
        ".venv/c.net": "not a spec",
        "notes.txt": "not a spec",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_specs_are_checked(folder: Path) -> None:
    result = CliRunner().invoke(cli, ["check", "."])
    assert result.exit_code == 1
    assert "below/b.net:1:" in result.output.replace("\\", "/")
    assert "1 error" in result.output
    (folder / "below/b.net").write_text("input 3 -> relu\n")
    result = CliRunner().invoke(cli, ["check", ".", "a.net"])
    assert (result.exit_code, "no errors in 2 files" in result.output + result.stderr) == (0, True)


def test_all_specs_are_formatted(folder: Path) -> None:
    assert CliRunner().invoke(cli, ["format", "below"]).exit_code == 0
    assert (folder / "below/b.net").read_text() == "input 3 -> dense 2 -> nothing\n"
    assert (folder / "below/.hidden.net").read_text() == "not a spec"


@pytest.mark.parametrize("word", ["export", "eval", "deploy", "show", "list", "fit"])
def test_words_of_other_tools(word: str) -> None:
    from netc.cli import FOREIGN_COMMANDS

    result = CliRunner().invoke(cli, [word])
    assert result.exit_code == 2
    assert FOREIGN_COMMANDS[word] in " ".join(result.output.split())


def test_what_the_words_of_other_tools_name_exists() -> None:
    import re

    from netc.cli import COMMANDS, FOREIGN_COMMANDS

    named = {command for text in FOREIGN_COMMANDS.values() for command in re.findall(r"`netc (\w+)", text)}
    assert named <= set(COMMANDS)
    assert not FOREIGN_COMMANDS.keys() & set(COMMANDS)


@pytest.mark.parametrize(("alias", "name"), [("fp16", "float16"), ("half", "float16"), ("bf16", "bfloat16"), ("double", "float64")])
def test_element_types_by_other_names(alias: str, name: str, folder: Path) -> None:
    """As `--precision` of `netc train` calls them, and PyTorch."""
    import netc

    shown = [CliRunner().invoke(cli, ["compile", "a.net", "--target", "torch", "--dtype", one]).output for one in (alias, name)]
    assert shown[0] == shown[1]
    model = netc.compile("input 3 -> dense 2")
    assert model.source(dtype=alias) == model.source(dtype=name)


def test_files_that_others_use_are_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of files that use each other has many paths to each file. Checked together or alone, the files have the same errors."""
    texts = {f"f{i}.net": f'use "f{i + 1}.net"\nblock b{i} {{ dense {i + 1} }}\ninput 3 -> b{i + 1}\n' for i in range(12)}
    texts["f12.net"] = "block b12 { dense 2 relu }\nblock b3 { dense 4 }\nlet broken = \n"  # `b3` is a conflict in f3.net
    texts["g.net"] = 'use "f4.net": b5, b99\ninput 3 -> b5\n'
    texts["h.net"] = (
        'use "f5.net"\nscores = input 3 -> b6\ntrain { target = input 7; loss = (scores, target) -> mse; optimizer sgd lr=1e-2; steps 1 }\n'
    )
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    alone = {line for name in texts for line in CliRunner().invoke(cli, ["check", name, "--format", "short"]).output.splitlines()}
    parsed: list[str] = []
    parse = used_files.parse_source
    monkeypatch.setattr(used_files, "parse_source", lambda source: (parsed.append(source.name), parse(source))[1])
    together = CliRunner().invoke(cli, ["check", ".", "--format", "short"])
    errors = {line for line in together.output.splitlines() if ".net:" in line}
    assert errors == {line for line in alone if ".net:" in line}
    assert any("b99" in line for line in errors)
    assert any("f3.net:2" in line for line in errors)
    assert sorted(parsed) == sorted(f"f{i}.net" for i in range(1, 13))
