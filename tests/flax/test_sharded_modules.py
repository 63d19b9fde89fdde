"""`netc compile --target flax --tp`: eight virtual devices that share the layers compute what one device computes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import netc
from netc.cli import cli
from netc.training.partition_specs import partition_parameters

pytest.importorskip("flax")

ROOT = Path(__file__).parents[2]
DEVICES = 8
TEXT: dict[str, Any] = {"width": 64, "depth": 2, "heads": 8, "vocabulary": 50}
PACKED = """
block packed(heads) {
  (q, k, v) = in -> dense (3 * in.features) as qkv -> chunk 3 axis=-1
  h = (
    q -> rearrange "n t (h d) -> n h t d" h=heads,
    k -> rearrange "n t (h d) -> n h t d" h=heads,
    v -> rearrange "n t (h d) -> n h t d" h=heads
  )
  h -> attention causal=true -> rearrange "n h t d -> n t (h d)" -> dense in.features as proj
}
x = input [T, 16]
x -> repeat 1 as layers {
  a = in -> packed 8 as packed
  a + (a -> layer_norm -> multihead_attention 8 as attention) -> dense 32 gelu as up -> dense 16 as down
}
"""
CHAIN = "input 16 -> repeat 4 as layers { dense 16 tanh as fc }"


def open_llama() -> netc.Model:
    return netc.compile_file(ROOT / "specs/text/llama.net", model="network", params=TEXT | {"shared_heads": 8, "hidden": 64})


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """All models in one process, which takes seconds to start."""
    jobs = {
        "llama": (open_llama().source("flax", tp=DEVICES, scan_layers=True), "Network", [2, 5], 50),
        "packed": (netc.compile(PACKED).source("flax", tp=DEVICES), "Net", [2, 5, 16], 0),
        "chain": (netc.compile(CHAIN).source("flax", tp=DEVICES), "Net", [3, 16], 0),
        "scanned chain": (netc.compile(CHAIN).source("flax", tp=DEVICES, scan_layers=True), "Net", [1, 16], 0),
    }
    given = json.dumps([dict(zip(("text", "name", "shape", "indices"), job, strict=True)) for job in jobs.values()])
    flags = f"--xla_force_host_platform_device_count={DEVICES} --xla_backend_optimization_level=0"
    command = [sys.executable, "-m", "tests.flax.sharded_step"]
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(jobs, json.loads(done.stdout), strict=True))


@pytest.mark.rest
@pytest.mark.parametrize("name", ["llama", "packed", "chain", "scanned chain"])
def test_eight_devices_compute_what_one_does(results: dict[str, Any], name: str) -> None:
    found = results[name]
    assert found["devices"] == DEVICES
    assert found["output"] <= 1e-6
    assert found["gradients"] <= 1e-5


@pytest.mark.rest
def test_each_device_has_its_part(results: dict[str, Any]) -> None:
    """An eighth of each parameter in the table, and all of the others."""
    split = {"q": 1, "k": 1, "v": 1, "o": 2, "gate": 1, "up": 1, "down": 2}  # by projection, the axis after the axis of layers
    shapes = results["llama"]["shapes"]
    assert len(shapes) == len(split) + 5
    for name, (full, part) in shapes.items():
        axis = split.get(name.rpartition("_proj.")[0].rpartition(".")[2])
        assert part == [size // (DEVICES if index == axis else 1) for index, size in enumerate(full)], name
    assert results["packed"]["shapes"]["layers.0.attention.in_proj_weight"] == [[48, 16], [6, 16]]


@pytest.mark.rest
def test_scanned_layers_with_different_axes_stay_whole(results: dict[str, Any]) -> None:
    """In a chain of dense layers, every second one sums over the parts."""
    assert results["chain"]["shapes"]["layers.0.fc.weight"] == [[16, 16], [2, 16]]
    assert results["chain"]["shapes"]["layers.1.fc.weight"] == [[16, 16], [16, 2]]
    assert results["scanned chain"]["shapes"]["layers.layer.fc.weight"] == [[4, 16, 16], [4, 16, 16]]


def test_patterns_stand_for_keys_with_the_same_axes() -> None:
    """Every second layer has other axes, so no pattern stands for several."""
    assert partition_parameters(netc.compile(CHAIN).program, 2) == {
        "layers.0.fc.weight": ("tp", None),
        "layers.0.fc.bias": ("tp",),
        "layers.1.fc.weight": (None, "tp"),
        "layers.2.fc.weight": ("tp", None),
        "layers.2.fc.bias": ("tp",),
        "layers.3.fc.weight": (None, "tp"),
    }


def test_the_command(tmp_path: Path) -> None:
    """The note has the layers that stay whole."""
    path = tmp_path / "layers.py"
    text = "input 4 -> dense 8 relu as up -> dense 4 as down -> layer_norm -> dense 3 as head"
    done = CliRunner().invoke(cli, ["compile", "-e", text, "--target", "flax", "--tp", "2", "-o", str(path)])
    assert done.exit_code == 0, done.stderr
    assert "2 devices share 2 layers, 2 of `dense`; whole on each: `head`" in done.stderr
    written = path.read_text(encoding="utf-8")
    assert '    "down.weight": PartitionSpec(None, "tp"),\n' in written
    assert written == netc.compile(text).source("flax", tp=2)
    assert "PARTITION" not in netc.compile(text).source("flax", tp=1)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--target", "flax", "--tp", "3"], 1, "`up` has 8 features, which 3 devices cannot share"),
        (["--target", "torch", "--tp", "2"], 2, "`--tp` is for the target `flax`, not for PyTorch source"),
        (
            ["--target", "flax", "--tp", "2", "--train"],
            2,
            "--tp is for the source of a model: it goes without --stream, --emit and --train",
        ),
        (["--target", "flax", "--tp", "0"], 2, "0 is not in the range"),
    ],
)
def test_what_cannot_be_shared(words: list[str], code: int, said: str) -> None:
    done = CliRunner().invoke(cli, ["compile", "-e", "input 4 -> dense 8 relu as up -> dense 4 as down", *words])
    assert done.exit_code == code
    assert said in done.stderr


def test_a_model_without_such_layers() -> None:
    with pytest.raises(netc.CompileError, match="no layer of this model can be divided over 2 devices") as caught:
        netc.compile("input 3x8x8 -> conv 4 3x3").source("flax", tp=2)
    assert "--strategy" not in str(caught.value)
    with pytest.raises(ValueError, match="`tp` must be at least 1, not 0"):
        netc.compile("input 3").source("flax", tp=0)


def test_the_names_of_the_table_are_not_those_of_blocks() -> None:
    text = "block PartitionSpec { dense 8 relu -> dense 4 }; input 4 -> PartitionSpec as a -> PartitionSpec as b"
    source = netc.compile(text).source("flax", tp=2)
    assert "class PartitionSpec(" not in source
    compile(source, "source", "exec")
