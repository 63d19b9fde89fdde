"""The files of `netc new --service`. No image is built here: the instructions are read, and what they run is compared with netc."""

from __future__ import annotations

import ast
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from netc.cli import cli
from netc.cli.service_files import REQUIREMENTS
from netc.cli.serving import command

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("service") / "moons"
    result = CliRunner().invoke(cli, ["new", str(folder), "--service"], prog_name="netc")
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def instructions(folder: Path) -> list[tuple[str, str]]:
    """The instructions of the Dockerfile in order, each with its arguments: comments are lines, and `\\` continues one."""
    text = re.sub(r"\\\n\s*", "", (folder / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def find(instructions: list[tuple[str, str]], name: str) -> list[str]:
    return [arguments for word, arguments in instructions if word == name]


def test_the_instructions(instructions: list[tuple[str, str]]) -> None:
    known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}
    assert {word for word, _ in instructions} == known
    assert instructions[0] == ("FROM", "python:3.12-slim")
    (user,) = find(instructions, "USER")
    (made,) = [run for run in find(instructions, "RUN") if "useradd" in run]
    assert user == shlex.split(made)[-1] != "root"
    # What needs rights comes before the user, and what is started after it.
    order = [word for word, _ in instructions]
    assert max(i for i, word in enumerate(order) if word == "RUN") < order.index("USER") < order.index("CMD")
    assert (find(instructions, "EXPOSE"), find(instructions, "STOPSIGNAL")) == (["8000"], ["SIGTERM"])


def test_the_command_is_one_of_netc(instructions: list[tuple[str, str]]) -> None:
    (arguments,) = find(instructions, "CMD")
    words = json.loads(arguments)  # the form without a shell, which would not pass SIGTERM on
    assert words[:2] == ["netc", "serve"]
    context = command.make_context("serve", words[2:], resilient_parsing=False)
    assert (context.params["run"], context.params["host"], context.params["port"]) == ("moons.onnx", "0.0.0.0", 8000)


def test_the_health_check_asks_a_path_of_the_server(instructions: list[tuple[str, str]]) -> None:
    pytest.importorskip("starlette", reason="`netc serve` needs the extra `serve`")
    (arguments,) = find(instructions, "HEALTHCHECK")
    *_, code = json.loads(arguments.partition("CMD ")[2])
    urls = [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant) and str(node.value).startswith("http")]
    application = (ROOT / "netc" / "serving" / "application.py").read_text(encoding="utf-8")
    assert urls == ["http://127.0.0.1:8000/v2/health/ready"]
    assert '("/v2/health/ready", "GET"' in application


def test_what_is_copied_is_not_ignored(instructions: list[tuple[str, str]], folder: Path) -> None:
    kept = {line[1:] for line in (folder / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}
    copied = {word for arguments in find(instructions, "COPY") for word in arguments.split()[:-1]}
    assert copied == {"requirements.txt", "netc-*.whl", "moons.onnx"}
    assert kept == {"requirements.txt", "netc-*.whl", "*.onnx"}


def test_the_requirements_are_netcs_without_pytorch(folder: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*map(Requirement, project["dependencies"]), *map(Requirement, project["optional-dependencies"]["serve"])]
    expected = {canonicalize_name(item.name): item.specifier for item in needed if item.name not in ("torch", "onnxruntime-gpu")}
    written = map(Requirement, (folder / "requirements.txt").read_text(encoding="utf-8").splitlines())
    assert {canonicalize_name(item.name): item.specifier for item in written} == expected
    assert len(REQUIREMENTS) == len(expected)


def test_the_readme_asks_for_columns_of_the_data(folder: Path) -> None:
    readme = (folder / "README.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"--json '(\{.*\})'", readme)
    header = (folder / "data.csv").read_text(encoding="utf-8").partition("\n")[0].split(",")
    assert [*json.loads(row)] == header[:2]
    assert not (folder.parent / "plain").exists()
    CliRunner().invoke(cli, ["new", str(folder.parent / "plain")], prog_name="netc")
    assert sorted(path.name for path in (folder.parent / "plain").iterdir()) == ["README.md", "data.csv", "plain.net"]
