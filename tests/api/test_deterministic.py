"""The same spec gives the same text and the same bytes in every process: the order of a set, which differs from one process to the next,
decides nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SPECS = Path(__file__).parents[2] / "specs"
SMALL = ("mnist_resnet.net", "siamese.net", "sequences/seq2seq.net --model luong", "other/two_tower.net")
LARGE = ("vae.net", "gpt.net", "unet.net", "vision/googlenet.net", "text/t5.net --model t5_small")
STAGES = ("tokens", "ast", "graph", "torch", "onnx")
FAULTY = """
block b(width, depth) { dense width -> dens depth }
block c(width, depth) { dense widht -> dense depth }
image = input 3xHxW where H % 4 == 0, W > H
text = input [T, 4]
a = image -> b 3 depht=4
d = image -> b 3 4
e = image -> c 3 4
f = (image, text) -> concat axis=1
g = image -> conv 3 kernal=3 color=1
h = text -> reshape [T, S, Q]
text + (text -> dense 4 -> max_pool 2)
"""
PROGRAM = """
import sys
import netc
from netc.cli import cli

faulty, stages, *chosen = sys.argv[1:]
for words in chosen:
    for stage in stages.split():
        print("---", words, stage, flush=True)
        file, *model = words.split()
        cli(["compile", file, *(() if stage in ("tokens", "ast") else model), "--emit", stage], standalone_mode=False)
print(netc.compile_file(chosen[0]).onnx(seed=1).SerializeToString(deterministic=False).hex())
cli(["check", "-e", faulty, "--format", "json"], standalone_mode=False)
"""


def started(seed: int, chosen: tuple[str, ...]) -> subprocess.Popen[str]:
    """A process that prints all that netc makes of the chosen specs, with its own order of sets."""
    environment = os.environ | {"PYTHONHASHSEED": str(seed), "NO_COLOR": "1"}
    command = [sys.executable, "-c", PROGRAM, FAULTY, " ".join(STAGES), *chosen]
    return subprocess.Popen(command, cwd=SPECS, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("chosen", [SMALL, pytest.param(LARGE, marks=pytest.mark.long)], ids=["small", "large"])
def test_two_processes_make_the_same(chosen: tuple[str, ...]) -> None:
    first, second = (process.communicate()[0].splitlines() for process in (started(1, chosen), started(2, chosen)))
    headings = [line for line in first if line.startswith("--- ")]
    assert headings == [f"--- {words} {stage}" for words in chosen for stage in STAGES], first[-5:]
    assert sum('"code":' in line for line in first) >= 6
    different = [(a[:200], b[:200]) for a, b in zip(first, second, strict=False) if a != b]
    assert different == []
    assert len(first) == len(second)
