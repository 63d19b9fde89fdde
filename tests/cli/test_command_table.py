"""The table of commands, from which `netc --help` is made."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from click.testing import CliRunner

import netc.cli
from netc.cli import COMMANDS, cli
from netc.compiler.backends.backend_registry import list_backends


def test_the_help_of_a_command_begins_with_its_summary() -> None:
    for name, summary in COMMANDS.items():
        shown = CliRunner().invoke(cli, [name, "--help"], prog_name="netc", terminal_width=200).output
        assert " ".join(summary.split()) in " ".join(shown.split())


def test_no_line_of_the_list_of_commands_is_cut() -> None:
    """At 80 columns."""
    shown = CliRunner().invoke(cli, ["--help"], prog_name="netc", terminal_width=80).output
    assert "..." not in shown.partition("Commands:")[2]


def test_the_list_of_commands_imports_none() -> None:
    code = "import sys; from netc.cli import cli; cli(['--help'], standalone_mode=False); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)
    assert not {f"netc.cli.{name}" for name in COMMANDS} & {*done.stderr.split()}


def test_the_summary_of_compile_counts_all_targets() -> None:
    assert COMMANDS["compile"] == f"Write PyTorch source, an ONNX model, or {len(list_backends()) - 2} other targets."


def test_an_option_of_several_commands_is_declared_once() -> None:
    """Declarations that differ in their help at most; shared_options.py has a function for each such option."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(Path(netc.cli.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "click.option":
                node.keywords = [keyword for keyword in node.keywords if keyword.arg != "help"]
                if [keyword.arg for keyword in node.keywords] != ["is_flag"]:  # a flag has nothing but its name to share
                    homes[ast.unparse(node)].append(path.name)
    assert {declaration: names for declaration, names in homes.items() if len(names) > 1} == {}
