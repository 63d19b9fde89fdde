"""Names of arrays in `.npz` files: zipfile and urllib are the judges."""

from __future__ import annotations

import io
import zipfile
from urllib.parse import unquote

import numpy as np
import pytest

from netc.files.array_files import make_member_name


@pytest.mark.parametrize("name", ["scores", "/layer/out", "..\\up", "C:", "100%", "größe", "a\nb", "keys.0", "é" * 5_000, "x" * 10_000])
def test_a_name_is_no_path_and_can_be_read_back(name: str) -> None:
    member = make_member_name(name)
    assert not set("/\\:\n") & set(member)
    assert unquote(member) == name
    stream = io.BytesIO()
    np.savez(stream, **{member: np.arange(3)})
    stream.seek(0)
    assert zipfile.ZipFile(stream).namelist() == [f"{member}.npy"]
    stream.seek(0)
    assert np.load(stream)[member].tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["x" * 10_001, "é" * 5_001, "/" * 3_334])
def test_a_name_that_is_too_long(name: str) -> None:
    """The limit counts the bytes in the file."""
    with pytest.raises(ValueError, match=f"an output has a name of {len(name)} characters, which is too long for a file"):
        make_member_name(name)
