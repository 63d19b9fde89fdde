"""Models written piece by piece: the bytes equal protobuf's, and no more than a tensor is in memory."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import namedtuple
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper
from safetensors.numpy import save_file

import netc
from netc.cli import cli
from netc.compiler.backends.onnx import save
from netc.compiler.backends.onnx.byte_stream import ModelStream, embed_initializer, iter_element_bytes
from netc.compiler.backends.onnx.save import MOST_AT_ONCE, from_proto, run_ahead
from netc.compiler.weights import free_space
from netc.compiler.weights.chunked_arrays import all_finite, convert_array
from netc.compiler.weights.initial import draw_initial_values

WIDE = "input 1000 -> repeat 16 as layers { dense 1000 bias=false }"
"""Sixteen parameters of four megabytes."""
BYTES = 16 * 4_000_000


def written(proto: ModelProto) -> bytes:
    made = from_proto(proto)
    message = ModelStream(made.proto, [embed_initializer(name, stored) for name, stored in made.tensors.items()])
    content = b"".join(message.iter_chunks())
    assert len(content) == message.size
    return content


@pytest.mark.parametrize(
    "text",
    [
        "input 3 -> relu",
        "input 3 -> dense 2",
        WIDE,
        "tokens = input [T] int64; tokens -> embedding 10 8 as e -> multihead_attention 2 -> gru 5",
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_the_bytes_are_those_of_protobuf(text: str, dtype: str) -> None:
    proto = netc.compile(text, dtype=dtype).onnx(seed=1)
    assert written(proto) == proto.SerializeToString(deterministic=True)


@given(st.lists(st.sampled_from([0, 1, 127, 128, 16_383, 16_384, 2**21 - 1]), max_size=6), st.text(max_size=200), st.booleans())
def test_lengths_of_all_sizes(sizes: list[int], name: str, more: bool) -> None:
    proto = ModelProto(ir_version=11, producer_name=name)
    proto.graph.name = name
    for number, size in enumerate(sizes):
        tensor = numpy_helper.from_array(np.zeros(size, np.uint8), f"{number}{name}")
        proto.graph.initializer.append(TensorProto(name=tensor.name, data_type=2, dims=[size], raw_data=tensor.raw_data))
    if more:
        proto.graph.doc_string = name
        proto.metadata_props.add(key="k", value=name)
        proto.graph.node.add(op_type="Relu", name=name)
    assert written(proto) == proto.SerializeToString(deterministic=True)


def test_chunks_are_bytes_without_axes() -> None:
    """So that their length is their number of bytes, for who counts them and who writes them."""
    array = np.arange(1500 * 1600, dtype=np.float32).reshape(1500, 1600).T
    chunks = list(iter_element_bytes(array))
    assert len(chunks) > 1
    assert sum(len(chunk) for chunk in chunks) == array.nbytes
    assert b"".join(chunks) == array.tobytes()


def test_a_graph_without_anything() -> None:
    proto = ModelProto(graph=GraphProto())
    assert onnx.load_from_string(written(proto)) == proto


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("weights", ["drawn", "file", "another type"])
@pytest.mark.long
def test_a_few_tensors_are_in_memory(large: bool, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of sixteen: the one that is written, those that two threads make with their copies, and memory that is kept to be used again."""
    model = netc.compile(WIDE)
    path = tmp_path / "w.safetensors"
    kind = np.float16 if weights == "another type" else np.float32
    save_file({name: array.astype(kind) for name, array in draw_initial_values(model.parameters, 1).items()}, path)
    monkeypatch.setattr(save, "LARGEST", 1000 if large else 10**9)
    options = {"seed": 1} if weights == "drawn" else {"weights": path}
    model.save(tmp_path / "m.onnx", **options)  # type: ignore[arg-type]
    tracemalloc.start()
    model.save(tmp_path / "m.onnx", **options)  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (MOST_AT_ONCE + 3) * BYTES / 16
    found, wanted = (
        {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
        for proto in (onnx.load(tmp_path / "m.onnx"), model.onnx(**options))  # type: ignore[arg-type]
    )
    assert list(found) == list(wanted)
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


# --- room ------------------------------------------------------------------------------------------------------------------


def no_room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(free_space.shutil, "disk_usage", lambda folder: usage(10**9, 0, free))


@pytest.mark.parametrize("large", [False, True])
def test_a_disk_that_is_too_small(large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read, drawn or written."""
    monkeypatch.setattr(save, "LARGEST", 1000 if large else 10**9)
    no_room(monkeypatch, BYTES - 1)
    read: list[str] = []
    model = netc.compile(WIDE)
    monkeypatch.setattr("netc.compiler.weights.initial._parameter_values", lambda info, generators: read.append(info.name))
    (tmp_path / "m.onnx").write_text("before")
    with pytest.raises(OSError, match=r"it takes 64\.0 MB, and the disk has 64\.0 MB left") as caught:
        model.save(tmp_path / "m.onnx", seed=0)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "m.onnx")
    assert os.listdir(tmp_path) == ["m.onnx"]
    assert (tmp_path / "m.onnx").read_text() == "before"
    assert read == []


def test_the_command_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    no_room(monkeypatch, 5_000_000)
    result = CliRunner().invoke(cli, ["compile", "-e", WIDE, "-o", str(tmp_path / "m.onnx")])
    assert result.exit_code == 1
    assert f"cannot write `{tmp_path / 'm.onnx'}`: it takes 64.0 MB, and the disk has 5.0 MB left" in result.output


def test_memory_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = netc.compile("input 10_000 -> dense 10_000 bias=false")
    monkeypatch.setattr(free_space, "_read_available_memory", lambda: iter([300_000_000]))
    for make in (model.module, model.onnx, lambda: model.save(tmp_path / "m.onnx")):
        with pytest.raises(MemoryError, match=r"takes? [48]00\.0 MB of memory, and 300\.0 MB are left"):
            make()
    assert os.listdir(tmp_path) == []


def test_what_the_system_says() -> None:
    free = min(free_space._read_available_memory())
    assert 10**6 < free < 10**14
    free_space.check_memory(10**7, "it takes")
    with pytest.raises(MemoryError, match=r"it takes 1000000\.0 GB of memory"):
        free_space.check_memory(10**15, "it takes")
    free_space.check_disk("/nowhere", 10**15)
    assert [free_space.format_bytes(n) for n in (0, 999, 1000, 1_500_000, 13_500_000_000)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "1.5 MB",
        "13.5 GB",
    ]


@pytest.mark.long
def test_a_process_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    """Neither half of a file under the name, nor, after the next one, anything else."""
    path = tmp_path / "m.onnx"
    text = "input 4000 -> repeat 60 as layers { dense 4000 bias=false }"
    process = subprocess.Popen([sys.executable, "-m", "netc", "compile", "-e", text, "--seed", "0", "-o", path])
    while not list(tmp_path.glob(".netc-*/.*tmp")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not path.exists()
    netc.compile("input 3 -> dense 2").save(path)
    assert os.listdir(tmp_path) == ["m.onnx"]


# --- progress, threads, numbers --------------------------------------------------------------------------------------------


def test_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from netc.dsl.record import replace
    from netc.files.save_artifacts import require_backend
    from netc.files.save_artifacts import save_artifact as save_artifact

    monkeypatch.setattr(save, "LARGEST", 1000)
    seen: list[tuple[int, int]] = []
    path = str(tmp_path / "m.onnx")
    given = replace(netc.compile(WIDE).backend_input(seed=0), progress=lambda done, total: seen.append((done, total)))
    save_artifact(given, require_backend(path), path)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    (data,) = tmp_path.glob("*.data")
    assert seen[-1] == (data.stat().st_size, data.stat().st_size)


def test_work_ahead() -> None:
    done: list[int] = []

    def make(number: int) -> int:
        done.append(number)
        if number == 3:
            raise ValueError("three")
        return number

    found = run_ahead((lambda n=n: make(n)) for n in range(9))  # type: ignore[misc]
    assert [next(found), next(found), next(found)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(found)
    assert max(done) <= 5
    assert list(run_ahead([])) == []


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_finite(name: str) -> None:
    import ml_dtypes

    kind = np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
    greatest = float(ml_dtypes.finfo(kind).max)
    array = np.linspace(-greatest, greatest, 3_000_001).astype(kind) if name != "float64" else np.array([-greatest, 0, greatest])
    assert all_finite(array)
    assert all_finite(np.zeros((3, 0), kind))
    for bad in (np.nan, np.inf, -np.inf):
        changed = array.copy()
        changed[-1] = bad
        assert not all_finite(changed)
        assert not all_finite(changed.reshape(-1, 1)[::-1].T)


def test_conversion_in_parts() -> None:
    array = np.random.default_rng(0).standard_normal((1500, 1501))
    for kind in (np.float32, np.float16):
        assert np.array_equal(convert_array(array, np.dtype(kind)), array.astype(kind))
        assert np.array_equal(convert_array(array.T, np.dtype(kind)), array.T.astype(kind))
    array[-1, -1] = 1e300
    for one in (array, array.T):
        with pytest.raises(OverflowError):
            convert_array(one, np.dtype(np.float32))


def test_a_session_says_where_room_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is too large for one message is written to the folder for temporary files."""
    monkeypatch.setattr(save, "LARGEST", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    no_room(monkeypatch, BYTES - 1)
    with pytest.raises(OSError, match=r"it takes 64\.0 MB, and the disk has 64\.0 MB left") as caught:
        netc.compile(WIDE).session(seed=0)
    assert caught.value.filename == str(tmp_path)
    assert not any(tmp_path.iterdir())
