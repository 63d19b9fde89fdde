"""Write the card of a run: `README.md` in its folder, which says what was trained on which data, and how to use it.

In: what a run has done, and its `config.json`. Out: the text in Markdown. Always: names of columns and classes, and the text of the spec
are code in Markdown, so they never become markup or links.

>>> format_code("a `b`")
'`` a `b` ``'
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from shlex import quote
from typing import Any

from netc.dsl.record import Record

from .run_files import CURVES, PICTURE

MARKER = "<!-- netc writes this file at the end of each training. Remove this line to keep your changes. -->"
_MAX_CLASSES = 12
"""The number of classes that the card lists."""


class RunSummary(Record):
    """What a run has done. `results` are metrics by name, `remark` is a note on them, and `export` is a command that compiles the model."""

    folder: str
    model: str
    steps: int
    results: Mapping[str, float]
    remark: str
    parameters: int
    samples: int
    export: str
    has_curves: bool


def write_card(run: RunSummary, config: Mapping[str, Any]) -> str:
    """Write the card."""
    return "\n".join(_list_lines(run, config)) + "\n"


def _list_lines(run: RunSummary, config: Mapping[str, Any]) -> Iterator[str]:
    results = ", ".join(f"{format_code(name)} {value:.4g}" for name, value in run.results.items())
    versions = ", ".join(f"{name} {version}" for name, version in config["versions"].items())
    yield from (MARKER, f"# {format_code(run.model)}", "")
    yield f"- **Results:** {results}{f' ({run.remark})' if run.remark else ''}, after {run.steps:,} step{'s' if run.steps != 1 else ''}."
    yield f"- **Data:** {format_code(config['data'])}, {run.samples:,} sample{'s' if run.samples != 1 else ''} to train on."
    yield f"- **Parameters:** {run.parameters:,}."
    yield f"- **Versions:** {versions}."
    yield from ("", f"![The network]({PICTURE})")
    if run.has_curves:
        yield from ("", f"![Losses and metrics over the steps]({CURVES})")
    yield from ("", "## Inputs and outputs", "", *_describe_signature(config["signature"]))
    yield from ("", "## Use", "", *_indent(_list_commands(run, config["signature"])), "", "In Python:", "", *_indent(("import netc", "")))
    yield from _indent((f"predictor = netc.load({json.dumps(run.folder)})",))
    yield from ("", "## Spec", "", *_fence(config["spec"]))


def _describe_signature(signature: Mapping[str, Any]) -> Iterator[str]:
    for item in signature["inputs"]:
        columns = ", ".join(map(format_code, item["columns"]))
        yield f"- The input {format_code(item['name'])} reads {columns}."
    for output in signature["outputs"]:
        target = ", ".join(map(format_code, output["columns"] or [output["target"]]))
        names = [format_code(name) for name in output["classes"][:_MAX_CLASSES]]
        listed = ", ".join([*names, f"and {len(output['classes']) - len(names)} others"] if len(output["classes"]) > len(names) else names)
        yield f"- The output {format_code(output['name'])} predicts {target}{f': {listed}' if listed else ''}."


def _list_commands(run: RunSummary, signature: Mapping[str, Any]) -> Iterator[str]:
    folder = quote(run.folder)
    if signature["format"] == "text":
        yield f'netc generate {folder} --prompt "..."'
    else:
        yield f"netc predict {folder} --data NEW"
    if signature["outputs"]:
        yield f"netc evaluate {folder} --data TEST -o report.html"
    yield run.export


def _indent(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"    {line}" if line else ""


def format_code(text: str) -> str:
    """Write a text as code in a line of Markdown: between more backticks than it has in a row, without line breaks."""
    line = " ".join(str(text).split()) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def _fence(text: str) -> tuple[str, ...]:
    """Write a text as a block of code, between fences that it does not have."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}net", text.rstrip("\n"), fence
