"""The extension for VS Code: its grammar is the one that the language has."""

from __future__ import annotations

import json
import runpy
import tomllib
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "editors" / "vscode"


def test_the_grammar_is_up_to_date() -> None:
    made = runpy.run_path(str(FOLDER / "make.py"))
    assert (FOLDER / "syntaxes" / "net.tmLanguage.json").read_text(encoding="utf-8") == made["text"]()


def test_what_the_extension_names_exists() -> None:
    package = json.loads((FOLDER / "package.json").read_text())["contributes"]
    named = [*(one["path"] for key in ("grammars", "snippets") for one in package[key]), package["languages"][0]["configuration"]]
    assert [path for path in named if not (FOLDER / path).is_file()] == []
    assert package["configuration"]["properties"]["netc.command"]["default"] == ["netc", "lsp", "--stdio"]


def test_helix_starts_the_same_command() -> None:
    languages = tomllib.loads((FOLDER.parent / "helix" / "languages.toml").read_text())
    server = languages["language-server"]["netc"]
    assert [server["command"], *server["args"]] == ["netc", "lsp", "--stdio"]
