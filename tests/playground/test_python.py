"""The Python of the page, as a page has it: without NumPy, and with its substitute, which writes the same ONNX as NumPy."""

from __future__ import annotations

import base64
import json
import os
import runpy
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from netc.compiler.types.tensor_types import DTYPES
from tests.case_families import FAMILIES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "playground"
WRITTEN = Path(__file__).with_name("written.py")
CASES = [case for family in FAMILIES.values() for case in family.CASES]
SOME = 60
HALF = [
    f"x = input 5 {name}; w = param [5, {width}] {name} init={init}(0.5) as w; x @ w -> dense 3"
    for name in ("float16", "bfloat16")
    for init in ("normal", "xavier_uniform")
    for width in (7, 13_200)
]
"""Texts whose numbers are of 16 bits: the many of the larger parameter are drawn otherwise."""
DRAWN = ["input 5 -> dense 3 init=normal(2)", "input 700 -> dense 400"]
"""A normal distribution, and values for which memory is kept."""
QUESTIONS = """
import json, sys, netc_page
answers = []
for question, arguments in json.load(sys.stdin):
    assert "numpy" not in sys.modules, f"loaded before {question}"
    answers.append(netc_page.ask(question, json.dumps(arguments)))
print(json.dumps(answers))
"""
"""Nothing but the last question, a hover over an operator, may load NumPy or its stand-in: that would delay the first answer."""


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folders that a page's Python has, as PYTHONPATH says it."""
    home = tmp_path_factory.mktemp("page") / "stand_ins"
    shutil.copytree(FOLDER / "python" / "stand_ins", home, ignore=shutil.ignore_patterns("__pycache__"))
    spec = find_spec("onnx")
    assert spec is not None
    assert spec.origin is not None
    shutil.copy(Path(spec.origin).with_name("onnx_ml_pb2.py"), home / "onnx")
    return os.pathsep.join(map(str, (home, FOLDER / "python", ROOT)))


def run(path: str, code: list[str], given: object) -> Any:
    environment = os.environ | {"PYTHONPATH": path, "NETC_DEBUG": ""}
    done = subprocess.run([sys.executable, *code], input=json.dumps(given), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


ROUNDED = ("normal", "trunc_normal", "xavier_normal", "kaiming_normal")
"""Initializers that take logarithms and sines, whose last bits may differ."""


def without(found: str, names: set[str]) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """The model without the numbers of these parameters, and these numbers."""
    assert not found.startswith("error"), found
    model = onnx.load_from_string(base64.b64decode(found))
    numbers = {}
    for tensor in model.graph.initializer:
        if tensor.name in names:
            numbers[tensor.name] = numpy_helper.to_array(tensor)
            tensor.raw_data = b""
    return model, numbers


def compare(texts: list[str], path: str) -> None:
    import netc

    real, page = (run(where, [str(WRITTEN)], texts) for where in (str(ROOT), path))
    for text, one, other in zip(texts, real, page, strict=True):
        if one != other:
            infos = netc.compile(text).parameters
            names = {name for name, info in infos.items() if info.init.kind in ROUNDED}
            (model, numbers), (wanted, right) = without(other, names), without(one, names)
            assert model == wanted, text
            for name in names:
                np.testing.assert_allclose(numbers[name], right[name], rtol=1e-5, atol=1e-6, err_msg=text)


@pytest.mark.long
def test_drawn_values_of_a_page_are_those_of_netc(stand_ins: str) -> None:
    compare(DRAWN, stand_ins)


@pytest.mark.long
def test_the_onnx_of_a_page_is_that_of_netc(stand_ins: str) -> None:
    compare([*CASES[:: len(CASES) // SOME], *HALF], stand_ins)


@pytest.mark.long
def test_the_onnx_of_a_page_is_that_of_netc_for_every_case(stand_ins: str) -> None:
    compare(CASES, stand_ins)


@pytest.mark.long
def test_questions_of_the_page(stand_ins: str) -> None:
    wrong = "# ☃\nx = input [5]\nw = param [1, 5] init=normal(1) as w\nx @ w -> sigmoid"
    fine = "x = input [T, 3]\nx -> repeat 2 as layers { dense 3 } -> dense 2"
    several = "model a() { input 3 -> dense 1 }\nmodel b() { input 3 -> dense 7 }"
    train = "x = input 3\nx -> dense 1\ntrain { t = input 1; loss = (output, t) -> mse_loss; optimizer sgd lr=1; epochs 1 }"
    questions: list[tuple[str, dict[str, object]]] = [
        ("check", {"text": wrong}),
        ("check", {"text": fine}),
        ("summary", {"text": fine}),
        ("picture", {"text": fine}),
        ("source", {"text": fine}),
        ("check", {"text": several, "model": "b"}),
        ("check", {"text": ""}),
        ("complete", {"text": "input 3 -> den", "offset": 14}),
        ("check", {"text": train}),
        ("check", {"text": train.replace("-> mse_loss", "-> mse_loss reduction=none")}),
        ("words", {}),
        ("hover", {"text": fine, "offset": fine.index("dense") + 1}),
    ]
    failed, checked, summary, picture, source, chosen, empty, completed, trained, untrained, words, hovered = map(
        json.loads, run(stand_ins, ["-c", QUESTIONS], questions)
    )
    (problem,) = failed["diagnostics"]
    assert (problem["code"], wrong[problem["from"] : problem["to"]]) == ("shape-mismatch", "@")
    assert "--> spec.net:4:3" in failed["rendered"]
    assert checked["rendered"] == ""
    assert checked["inputs"] == [{"name": "x", "type": "float32", "shape": ["N", "T", 3]}]
    assert [hint["text"] for hint in checked["hints"]] == ["# [N, T, 3]", "# [N, T, 2]"]
    assert "layers" in summary
    assert picture.startswith("<!doctype html>")
    assert "class Spec(nn.Module)" in source
    assert (chosen["models"], chosen["hints"][-1]["text"]) == (["b", "a"], "# [N, 7]")
    assert empty["diagnostics"]
    assert "dense" in [one["label"] for one in completed]
    assert "dense" in hovered["text"]
    assert trained["rendered"] == ""
    assert [one["code"] for one in untrained["diagnostics"]] == ["loss-not-scalar"]
    assert {*DTYPES} == {*words["types"]}


def test_the_lessons_have_the_numbers_of_the_tutorial() -> None:
    """Those of torch.manual_seed(7), drawn in the tutorial's order."""
    state = torch.get_rng_state()
    torch.manual_seed(7)
    features = torch.randn(1, 5)
    neuron = [features, torch.rand_like(features), torch.randn(1, 1)]
    torch.randn(1, 3)
    x, w1, w2, b1, b2 = torch.randn(1, 3), torch.randn(3, 2), torch.randn(2, 1), torch.randn(1, 2), torch.randn(1, 1)
    torch.set_rng_state(state)
    mistake, line, hidden = json.loads((FOLDER / "lessons" / "tutorial.json").read_text(encoding="utf-8"))
    for lesson, drawn in ((mistake, neuron), (line, neuron), (hidden, [x, w1.T, b1, w2.T, b2])):
        for given, tensor in zip(lesson["given"].values(), drawn, strict=True):
            assert given == pytest.approx(tensor.flatten().tolist(), rel=1e-5)


def test_lessons_are_those_of_the_page_of_examples_too() -> None:
    made = runpy.run_path(str(FOLDER / "build.py"))["lessons"]()
    assert len({lesson["title"] for lesson in made}) == len(made) >= 3 + 10 + 6
