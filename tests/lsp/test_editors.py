"""Editors that are installed, without a screen, with the configuration of editors/."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netc.dsl.grammar import load_tables

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif("NETC_EDITORS" not in os.environ, reason="`make editors` runs real editors, which answer in their own time"),
]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which `netc` is this one, and the user has no other configuration."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "netc").write_text(f'#!/bin/sh\nexec {sys.executable} -m netc "$@"\n')
    (folder / "netc").chmod(0o755)
    homes = {name: str(tmp_path / name) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
    return os.environ | homes | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}


@pytest.mark.skipif(shutil.which("nvim") is None, reason="Neovim is not installed")
def test_neovim(tmp_path: Path, environment: dict[str, str]) -> None:
    command = ["nvim", "--headless", "--clean", "-n", "-S", str(ROOT / "editors/neovim/net.lua"), "-S", str(ROOT / "tests/lsp/neovim.lua")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr.strip()[-500:]) == (0, "all was seen")


class Screen:
    """Helix in a terminal of its own."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self.name, self.environment = name, environment

    def tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-L", self.name, *words], env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.tmux("send-keys", "-t", "0", key)
            time.sleep(0.3)

    def wait(self, pattern: str) -> str:
        """The screen, as soon as it shows this."""
        for _ in range(150):
            shown = self.tmux("capture-pane", "-p", "-t", "0")
            if re.search(pattern, shown):
                return shown
            time.sleep(0.2)
        raise AssertionError(f"not on the screen: {pattern}\n{shown}")


@pytest.fixture
def screen(tmp_path: Path, environment: dict[str, str]) -> Iterator[Screen]:
    folder = Path(environment["XDG_CONFIG_HOME"]) / "helix"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "editors/helix/languages.toml", folder)
    (folder / "config.toml").write_text("[editor.lsp]\ndisplay-inlay-hints = true\n")
    made = Screen(f"netc-{os.getpid()}", environment)
    made.tmux("new-session", "-d", "-x", "110", "-y", "30", "-c", str(tmp_path), "hx mlp.net")
    yield made
    made.tmux("kill-server")


@pytest.mark.skipif(shutil.which("hx") is None or shutil.which("tmux") is None, reason="Helix and tmux are not installed")
def test_helix(tmp_path: Path, screen: Screen) -> None:
    (tmp_path / "mlp.net").write_text("")
    screen.wait("mlp.net|scratch")
    screen.keys(":open mlp.net", "Enter", "i", "x = input 3", "Enter", "x -> dens 2", "Escape")
    screen.wait(r"● +2 +x -> dens 2")
    screen.keys("b", "b")
    screen.wait("`dens`")
    screen.wait(r"# \[N, 3\]")
    screen.keys("Space", "a")
    screen.wait("Replace `dens` with `dense`")
    screen.keys("Enter", "k", "j")  # Helix asks for the hints after a key
    screen.wait(r"x -> dense 2 *.*# \[N, 2\]")
    screen.keys("g", "l", "b", "Space", "k")
    screen.wait(r"gives \[N, 2\]")
    screen.keys("Escape", "o", "x -> layer_no")
    screen.wait(r"layer_norm +function")
    screen.keys("C-n", "Enter", "Escape")
    screen.wait(r"3 +x -> layer_norm ")
    screen.keys("g", "s", "Space", "r", "C-u", "width", "Enter")
    screen.wait(r"(?s)1 +width = input 3.*2 +width -> dense 2.*3 +width -> layer_norm")
    screen.keys("g", "s", "g", "d")
    screen.wait(r"1 sel +1:1")
    screen.keys("O", "y   =   input    5", "Escape", ":format", "Enter")
    screen.wait(r"1 +y = input 5")


def test_the_words_of_emacs_are_those_of_the_grammar() -> None:
    text = (ROOT / "editors/emacs/net-mode.el").read_text()
    listed = text.partition("defvar net-mode-words")[2].partition(")")[0]
    assert set(re.findall(r'"(\w+)"', listed)) == {*load_tables().keywords}
