"""Images in base64 and as files of a form give the predictions of `netc.load` for the same files."""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import netc

pytest.importorskip("starlette", reason="`netc serve` needs the extra `serve`")
pytest.importorskip("python_multipart", reason="`netc serve` needs the extra `serve`")

from .asgi_client import Answer

SPEC = """image = input 3x8x8
scores = image -> conv 3 3x3 relu -> flatten -> dense 2

train {
  label = input [] int64
  loss = (scores, label) -> cross_entropy
  data images "photos" size=8
  epochs 1
  batch 4
}
"""
BOUNDARY = "frontier"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(4)
    for name, mean in ("day", 200), ("night", 60):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(4):
            pixels = np.clip(generator.normal(mean, 30, (*generator.integers(8, 30, 2), 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.{('png', 'jpg')[i % 2]}")
    (folder / "a.net").write_text(SPEC.replace("photos", str(folder / "photos")), encoding="utf-8")
    netc.train(folder / "a.net", output=folder / "run")
    return folder


@pytest.fixture(scope="module")
def photos(folder: Path) -> list[Path]:
    return [folder / "photos" / "day" / "0.png", folder / "photos" / "night" / "1.jpg"]


@pytest.fixture(scope="module")
def images(serve: Callable[..., Any], folder: Path) -> Any:
    return serve(folder / "run", max_rows=3)


def check(answer: Answer, folder: Path, photos: list[Path]) -> None:
    expected = netc.load(folder / "run")([str(path) for path in photos])
    assert answer.status == 200
    assert [row["predicted_label"] for row in answer.json()] == list(expected["predicted_label"])
    np.testing.assert_allclose([row["probability_night"] for row in answer.json()], expected["probability_night"], atol=1e-6)


def test_base64(images: Any, folder: Path, photos: list[Path]) -> None:
    texts = [base64.b64encode(path.read_bytes()).decode() for path in photos]
    check(images.post("/predict", [{"image": texts[0]}, {"image": f"data:image/jpeg;base64,{texts[1]}"}]), folder, photos)


def make_form(contents: list[tuple[str, bytes]]) -> bytes:
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + content + b"\r\n"
        for name, content in contents
    )
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post_form(client: Any, body: bytes) -> Answer:
    answer: Answer = client.ask("POST", "/predict", body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    return answer


def test_files_of_a_form(images: Any, folder: Path, photos: list[Path]) -> None:
    check(post_form(images, make_form([(path.name, path.read_bytes()) for path in photos])), folder, photos)


def make_bomb(side: int) -> bytes:
    """A PNG whose header promises a huge picture."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(3 * side + 1))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)) for kind, content in chunks
    )


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("contents", "status", "message"),
    [
        ([("a.png", b"no image")], 422, "`a.png`: it is no image that Pillow knows"),
        ([("a.png", make_bomb(8000))], 413, "64,000,000 pixels"),
        ([("a.png", make_bomb(60_000))], 413, "more pixels than the limit"),
        ([("a.png", b"")] * 4, 400, "Too many files"),
    ],
)
def test_refused_files(images: Any, contents: list[tuple[str, bytes]], status: int, message: str) -> None:
    answer = post_form(images, make_form(contents))
    assert (answer.status, message in answer.json()["error"]) == (status, True), answer


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "must be an image file in base64"),
        ("ä", "is not base64"),
        ("AAAA", "it is no image"),
        (None, "must be an image"),
        ("A", "is not base64"),
    ],
)
def test_refused_base64(images: Any, value: Any, message: str) -> None:
    answer = images.post("/predict", {"image": value})
    assert (answer.status, "row 0" in answer.json()["error"], message in answer.json()["error"]) == (422, True, True), answer


def test_a_form_without_files(images: Any) -> None:
    """Some versions of python-multipart do not read a form without parts."""
    answer = post_form(images, make_form([]))
    assert (answer.status in (400, 422), "the form" in answer.json()["error"]) == (True, True)


def test_files_for_a_model_of_tables(client: Any) -> None:
    assert "the model reads no images" in post_form(client, make_form([("a.png", b"")])).json()["error"]


def test_damaged_forms_and_images(images: Any) -> None:
    draw = random.Random(0)
    stream = io.BytesIO()
    Image.fromarray(np.zeros((9, 12, 3), np.uint8)).save(stream, "png")
    body = make_form([("a.png", stream.getvalue())])
    for _ in range(200):
        changed = bytearray(body)
        for _ in range(draw.randint(1, 5)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        answer = post_form(images, bytes(changed[: draw.choice([len(changed), draw.randrange(len(changed))])]))
        assert answer.status == 200 or 400 <= answer.status < 500
    assert post_form(images, body).status == 200
