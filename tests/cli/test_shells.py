"""Completion in real shells, those that are installed: the script that each evaluates, and what it then offers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = {
    "bash": """
eval "$(_NETC_COMPLETE=bash_source netc)"
complete -p netc > /dev/null || exit 3
COMP_WORDS=(%(words)s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_netc_completion netc; printf '%%s\\n' "${COMPREPLY[@]}"
""",
    "zsh": """
autoload -U compinit; compinit -u -d %(folder)s/dump
eval "$(_NETC_COMPLETE=zsh_source netc)"
[[ $_comps[netc] == _netc_completion ]] || exit 3
compadd() { print -l -- ${(P)@[-1]} }
_describe() { print -l -- ${(P)@[-2]} }
words=(%(words)s); CURRENT=$#words
_netc_completion
""",
    "fish": """
_NETC_COMPLETE=fish_source netc | source
complete -C "%(words)s"
""",
}
SHELLS = [
    pytest.param(shell, marks=pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")) for shell in SCRIPTS
]


@pytest.mark.long
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "offered"), [("netc comp", "compile"), ("netc ops conv_t", "conv_transpose"), ("netc zoo resnet5", "resnet50")]
)
def test_a_shell_completes(shell: str, words: str, offered: str, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "netc"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m netc "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    if "PYTHONPATH" not in environment:
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    script = SCRIPTS[shell] % {"words": words, "folder": tmp_path}
    done = subprocess.run([shell, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert offered in [line.split("\t")[0].split(":")[0] for line in done.stdout.splitlines()], done.stdout + done.stderr
