"""Files of weights from anyone: damaged, hostile, too large. Each is a `WeightsError`, and nothing in them is run or unpacked in vain."""

from __future__ import annotations

import os
import pickle
import re
import struct
import tracemalloc
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import netc
from netc.cli import cli
from netc.compiler.errors.weight_errors import WeightsError, WeightsWarning
from netc.compiler.weights.match_weights import load_arrays


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("echo ran",))


def refused(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load_arrays(path)
    return str(caught.value)


def npy(array: object) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array)  # type: ignore[arg-type]
    return buffer.getvalue()


def with_header(shape: str, version: int = 1) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + bytes(16)


def archive(path: Path, members: dict[str, bytes], **more: Any) -> Path:
    with zipfile.ZipFile(path, "w", **more) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


GOOD = npy(np.ones(3, np.float32))
MEMBERS = {
    "folder": {"a.npy": GOOD, "d/": b""},
    "no array": {"a": b"text"},
    "large": {"a.npy": with_header("(" + "9" * 400 + ",)")},
    "larger than it is": {"a.npy": with_header("(4000000000,)")},
    "minus": {"a.npy": with_header("(" + "-" * 3000 + "1,)")},
    "negative": {"a.npy": with_header("(-1,)")},
    "parentheses": {"a.npy": with_header("(" * 900 + ")" * 900)},
    "version": {"a.npy": b"\x93NUMPY\x09\x00" + bytes(90)},
    "text": {"a.npy": npy(np.array(["a"]))},
}


@pytest.mark.parametrize("members", MEMBERS.values(), ids=list(MEMBERS))
def test_members_that_are_no_arrays(tmp_path: Path, members: dict[str, bytes]) -> None:
    refused(archive(tmp_path / "w.npz", members))


def test_flags_of_archives(tmp_path: Path) -> None:
    whole = bytearray(archive(tmp_path / "w.npz", {"a.npy": GOOD}).read_bytes())
    central = whole.index(b"PK\x01\x02")
    for at, value in ((8, 1), (10, 77), (6, 99)):  # encrypted, unknown compression, version needed
        damaged = whole.copy()
        damaged[central + at] = value
        (tmp_path / "w.npz").write_bytes(damaged)
        refused(tmp_path / "w.npz")


@pytest.mark.parametrize("legacy", [False, True])
def test_mappings_within_themselves(tmp_path: Path, legacy: bool) -> None:
    itself: dict[str, Any] = {}
    itself["model"] = itself
    deep: dict[str, Any] = {"a": torch.ones(2)}
    for _ in range(400):
        deep = {"model": deep}
    for value in (itself, deep):
        torch.save(value, tmp_path / "w.pt", _use_new_zipfile_serialization=not legacy)
        assert "nested too deeply" in refused(tmp_path / "w.pt")


def test_short_pickles_of_long_lists(tmp_path: Path) -> None:
    doubled: list[Any] = [1.0]
    for _ in range(40):
        doubled = [doubled, doubled]
    torch.save({"a": doubled}, tmp_path / "w.pt")
    assert "`a` is not a tensor" in refused(tmp_path / "w.pt")


def test_expanded_tensors_take_no_memory(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1).expand(10**12)}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="has the shape"):
        netc.compile("x = input 3; w = param [3] as a; x + w").onnx(tmp_path / "w.pt")


