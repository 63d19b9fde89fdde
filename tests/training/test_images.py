"""Folders of images: torchvision's ImageFolder and transforms are the judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

from netc.training.data.images import open_images
from tests.training.opened import arrays, opened, said, spec

GENERATOR = np.random.default_rng(0)


def picture(height: int, width: int, mode: str = "RGB") -> Image.Image:
    channels = {"L": (), "RGB": (3,), "RGBA": (4,), "LA": (2,)}[mode]
    return Image.fromarray(GENERATOR.integers(0, 256, (height, width, *channels), np.uint8), mode)


def folder(root: Path, sizes: list[tuple[int, int]]) -> Path:
    """Two classes, with folders in them, different formats and modes, and files that are no images."""
    for at, (name, mode) in enumerate(
        [("dog/b.png", "RGB"), ("dog/more/a.PNG", "L"), ("cat/z.jpg", "RGB"), ("cat/a.bmp", "RGB"), ("cat/x.png", "RGBA")]
    ):
        path = root / "train" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(*sizes[at % len(sizes)], mode).save(path)
    (root / "train" / "cat" / "notes.txt").write_text("no image")
    (root / "train" / "list.csv").write_text("no class")
    return root / "train"


def judged(root: Path, *steps: Any) -> tuple[Any, list[int]]:
    """What PyTorch's users would get."""
    data = ImageFolder(str(root), transforms.Compose([*steps, transforms.ToTensor()]))
    return np.stack([image.numpy() for image, _ in data]), [label for _, label in data]


def test_images_of_one_size(tmp_path: Path) -> None:
    root = folder(tmp_path, [(6, 5)])
    found = arrays(spec('data images "train" x=image target=label', x="3x6x5", target="[] int64"), path=tmp_path / "m.net")
    images, labels = judged(root)
    assert np.array_equal(found["x"], images)
    assert found["target"].tolist() == labels == [0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("size", "steps", "shape"),
    [
        ("8", [transforms.Resize(8), transforms.CenterCrop(8)], "3x8x8"),
        ("5", [transforms.Resize(5), transforms.CenterCrop(5)], "3xHxH"),
        ("[7, 4]", [transforms.Resize((7, 4))], "3x7x4"),
    ],
)
def test_sizes(tmp_path: Path, size: str, steps: list[Any], shape: str) -> None:
    root = folder(tmp_path, [(6, 5), (11, 20), (30, 9)])
    model = "adaptive_avg_pool 1 -> flatten -> dense 1 -> squeeze 1"
    found = arrays(spec(f'data images "train" x=image target=label size={size}', x=shape, model=model), path=tmp_path / "m.net")
    assert np.array_equal(found["x"], judged(root, *steps)[0])


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_channels_and_bytes(tmp_path: Path, channels: int, mode: str) -> None:
    root = folder(tmp_path, [(3, 3)])
    found = arrays(spec(x=f"{channels}x3x3 uint8"), f"images:{root}", columns={"x": "image", "target": "label"})
    first = np.asarray(Image.open(root / "cat" / "a.bmp").convert(mode)).reshape(3, 3, channels).transpose(2, 0, 1)
    assert found["x"].dtype == np.uint8
    assert np.array_equal(found["x"][0], first)


def test_what_is_wrong(tmp_path: Path) -> None:
    root = folder(tmp_path, [(6, 5), (7, 5)])
    asked: dict[str, Any] = {"columns": {"x": "image", "target": "label"}}
    text = spec(x="3x6x5")
    assert said(text, f"images:{root}", **asked)[0][1].startswith(f"cannot read `{root}`: its images differ in size: `cat/a.bmp` is 7x5")
    assert said(text, f"images:{root}", options={"size": "4"}, **asked) == [
        ("column-shape", "the column `image` is [N, 3, 4, 4], and the input `x` is [N, 3, 6, 5]")
    ]
    assert said(text, f"images:{root / 'cat' / 'a.bmp'}", **asked)[0][1].endswith("it is a file, and a folder is needed")
    (root / "bird").mkdir()
    assert "there is no image in `bird`" in said(text, f"images:{root}", **asked)[0][1]
    assert "there are no folders of classes in it" in said(text, f"images:{root / 'bird'}", **asked)[0][1]


def test_damaged_images(tmp_path: Path) -> None:
    root = folder(tmp_path, [(6, 5)])
    (root / "dog" / "b.png").write_bytes((root / "dog" / "b.png").read_bytes()[:60])
    source = open_images(str(root), {})
    with pytest.raises(Exception, match=r"`dog/b.png`: it cannot be decoded: .*truncated"):
        source.read(("image",), np.arange(5))
    (root / "cat" / "a.bmp").write_text("text")
    text = spec(x="3x6x5")
    assert said(text, f"images:{root}", columns={"x": "image", "target": "label"})[0][1].endswith(
        "`cat/a.bmp`: it is no image that Pillow knows, or is damaged"
    )
    Image.fromarray(np.zeros((6, 5), np.uint16)).save(root / "cat" / "a.png")
    (root / "cat" / "a.bmp").unlink()
    assert "`cat/a.png`: its pixels are not of 8 bits" in said(text, f"images:{root}", columns={"x": "image", "target": "label"})[0][1]


def test_classes_of_the_validation_data(tmp_path: Path) -> None:
    folder(tmp_path, [(6, 5)])
    for name in ("cat", "cow"):
        (tmp_path / "test" / name).mkdir(parents=True)
        picture(6, 5).save(tmp_path / "test" / name / "a.png")
    text = spec('data images "train" x=image target=label\n  validate images "test"', x="3x6x5")
    assert said(text, path=tmp_path / "m.net") == [
        (
            "cannot-read-data",
            "cannot read `test`: its classes differ from the training data's: `cow` is a class here alone, `dog` is missing",
        )
    ]


def test_batches_are_made_ahead_in_order(tmp_path: Path) -> None:
    root = folder(tmp_path, [(6, 5)])
    found = opened(spec(x="3x6x5"), f"images:{root}", columns={"x": "image", "target": "label"}).data
    assert found is not None
    columns, _ = found
    orders = [np.array(order) for order in ([4, 0], [3], [1, 2, 2])]
    for made, order in zip(columns.iterate_batches(orders, dict), orders, strict=True):
        assert np.array_equal(made["x"], columns.read_batch(order)["x"])
