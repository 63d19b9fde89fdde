"""Diagnostics that need more than a spec: binary files, weights, targets. Each case is made here and run on the command line.

made/CASE.err is what the command writes on standard error; `--update` writes it anew.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from netc.cli import cli
from netc.files.source_files import MAX_BYTES

MADE = Path(__file__).parent / "made"
Words = list[str]


def put(name: str, content: bytes | str) -> Words:
    """A file of the current folder, to be checked."""
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return ["check", name]


def binary_file() -> Words:
    return put("model.onnx", b"\x08\x09\x12\x04netc\x00\x01\x02")


def cannot_import() -> Words:
    node = helper.make_node("NonZero", ["x"], ["y"], name="found")
    ports = [helper.make_tensor_value_info(name, of, [None, 3]) for name, of in (("x", TensorProto.FLOAT), ("y", TensorProto.INT64))]
    model = helper.make_model(helper.make_graph([node], "sparse", ports[:1], ports[1:]), opset_imports=[helper.make_opsetid("", 18)])
    return put("model.onnx", model.SerializeToString())


def binary_text() -> Words:
    return put("model.net", b"input 3\x00 -> dense 2")


def not_utf8() -> Words:
    return put("latin.net", "input 3  # café\n".encode("latin-1"))


def not_utf8_wide() -> Words:
    return put("wide.net", "input 3".encode("utf-16"))


def empty_file() -> Words:
    return put("empty.net", "")


def missing_file() -> Words:
    put("model.net", "input 3")
    return ["check", "modle.net"]


def missing_file_of_the_zoo() -> Words:
    return ["format", "resnet18"]


def not_a_file() -> Words:
    Path("models").mkdir()
    return ["check", "models"]


def unreadable_file() -> Words:
    Path("loop.net").symlink_to("loop.net")
    return ["check", "loop.net"]


def file_too_large() -> Words:
    with Path("large.net").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    return ["check", "large.net"]


def use_of_a_binary_file() -> Words:
    put("weights.net", b"\x00\x01")
    return put("model.net", 'use "weights.net"\ninput 3 -> dense 2\n')


def _weights(*names_and_shapes: tuple[str, tuple[int, ...]]) -> Words:
    np.savez("weights.npz", **{name: np.zeros(shape, np.float32) for name, shape in names_and_shapes})
    return ["compile", "-e", "input 3 -> dense 4 as hidden -> dense 2 as out", "-o", "out.onnx", "--weights", "weights.npz"]


def weights_mismatch() -> Words:
    return _weights(("hiden.weight", (4, 3)), ("hidden.bias", (4,)), ("out.weight", (2, 5)), ("out.bias", (2,)))


def weights_mismatch_prefix() -> Words:
    return _weights(
        *((f"encoder.{n}", s) for n, s in (("hidden.weight", (4, 3)), ("hidden.bias", (4,)), ("out.weight", (2, 4)), ("out.bias", (2,))))
    )


def weights_pattern() -> Words:
    fitting = _weights(("hidden.weight", (4, 3)), ("hidden.bias", (4,)), ("out.weight", (2, 4)), ("out.bias", (2,)))
    return [*fitting, "--ignore", "auxiliary.*"]


def weights_unreadable() -> Words:
    put("weights.npz", "PK\x03\x04, and no archive")  # so that Python says what is wrong, and not NumPy, whose words change
    return ["compile", "-e", "input 3 -> dense 2", "-o", "out.onnx", "--weights", "weights.npz"]


def _scaled_weights(factor: float) -> Words:
    """A model whose second layer is large, to be checked for its ranges."""
    put("model.net", "input 2 -> tanh -> dense 2 as hidden -> dense 1 as fc")
    np.savez(
        "weights.npz", **{"hidden.weight": np.eye(2), "hidden.bias": np.zeros(2), "fc.weight": np.full((1, 2), factor), "fc.bias": [0.0]}
    )
    np.savez("samples.npz", input=np.array([[1.0, 2.0], [-3.0, 0.5]], np.float32))
    return ["check", "model.net", "--range", "--weights", "weights.npz", "--calibration", "samples.npz"]


def range_overflow() -> Words:
    return _scaled_weights(1e5)


def weights_not_finite() -> Words:
    return _scaled_weights(float("nan"))


def weights_missing() -> Words:
    return ["compile", "-e", "input 3 -> dense 2", "-o", "out.onnx", "--weights", "nothing.safetensors"]


def onnx_unsupported() -> Words:
    return ["compile", "-e", "input 3xHxW -> upsample scale=2 mode=lanczos antialias=true", "-o", "out.onnx"]


def size_not_fixed() -> Words:
    return ["compile", "-e", "words = input [T, 8] where T <= 64; words -> dense 4", "-o", "out.pte"]


def format_unsupported() -> Words:
    return ["compile", "-e", "words = input 8 int64; words -> embedding 9 4", "--dim", "N=1", "-o", "out.mlpackage"]


def runtime_unsupported() -> Words:
    return ["compile", "-e", "input [T, 5] -> gru 4", "--for", "tract", "-o", "model.onnx"]


def spec_unsupported() -> Words:
    text = "past = input [4, T] for _ in 2; past -> concat axis=2"
    return ["compile", "-e", text, "--dim", "T=5", "--target", "net"]


def source_unsupported() -> Words:
    text = "x = input 8xHxW; y = input 8xT; shared n = batch_norm; (x -> n -> global_avg_pool) + (y -> n -> global_avg_pool)"
    return ["compile", "-e", text, "--target", "torch"]


def no_model() -> Words:
    put("blocks.net", "block f { relu }\n")
    return ["compile", "blocks.net", "-o", "out.onnx"]


REGRESSION = """x = input 4
y = x -> dense 8 -> log -> dense 1 -> squeeze 1
train {
  target = input []
  loss = (y, target) -> mse_loss
}
"""


def _training(*words: str) -> Words:
    put("price.net", REGRESSION)
    np.savez("prices.npz", x=np.zeros((8, 4), np.float32), target=np.zeros(8, np.float32))
    return ["train", "price.net", "--data", "prices.npz", "-o", "run", *words]


def loss_not_finite() -> Words:
    return _training()


def batch_too_small() -> Words:
    put("small.net", REGRESSION.replace("-> log", "-> batch_norm").replace("mse_loss\n", "mse_loss\n  batch 4\n"))
    np.savez("five.npz", x=np.zeros((5, 4), np.float32), target=np.zeros(5, np.float32))
    return ["train", "small.net", "--data", "five.npz", "-o", "run", "--epochs", "1000"]


def run_exists() -> Words:
    words = _training()
    Path("run").mkdir()
    put("run/config.json", "{}")
    return words


HOLDER = """
import fcntl, json, os, socket, sys
with open("run/.lock", "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX, 1, 1 << 20)
    file.truncate(0)
    file.write(json.dumps({"process": 4321, "host": socket.gethostname()}).encode())
    file.flush()
    print("locked", flush=True)
    sys.stdin.read()
"""
"""A process that has the lock of a run, and says that it is another, until its input ends."""
HOLDERS: list[subprocess.Popen[bytes]] = []


def batch_refused() -> Words:
    text = """features = input 3
scores = features -> dense 3 -> log_softmax axis=1

train {
  target = input [] int64
  loss = -((scores, target -> unsqueeze 1) -> gather axis=1 -> mean)
}
"""
    Path("pick.net").write_text(text)
    np.savez("pick.npz", features=np.ones((4, 3), np.float32), target=np.array([0, 1, 2, 7]))
    return ["train", "pick.net", "--data", "pick.npz", "-o", "run"]


def run_locked() -> Words:
    CliRunner().invoke(cli, _training("--steps", "1"), prog_name="netc")
    HOLDERS.append(subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    assert HOLDERS[-1].stdout is not None
    assert HOLDERS[-1].stdout.readline() == b"locked\n"
    return ["train", "--resume", "run"]


def folder_not_empty() -> Words:
    return [*_training()[:-1], "."]


def run_unreadable() -> Words:
    Path("digits").mkdir()
    return ["train", "--resume", "digits"]


def run_differs() -> Words:
    CliRunner().invoke(cli, _training("--steps", "1"), prog_name="netc")
    put("price.net", REGRESSION.replace("log", "relu"))
    return ["train", "price.net", "--resume", "run"]


def no_device() -> Words:
    return _training("--strategy", "ddp")


def cannot_split() -> Words:
    text = """x = input [T, 12]
scores = x -> multihead_attention 6 as attention -> dense 10
train { loss = scores -> mean }
"""
    Path("six.net").write_text(text)
    return ["plan", "six.net", "--devices", "4", "--device-type", "h100", "--tp", "4"]


CASES: list[Callable[[], Words]] = [
    spec_unsupported, source_unsupported, size_not_fixed, format_unsupported,
    binary_file, cannot_import, binary_text, not_utf8, not_utf8_wide, empty_file, missing_file, missing_file_of_the_zoo,
    not_a_file, unreadable_file, file_too_large,
    use_of_a_binary_file, weights_mismatch, weights_mismatch_prefix, weights_pattern, weights_unreadable, weights_missing, onnx_unsupported,
    runtime_unsupported,
    range_overflow, weights_not_finite,
    no_model,
    loss_not_finite, batch_refused, batch_too_small, run_exists, run_locked, folder_not_empty, run_unreadable, run_differs, no_device,
    cannot_split,
]  # fmt: skip


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_made(make: Callable[[], Words], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: bool) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, make(), prog_name="netc")
    golden = MADE / f"{make.__name__}.err"
    said = done.stdout + done.stderr
    assert done.exit_code == 1, said
    if update:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


def test_no_orphans() -> None:
    assert {p.stem for p in MADE.glob("*.err")} == {make.__name__ for make in CASES}
