"""The extension for VS Code: its grammar is the one that the language has. `--update` writes it anew."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "editors" / "vscode"


def test_the_grammar_is_up_to_date(update: bool) -> None:
    made = runpy.run_path(str(FOLDER / "make.py"))
    if update:
        made["main"]([])
    assert made["TARGET"].read_text(encoding="utf-8") == made["text"]()


def test_what_the_extension_names_exists() -> None:
    package = json.loads((FOLDER / "package.json").read_text())["contributes"]
    named = [*(one["path"] for key in ("grammars", "snippets") for one in package[key]), package["languages"][0]["configuration"]]
    assert [path for path in named if not (FOLDER / path).is_file()] == []
    assert package["configuration"]["properties"]["netc.command"]["default"] == ["netc", "lsp", "--stdio"]


def test_helix_starts_the_same_command() -> None:
    languages = tomllib.loads((FOLDER.parent / "helix" / "languages.toml").read_text())
    server = languages["language-server"]["netc"]
    assert [server["command"], *server["args"]] == ["netc", "lsp", "--stdio"]


VSCODE = """
exports.workspace = { getConfiguration: () => ({ get: () => ["no-netc", "lsp"] }) };
exports.window = { showErrorMessage: async (...words) => { console.log(JSON.stringify(words)); return words[1]; } };
exports.commands = { executeCommand: (...words) => console.log(JSON.stringify(words)) };
"""
CLIENT = "exports.LanguageClient = class { async start() { throw FAILURE; } };"


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
@pytest.mark.parametrize("failure", ['"spawn ENOENT"', 'new Error("spawn ENOENT")'])
def test_a_server_that_cannot_be_started(failure: str, tmp_path: Path) -> None:
    """The client of VS Code's says why as a text or as an error."""
    modules = {"vscode/index.js": VSCODE, "vscode-languageclient/node.js": CLIENT.replace("FAILURE", failure)}
    for name, text in modules.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    shutil.copy(FOLDER / "extension.js", tmp_path / "extension.js")
    command = ["node", "-e", "require(process.argv[1]).activate()", str(tmp_path / "extension.js")]
    done = subprocess.run(command, env=os.environ | {"NODE_PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False)
    message, settings = map(json.loads, done.stdout.splitlines())
    assert message[0].startswith("netc: cannot start `no-netc lsp`: spawn ENOENT. The server needs `pip install pygls lsprotocol`")
    assert settings == ["workbench.action.openSettings", "netc.command"]