def test_compressed_archives_are_not_pytorchs(tmp_path: Path) -> None:
    path = archive(tmp_path / "w.pt", {"w/data.pkl": b"", "w/data/0": bytes(10**6)}, compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in refused(path)


def test_legacy_files_cut_and_changed(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(20), "b": torch.ones(3, 4)}, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    whole = (tmp_path / "w.pth").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[int(random.integers(len(whole)))] = int(random.integers(256))
        (tmp_path / "w.pth").write_bytes(damaged)
        with suppress(WeightsError):
            load_arrays(tmp_path / "w.pth")


def test_a_pickle_that_wants_code_is_called_that(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": Payload()}, tmp_path / "a.pt")
    torch.save({"a": Payload()}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "b.pt").write_bytes(pickle.dumps({"a": Payload()}, 2))
    (tmp_path / "b.npz").write_bytes(pickle.dumps({"a": Payload()}))
    archive(tmp_path / "c.npz", {"a.npy": npy(np.array([Payload()], dtype=object))})
    for name in ("a.pt", "a.pth", "b.pt", "b.npz", "c.npz"):
        assert "could run code" in refused(tmp_path / name), name
    assert "ran" not in capfd.readouterr().out


def test_what_cannot_fit_is_not_unpacked(tmp_path: Path) -> None:
    """Forty megabytes of zeros, of which the file has some kilobytes."""
    path = archive(tmp_path / "w.npz", {"a.npy": npy(np.zeros(10_000_000, np.float32))}, compression=zipfile.ZIP_DEFLATED)
    model = netc.compile("x = input 3; w = param [3] as a; x + w")
    model.onnx(seed=0)
    tracemalloc.start()
    with pytest.raises(WeightsError, match=r"has the shape \[10000000\] instead of \[3\]"):
        model.onnx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_not_finite_is_a_warning() -> None:
    model = netc.compile("input 3 -> dense 2 as a -> batch_norm as b")
    weights = model.module(seed=0).state_dict()
    weights["a.bias"][0] = float("nan")
    weights["a.weight"][0, 0] = float("inf")
    weights["b.running_mean"][0] = float("inf")
    with pytest.warns(WeightsWarning, match="NaN or infinity in the weights: `a.weight`, `a.bias`$"):
        model.onnx(weights)


WHAT = {
    "it is a pickle of Python objects, not a checkpoint of PyTorch, and reading it could run code": (
        "a.pth",
        pickle.dumps({"a": Payload()}),
    ),
    "it is a pickle of plain Python values, not a checkpoint of PyTorch": ("a.pt", pickle.dumps({"a": [1, 2]})),
    "it is a pointer of Git LFS": ("a.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "it is a page of HTML or XML": ("a.bin", b"\n<!DOCTYPE html><html></html>"),
    "it is compressed with gzip": ("a.npz", b"\x1f\x8b\x08\0"),
    "it is empty": ("a.ckpt", b""),
    "the file is corrupt or has another format": ("a.pth", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."),
}


@pytest.mark.parametrize("what", WHAT)
def test_what_the_file_is_instead(what: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name, content = WHAT[what]
    (tmp_path / name).write_bytes(content)
    assert what in refused(tmp_path / name)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(pickle.dumps(Payload(), protocol))
    assert "could run code" in refused(path)


def test_another_format_under_a_wrong_ending(tmp_path: Path) -> None:
    assert "it is an archive of NumPy's" in refused(archive(tmp_path / "a.pt", {"a.npy": GOOD}))
    assert "TorchScript" in refused(archive(tmp_path / "b.pt", {"b/data.pkl": b"", "b/constants.pkl": b""}))
    (tmp_path / "c.pt").write_bytes(struct.pack("<Q", 2) + b"{}" + bytes(8))
    assert "`.safetensors`" in refused(tmp_path / "c.pt")


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(
    ("made", "held"),
    [
        (lambda t: t.to_sparse(), "sparse float32"),
        (lambda t: t.to_sparse_csr(), "sparse float32"),
        (lambda t: t.to("meta"), "float32 without its numbers"),
    ],
    ids=["coo", "csr", "meta"],
)
def test_what_is_no_array_is_refused_before_it_is_read(tmp_path: Path, made: Any, held: str) -> None:
    """`netc check --weights` says what `netc compile` says, and what is left out is not refused."""
    path, spec = tmp_path / "w.pt", tmp_path / "m.net"
    spec.write_text("input 3 -> dense 2 bias=false as x")
    torch.save({"x.weight": made(torch.ones(2, 3)), "y": made(torch.ones(2, 2))}, path)
    for command in (["check"], ["compile", "-o", str(tmp_path / "m.onnx")]):
        words = [*command, str(spec), "--weights", str(path), "--ignore", "y"]
        done = CliRunner().invoke(cli, words, prog_name="netc")
        assert (done.exit_code, f"`x.weight` holds {held} instead of float32" in done.output) == (1, True), done.output
        assert CliRunner().invoke(cli, [*words, "--ignore", "x.weight", "--allow-missing", "x.weight"]).exit_code == 0


@pytest.mark.parametrize("legacy", [False, True])
def test_details_are_about_the_file(tmp_path: Path, legacy: bool) -> None:
    """Whatever is damaged, what is in parentheses is neither a number, nor an error of Python or of the operating system."""
    buffer = BytesIO()
    torch.save({"w": torch.ones(3, 2), "b": torch.zeros(3)}, buffer, _use_new_zipfile_serialization=not legacy)
    whole, generator, path = buffer.getvalue(), np.random.default_rng(0), tmp_path / "w.pt"
    for n in range(150):
        at, length = int(generator.integers(len(whole))), int(generator.integers(1, 300))
        path.write_bytes((whole[:at], whole[:at] + bytes(length) + whole[at + length :], whole[:at] + whole[at + length :])[n % 3])
        with suppress(WeightsError):
            load_arrays(path)  # what was damaged does not matter
            continue
        said = refused(path).split("\n")[0]
        assert not re.search(r"Errno|\(\W*\d*\W*\)|index out of range|codec|argument|buffer of|miniz", said), said
