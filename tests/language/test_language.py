"""The chapters of this folder: every ```net example is checked, and the claims in its comments are compared with netc's results.

    x -> dense 2      # is [N, 2]            the shape at the end of this line (checked by the language's own `is`)
    x -> dens 2       # error: CODE          a diagnostic whose span begins on this line; also `warning` and `note`
    # names: stem.weight, stem.bias          the keys of the state dict, all of them, in any order
    # params: 123                            the number of trainable parameters
    # input: tokens int64 [N, T]             each input or output, in order: its name and type
    # output: logits [N, T, 10]
    # model: resnet18                        the name of the model

An example without `error`, `warning` or `note` must have no diagnostics. Options of the command line may follow ```net: `set=classes=5`,
`dim=T=128`, `model=NAME`. A fence with `file=blocks/a.net` is not an example, but a file that the examples below it can `use`. Claims about
diagnostics in such a file apply to every example that reads it.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from math import prod
from pathlib import Path

import onnx
import pytest
import torch
from case_ids import case_id, digest

import netc
from netc.analysis import Analysis, Choice, analyze, check_sections, parse_spec
from netc.api import make_model
from netc.compiler.analysis.state_dict import collect_parameters, count_parameters
from netc.compiler.elaborate.program.option_origin import NAME
from netc.dsl.record import replace
from netc.dsl.source import SourceFile
from netc.inputs.set_values import parse_constant

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
CHAPTERS = [*sorted(HERE.glob("*.md")), *sorted((DOCS / "language").glob("*.md")), DOCS / "examples.md", HERE.parents[1] / "README.md"]
TABLES = HERE.parent / "errors/constants/tables.safetensors"
"""Arrays that examples may have as tables."""
MOST = 3_000_000
"""Larger models are not compiled."""
DIAGNOSTIC = re.compile(r"#\s*(error|warning|note):\s*([a-z-]+(?:,\s*[a-z-]+)*)\s*(?=#|$)")
SHAPE = re.compile(r"#\s*is\s+(\[[^\]]*\])\s*$")
FACT = re.compile(r"^\s*#\s*(names|params|input|output|model):\s*(.*?)\s*$", re.MULTILINE)
ANY_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+?)\s*$", re.MULTILINE)
FENCE = re.compile(r"^```net([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example:
    """One fence: its text, the words after ```net, and the files above it."""

    def __init__(self, words: str, text: str, files: dict[str, str]) -> None:
        pairs = [word.partition("=") for word in words.split()]
        self.options = [(name, value) for name, _, value in pairs]
        self.text = "\n".join(SHAPE.sub(r"-> is \1", line) for line in text.splitlines()) + "\n"
        self.files = dict(files)

    @property
    def file(self) -> str | None:
        return dict(self.options).get("file")

    @property
    def choice(self) -> Choice:
        settings = [(kind, *value.split("=", 1)) for kind, value in self.options if kind != "model"]
        return Choice(
            dict(self.options).get("model"),
            {name: parse_constant(value) for kind, name, value in settings if kind == "set"},
            {name: int(value) for kind, name, value in settings if kind == "dim"},
        )


def examples() -> Iterator[object]:
    for chapter in CHAPTERS:
        text = chapter.read_text(encoding="utf-8")
        files: dict[str, str] = {}
        named: list[tuple[str, Example]] = []
        for match in FENCE.finditer(text):
            example = Example(match[1], match[2], files)
            if example.file is not None:
                files[example.file] = example.text
            else:
                named.append((f"{chapter.stem}: {heading(text, match.start())}: {code(match[2])}", example))
        counts = Counter(name for name, _ in named)
        for name, example in named:
            yield pytest.param(example, id=name if counts[name] == 1 else f"{name} {digest(example.text)}")


def heading(text: str, position: int) -> str:
    """The last one before this position; what looks like one within a fence is a comment."""
    prose = ANY_FENCE.sub("", text[:position])
    return next(reversed(HEADING.findall(prose)), "")


def code(text: str) -> str:
    """That of an example on one line, shortened: what it is known by."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return case_id("; ".join(filter(None, lines)))


def claimed_diagnostics(source: SourceFile) -> set[tuple[str, int, str]]:
    found = ((number, match) for number, line in enumerate(source.text.splitlines(), 1) for match in DIAGNOSTIC.finditer(line))
    return {(source.name, number, code.strip()) for number, match in found for code in match[2].split(",")}


def facts(analysis: Analysis) -> dict[str, list[str]]:
    assert analysis.program is not None
    main, learned = analysis.program.main, collect_parameters(analysis.program)
    return {
        "names": sorted(learned),
        "params": [str(count_parameters(learned))],
        "input": [f"{v.name} {v.type}" for v in main.inputs],
        "output": [f"{name} {v.type}" for name, v in zip(main.output_names, main.outputs, strict=True)],
        "model": [main.name],
    }


def claimed_facts(text: str) -> dict[str, list[str]]:
    claimed: dict[str, list[str]] = {}
    for match in FACT.finditer(text):
        value = match[2].replace("_", "") if match[1] == "params" else match[2]
        claimed.setdefault(match[1], []).extend(value.split(", ") if match[1] == "names" else [value])
    return {kind: sorted(filter(None, values)) if kind == "names" else values for kind, values in claimed.items()}


def with_sections(source: SourceFile, choice: Choice, path: str) -> Analysis:
    """The analysis of the model, with the diagnostics of train sections too."""
    model = analyze(source, choice, path)
    found = [d for one in check_sections(parse_spec(source, choice, path)) for d in one.diagnostics]
    return replace(model, diagnostics=(*model.diagnostics, *(d for d in found if d not in model.diagnostics)))


@pytest.mark.parametrize("example", list(examples()))
def test_example(example: Example, tmp_path: Path) -> None:
    shutil.copy(TABLES, tmp_path)
    for name, text in example.files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    analysis = with_sections(SourceFile("example.net", example.text), example.choice, str(tmp_path / "example.net"))
    claimed = {claim for source in analysis.sources for claim in claimed_diagnostics(source)}
    names = {NAME: "example.net"}  # what is wrong with an option is claimed in the first line
    found = {
        (names.get(d.span.file.name, d.span.file.name), d.span.file.line_and_column(d.span.start)[0], d.code): d.message
        for d in analysis.diagnostics
    }
    assert set(found) == claimed, found
    assert analysis.program is not None or analysis.failed or "input" not in example.text
    if analysis.program is not None:
        compiled(analysis, example.choice, str(tmp_path / "example.net"))
    if wanted := claimed_facts(example.text):
        known = facts(analysis)
        assert {kind: known[kind] for kind in wanted} == wanted


def compiled(analysis: Analysis, choice: Choice, path: str) -> None:
    """The source makes a module with the model's parameters, and ONNX has them too, or the reason why it has not."""
    model = make_model(analysis, choice, path)
    if sum(prod(info.shape) for info in model.parameters.values()) > MOST:
        return
    space: dict[str, object] = {"__name__": "spec"}
    exec(compile(model.source(), "spec.py", "exec"), space)
    classes = [v for v in space.values() if isinstance(v, type) and issubclass(v, torch.nn.Module) and v.__module__ == "spec"]
    kept = {name: tuple(info.shape) for name, info in model.parameters.items() if info.persistent}
    assert {name: tuple(tensor.shape) for name, tensor in classes[-1]().state_dict().items()} == kept
    with suppress(netc.CompileError):
        onnx.checker.check_model(model.onnx(), full_check=True)
