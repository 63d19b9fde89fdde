"""Streams that cannot be read, and sections that streams do not allow: the errors name the shard, the sample and the cause."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netc.analysis import Choice
from netc.errors import CompileError
from netc.training.data.data_formats import DataLocation, open_source
from netc.training.data.data_source import DataError
from netc.training.run_training import train_file
from tests.training.shards import SPEC, encode_npy, open_shards, write_shards, write_tar

pytest.importorskip("webdataset", reason="pip install webdataset")
pytest.importorskip("datasets", reason="pip install datasets")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards")
    write_shards(path, (3,) * 8)
    return path


def remove(folder: Path) -> str:
    (folder / "s-002.tar").unlink()
    return "s-{000..003}.tar"


def cut(length: int) -> Callable[[Path], str]:
    """Keep only the first bytes of a shard."""

    def cut_shard(folder: Path) -> str:
        path = folder / "s-001.tar"
        path.write_bytes(path.read_bytes()[:length])
        return "s-*.tar"

    return cut_shard


def damage_a_header(folder: Path) -> str:
    path = folder / "s-001.tar"
    content = bytearray(path.read_bytes())
    content[2048:2148] = b"x" * 100
    path.write_bytes(content)
    return "s-*.tar"


def cut_a_compressed_shard(folder: Path) -> str:
    path = folder / "z.tar.gz"
    path.write_bytes(gzip.compress((folder / "s-001.tar").read_bytes())[:-4])
    return path.name


def join_two(folder: Path) -> str:
    path = folder / "s-001.tar"
    path.write_bytes(path.read_bytes() + (folder / "s-002.tar").read_bytes())
    return "s-*.tar"


def write_empty(folder: Path) -> str:
    write_tar(folder / "s-001.tar", {})
    return "s-*.tar"


def write_rubbish(folder: Path) -> str:
    (folder / "s-001.tar").write_bytes(b"rubbish" * 1000)
    return "s-*.tar"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove, r"`s-002\.tar` of its 4 shards is missing"),
        (cut(2048), r"`s-001\.tar` is truncated"),  # before a member
        (cut(2105), r"`s-001\.tar` is truncated"),  # in a header
        (cut(3000), r"`s-001\.tar` is truncated"),  # in the content of a member
        (damage_a_header, r"`s-001\.tar` is damaged or has another format \(no header of a member at byte 2048\)"),
        (cut_a_compressed_shard, r"`z\.tar\.gz` is truncated"),
        (join_two, r"`s-001\.tar`: it has data after the end of the archive"),
        (write_empty, r"there are no samples in `s-001\.tar`"),
        (write_rubbish, r"`s-001\.tar` is damaged or has another format"),
        (lambda folder: "t-*.tar", "no file matches the pattern"),
        (lambda folder: "t-{0..3}.tar", "no file matches the pattern"),
        (lambda folder: "t.tar", "there is no such file"),
        (lambda folder: "s-{0..999999999}.tar", "more than 100,000 shards"),
    ],
)
def test_shards_that_cannot_be_read(tmp_path: Path, damage: Any, message: str) -> None:
    write_shards(tmp_path, (3, 2, 2, 2))
    pattern = damage(tmp_path)
    with pytest.raises(DataError, match=message):
        open_shards(str(tmp_path / pattern))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a": b"1"}, r"sample 1 of `s\.tar` \(`1`\) has no `cls`, but `a`"),
        ({"cls": b"one"}, r"`cls` of sample 1 of `s\.tar` \(`1`\) cannot be decoded"),
        ({"cls": b"9" * 30}, r"`cls` of sample 1 .* cannot be decoded"),
        ({"cls": b"1", "npy": encode_npy(np.zeros(3))}, r"`npy` of sample 1 .* has the shape \[3\], and in the first sample \[2\]"),
        ({"cls": b"1", "npy": encode_npy(np.zeros(2, complex))}, r"`npy` of sample 1 .* is complex128, and float64 in the first sample"),
        ({"cls": b"1", "npy": encode_npy(np.array([None, 1]))}, r"`npy` of sample 1 .* cannot be decoded"),
        ({"cls": b"1", "npy": b"rubbish"}, r"`npy` of sample 1 .* cannot be decoded"),
        ({"cls": b"1", "npy": encode_npy(np.zeros(2)), "txt": b"a text"}, r"`txt` of sample 1 .* is no number"),
    ],
)
def test_samples_that_differ_from_the_first_one(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    first = {"cls": b"1", "npy": encode_npy(np.zeros(2)), "txt": b"1.5"}
    source = open_shards(str(write_tar(tmp_path / "s.tar", {"0": first, "1": members})))
    with pytest.raises(DataError, match=message):
        source.read(("cls", "npy", "txt"), np.arange(2))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("writer", ["w", "tar"])
def test_every_prefix_of_a_shard_is_truncated(tmp_path: Path, mode: str, writer: str) -> None:
    ending = ".tar" if mode == "w" else ".tar.gz"
    samples = {str(number): {"cls": b"1", "npy": encode_npy(np.zeros(2))} for number in range(3)}
    path = write_tar(tmp_path / f"s{ending}", samples, mode)
    if writer == "tar":  # another writer: GNU tar, which pads the archive too
        with tarfile.open(path) as archive:
            archive.extractall(tmp_path / "members", filter="data")
        options = ["--sort=name", "-czf" if mode == "w:gz" else "-cf"]
        subprocess.run(["tar", *options, str(path), "-C", str(tmp_path / "members"), "."], check=True)
    content = path.read_bytes()
    assert len(open_shards(str(path))) == 3
    members = 12 * tarfile.BLOCKSIZE
    for length in range(1, members if mode == "w" else len(content), 61 if mode == "w" else 7):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"is truncated|is damaged"):
            open_shards(str(path))


def test_a_stream_without_samples(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text("")
    with pytest.raises(DataError, match="there are no samples in it"):
        open_source(DataLocation("hf", str(tmp_path / "s.jsonl"), {"streaming": True}), {})


def test_pickles_are_no_column(tmp_path: Path) -> None:
    source = open_shards(str(write_tar(tmp_path / "s.tar", {"0": {"cls": b"1", "pyd": b"cos\nsystem\n(S'false'\ntR."}})))
    assert not source.columns["pyd"].is_readable


def check(folder: Path, text: str, **options: Any) -> str:
    path = folder / "other.net"
    path.write_text(text)
    with pytest.raises(CompileError) as failed:
        train_file(str(path), None, Choice(), None, str(folder / "none"), False, lambda report: None, **options)
    return "\n".join(f"{d.message} {d.help}" for d in failed.value.diagnostics)


def test_a_share_of_a_stream_is_no_validation_data(folder: Path) -> None:
    assert "cannot be a share of a stream" in check(folder, SPEC, validation=0.1)


def test_a_stream_and_other_data_are_not_mixed(folder: Path) -> None:
    text = SPEC.replace("  validate", '  data csv "a.csv"\n  validate')
    (folder / "a.csv").write_text("features,target\n1,2\n")
    assert "a stream cannot be mixed with other data" in check(folder, text)


def test_a_pattern_leads_out_of_the_folder_of_a_spec_only_if_that_is_allowed(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir(exist_ok=True)
    assert "outside of the folder of the spec" in check(inner, SPEC.replace("s-{000..007}.tar", "../s-{000..007}.tar"))


def test_a_package_that_is_missing_is_named(folder: Path) -> None:
    code = """
import sys
sys.modules["webdataset"] = sys.modules["braceexpand"] = sys.modules["datasets"] = None
from netc.training.data.data_formats import DataLocation, open_source
for location in (DataLocation("webdataset", "s-000.tar"), DataLocation("hf", "a.parquet", {"streaming": True})):
    try:
        open_source(location, {})
    except Exception as error:
        print(error, error.remedy)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == (
        "webdataset is not installed run `pip install webdataset`\ndatasets is not installed run `pip install datasets`\n"
    )
