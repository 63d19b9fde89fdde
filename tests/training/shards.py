"""Shards of samples in tar files, and a spec that trains on them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from netc.compiler.types.tensor_types import DTYPES, TensorType
from netc.training.data.streamed_source import StreamedSource
from netc.training.data.webdataset import open_webdataset

SIZES = (40, 25, 33, 7, 61, 50, 12, 20)
SPEC = """
features = input 4
scores = features -> dense 8 relu -> dropout 0.2 -> dense 3
train {
  target = input [] int64
  loss = (scores, target) -> cross_entropy
  data webdataset "s-{000..007}.tar" features="x.npy" target=cls shuffle=64 interleave=4
  validate webdataset "s-00[0-2].tar"
  batch 16 accumulate=2
  epochs 2
}
"""
IMAGE = TensorType(DTYPES["uint8"], (1, 3, 5, 6))


def encode_npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def encode_png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def make_members(number: int) -> dict[str, bytes]:
    """A sample: features, class, picture, and its number as JSON and as text."""
    generator = np.random.default_rng(number)
    return {
        "x.npy": encode_npy(generator.normal(size=4).astype(np.float32) + number % 3),
        "png": encode_png(generator.integers(0, 256, (5, 6, 3), np.uint8)),
        "CLS": str(number % 3).encode(),
        "json": json.dumps([number, number / 2]).encode(),
        "txt": f"{number}.25\n".encode(),
    }


def write_tar(path: Path, samples: dict[str, dict[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for key, members in samples.items():
            for ending, content in members.items():
                info = tarfile.TarInfo(f"{key}.{ending}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def write_shards(folder: Path, sizes: Sequence[int] = SIZES) -> list[Path]:
    starts = np.cumsum([0, *sizes])
    return [
        write_tar(folder / f"s-{number:03d}.tar", {f"d/{i:05d}": make_members(i) for i in range(starts[number], starts[number] + size)})
        for number, size in enumerate(sizes)
    ]


def open_shards(path: str, **options: Any) -> StreamedSource[Any]:
    return open_webdataset(path, {"png": IMAGE}, **options)
