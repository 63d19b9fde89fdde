"""Arrays from .npz and .safetensors: NumPy and safetensors write them, and are the judges."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save, save_file

from netc.training.data.data_source import ArraySource, DataError
from netc.training.data.npz import open_npz
from netc.training.data.safetensors import open_safetensors
from tests.training.opened import arrays, numbers, said, spec

X, TARGET = numbers(7, 2), np.arange(7)


def read(source: ArraySource, name: str) -> Any:
    return source.read((name,), np.arange(len(source)))[name]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "a.npz", x=X, target=TARGET)
    found = arrays(spec(target="[] int64"), f"{tmp_path}/a.npz")
    assert np.array_equal(found["x"], X)
    assert np.array_equal(found["target"], TARGET)
    assert found["target"].dtype == np.int64


def test_stored_arrays_are_mapped(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, f=np.asfortranarray(X), empty=np.zeros((7, 0)))
    source = open_npz(str(tmp_path / "a.npz"))
    assert np.array_equal(read(source, "f"), X)
    assert np.array_equal(read(source, "x"), X)
    assert read(source, "empty").shape == (7, 0)
    assert isinstance(source.arrays["x"], np.memmap)
    assert isinstance(source.arrays["f"], np.memmap)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions_of_the_header(tmp_path: Path, version: tuple[int, int]) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, X, version=version)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", stream.getvalue())
    assert np.array_equal(read(open_npz(str(tmp_path / "a.npz")), "x"), X)


def test_columns_that_are_no_numbers(tmp_path: Path) -> None:
    """They may be there, and are named where they are asked for."""
    days = np.arange(7).astype("datetime64[D]")
    records = np.zeros(7, [("a", "i4"), ("b", "f4")])
    np.savez(tmp_path / "a.npz", x=X, target=TARGET, names=np.array(list("abcdefg")), raw=np.array([b"ab"] * 7), days=days, records=records)
    path = f"{tmp_path}/a.npz"
    assert np.array_equal(arrays(spec(target="[] int64"), path)["x"], X)
    for column, what in (("names", "text"), ("raw", "bytes"), ("records", "records")):
        message = f"the column `{column}` has {what}, and the input `target` is float32"
        assert said(spec(), path, columns={"target": column}) == [("column-type", message)]


def test_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}, []], dtype=object))
    with pytest.raises(DataError, match="could run code"):
        open_npz(str(tmp_path / "a.npz"))


def test_columns_of_different_lengths(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, target=TARGET[:3])
    assert said(spec(), f"{tmp_path}/a.npz") == [
        ("cannot-read-data", f"cannot read `{tmp_path}/a.npz`: its columns differ in the number of samples: `x` has 7, `target` has 3")
    ]


def test_a_number_is_no_column(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.float32(3))
    with pytest.raises(DataError, match="`x` is one number"):
        open_npz(str(tmp_path / "a.npz"))


def test_a_compressed_array_larger_than_memory_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=X)
    monkeypatch.setattr("netc.training.data.data_paths._physical_memory", lambda: 100)
    with pytest.raises(DataError, match=r"it would take .* GiB of memory"):
        read(open_npz(str(tmp_path / "a.npz")), "x")


def test_safetensors(tmp_path: Path) -> None:
    half = X.astype(ml_dtypes.bfloat16)
    save_file({"x": X, "half": half, "target": TARGET, "empty": np.zeros((7, 0), np.float32)}, tmp_path / "a.safetensors")
    found = arrays(spec(target="[] int64"), f"{tmp_path}/a.safetensors")
    assert np.array_equal(found["x"], X)
    assert np.array_equal(found["target"], TARGET)
    source = open_safetensors(str(tmp_path / "a.safetensors"))
    assert isinstance(source.arrays["x"], np.memmap)
    assert np.array_equal(arrays(spec('data safetensors "a.safetensors" x=half'), path=tmp_path / "m.net")["x"], half.astype(np.float32))


def damaged(content: bytes) -> list[bytes]:
    """Parts of it, and the whole with bytes changed."""
    generator = np.random.default_rng(0)
    cut = [content[:end] for end in np.linspace(0, len(content) - 1, 40, dtype=int)]
    changed = []
    for _ in range(150):
        copy = bytearray(content)
        for at in generator.integers(0, len(copy), 3):
            copy[at] = generator.integers(256)
        changed.append(bytes(copy))
    return cut + changed


def archive(save: Any) -> bytes:
    stream = io.BytesIO()
    save(stream, x=X, target=TARGET)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("open_", "content"),
    [(open_npz, archive(np.savez)), (open_npz, archive(np.savez_compressed)), (open_safetensors, save({"x": X, "target": TARGET}))],
    ids=["stored", "compressed", "safetensors"],
)
def test_damaged_files_are_read_or_refused(tmp_path: Path, open_: Any, content: bytes) -> None:
    refused = 0
    for index, one in enumerate(damaged(content)):
        path = tmp_path / str(index)
        path.write_bytes(one)
        try:
            source = open_(str(path))
            for name in source.columns:
                read(source, name)
        except DataError:
            refused += 1
    assert refused >= 40
