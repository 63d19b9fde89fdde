"""`augment`: torchvision's own transforms, called by hand with the same seed, are the judge."""

from __future__ import annotations

import threading
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

import netc
from netc.analysis import Choice, analyze_training
from netc.compiler.elaborate.names.setting_words import AUGMENTATIONS
from netc.dsl.record import replace
from netc.dsl.source import SourceFile
from netc.errors import CompileError
from netc.training.augment_batches import _thread_pool
from netc.training.batches import BatchLoader
from netc.training.data.data_source import ArraySource
from netc.training.locate_data import DataRequest
from netc.training.objective import Objective
from netc.training.ranks import Ranks
from netc.training.sample_generator import SampleGenerator
from netc.training.source.clauses import Machine
from netc.training.stop_signals import Interrupted
from netc.training.torchvision_transforms import UNUSABLE, list_transforms
from netc.training.training_session import PreparedTraining, RunRequest, prepare_training
from tests.training.runs import resume, train
from tests.training.test_resume import assert_same_run, stopping_at

SPEC = """
image = input 3x12x12
scores = image -> conv 4 3x3 -> batch_norm relu -> dropout 0.2 -> global_avg_pool -> dense 30
train {
  label = input [] int64
  loss = (scores, label) -> cross_entropy
  augment random_resized_crop 12 scale=[0.5, 1]
  augment horizontal_flip p=0.4
  augment ColorJitter brightness=0.2 hue=0.1
  epochs 3
  batch 8 accumulate=2
  validate 0.2
  seed 3
}
"""
BY_HAND = v2.Compose([v2.RandomResizedCrop(12, scale=(0.5, 1)), v2.RandomHorizontalFlip(0.4), v2.ColorJitter(brightness=0.2, hue=0.1)])
SEGMENTATION = """
image = input 3x10x10
scores = image -> conv 2 3x3 padding=1
train {
  mask = input 10x10 int64
  loss = (scores, mask) -> cross_entropy
  augment horizontal_flip image mask
  augment affine 20 image mask translate=[0.1, 0.2]
  augment color_jitter contrast=0.5
  batch 4
}
"""


def pictures(count: int = 30, size: int = 12) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(5)
    return {"image": generator.random((count, 3, size, size), np.float32), "label": generator.integers(0, 2, count)}


def prepare(text: str, data: dict[str, np.ndarray]) -> PreparedTraining:
    training = analyze_training(SourceFile("model.net", text), Choice()).training
    assert training is not None
    return prepare_training(training, RunRequest(DataRequest(data=ArraySource(data))))


def load_steps(text: str, data: dict[str, np.ndarray], steps: range, ranks: Ranks | None = None, accumulate: int = 1) -> list[Any]:
    """The batches of these steps, joined, as the trainer of a process gets them."""
    prepared = prepare(text, data)
    recipe = replace(prepared.recipe, accumulate=accumulate)
    objective = Objective(prepared.training, prepared.means, None, 0, recipe)
    objective.execute_file(Machine())
    loader = BatchLoader(prepared.data, recipe, ranks or Ranks(), objective.file)
    batches = list(loader.iterate_steps(steps.start, steps.stop))
    assert all(len(micro_batches) == accumulate for micro_batches, _ in batches)
    return [{name: torch.cat([part[name] for part in micro_batches]) for name in data} for micro_batches, _ in batches]


def seed_of(seed: int, step: int, sample: int) -> int:
    return int.from_bytes(blake2b(f"{seed} augment {step} {sample}".encode(), digest_size=8).digest(), "little") >> 1


def find_rows(batch: dict[str, torch.Tensor], data: dict[str, np.ndarray]) -> list[int]:
    """The samples of a batch, by a column that has their numbers."""
    return [int(number) for number in batch["label"]]


def numbered(count: int = 30, size: int = 12) -> dict[str, np.ndarray]:
    """Pictures whose labels are their numbers."""
    return {**pictures(count, size), "label": np.arange(count)}


def test_batches_are_those_of_torchvision() -> None:
    data = numbered()
    torch.manual_seed(8)
    for step, batch in enumerate(load_steps(SPEC, data, range(6))):
        rows = find_rows(batch, data)
        for row, image in zip(rows, batch["image"], strict=True):
            torch.manual_seed(seed_of(3, step, row))
            assert torch.equal(image, BY_HAND(torch.from_numpy(data["image"][row])))
        assert not np.array_equal(batch["image"].numpy(), data["image"][rows])


def test_default_generator_is_left_alone() -> None:
    torch.manual_seed(8)
    before = torch.default_generator.get_state()
    load_steps(SPEC, pictures(), range(3))
    assert torch.equal(before, torch.default_generator.get_state())


def test_number_of_threads_is_left_alone() -> None:
    """Of this thread, and of threads that start later."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        _thread_pool.cache_clear()
        load_steps(SPEC, pictures(), range(2))
        counts = [torch.get_num_threads()]
        thread = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert counts == [3, 3]
        assert _thread_pool().submit(torch.get_num_threads).result() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("accumulate", [2, 3])
def test_micro_batches_and_processes_change_nothing(accumulate: int) -> None:
    data = numbered()
    whole = load_steps(SPEC, data, range(4))
    later = load_steps(SPEC, data, range(2, 4), accumulate=accumulate)
    for one, other in zip(whole[2:], later, strict=True):
        assert torch.equal(one["image"], other["image"])
    shares = [load_steps(SPEC, data, range(4), Ranks(world=2, rank=rank), accumulate) for rank in range(2)]
    for one, first, second in zip(whole, *shares, strict=True):
        images = {row: image for part in (first, second) for row, image in zip(find_rows(part, data), part["image"], strict=True)}
        assert len(first["image"])
        assert len(second["image"])
        assert all(torch.equal(images[row], image) for row, image in zip(find_rows(one, data), one["image"], strict=True))


def test_validation_sees_the_samples_as_they_are() -> None:
    data = numbered()
    prepared = prepare(SPEC, data)
    objective = Objective(prepared.training, prepared.means, None, 0, prepared.recipe)
    loader = BatchLoader(prepared.data, prepared.recipe, Ranks(), objective.file)
    assert prepared.validation is not None
    parts = list(loader.iterate_validation(prepared.validation))
    for part in parts:
        assert np.array_equal(part["image"].numpy(), data["image"][find_rows(part, data)])
    assert sum(len(part["image"]) for part in parts) == 6


def test_resumed_run_is_the_uninterrupted_one(tmp_path: Path) -> None:
    train(tmp_path / "whole", SPEC, pictures())
    with pytest.raises(Interrupted):
        train(tmp_path / "run", SPEC, pictures(), on_report=stopping_at(4))
    resume(tmp_path / "run", pictures())
    assert_same_run(tmp_path / "whole", tmp_path / "run")


def test_image_and_mask_change_together() -> None:
    data = {
        "image": np.random.default_rng(0).random((8, 3, 10, 10), np.float32),
        "mask": np.random.default_rng(1).integers(0, 2, (8, 10, 10)),
    }
    lines = [v2.RandomHorizontalFlip(), v2.RandomAffine(20, translate=(0.1, 0.2))]
    for step, batch in enumerate(load_steps(SEGMENTATION, data, range(2))):
        assert set(batch["mask"].unique().tolist()) == {0, 1}
        found = 0
        for row in range(8):
            torch.manual_seed(seed_of(0, step, row))
            sample = {"image": tv_tensors.Image(data["image"][row]), "mask": tv_tensors.Mask(data["mask"][row])}
            for transform in lines:
                sample = transform(sample)
            image = v2.ColorJitter(contrast=0.5)(sample["image"])
            found += any(
                torch.equal(image, i) and torch.equal(sample["mask"], m) for i, m in zip(batch["image"], batch["mask"], strict=True)
            )
        assert found == 4  # the samples of this step, whatever their order


REQUIRED: dict[str, dict[str, Any]] = {
    "CenterCrop": {"size": 8},
    "ColorJitter": {"brightness": 0.5, "contrast": 0.2, "saturation": 0.3, "hue": 0.1},
    "GaussianBlur": {"kernel_size": 3},
    "JPEG": {"quality": (5, 50)},
    "Normalize": {"mean": (0.5,), "std": (0.2,)},
    "Pad": {"padding": 1},
    "RandomAdjustSharpness": {"sharpness_factor": 2},
    "RandomAffine": {"degrees": 20, "translate": (0.1, 0.1), "scale": (0.5, 1), "shear": (-5, 5, -5, 5)},
    "RandomCrop": {"size": 8, "padding": 1},
    "RandomPosterize": {"bits": 3},
    "RandomResize": {"min_size": 8, "max_size": 12},
    "RandomResizedCrop": {"size": 8},
    "RandomRotation": {"degrees": 30},
    "RandomShortestSize": {"min_size": (8, 9)},
    "RandomSolarize": {"threshold": 0.5},
    "Resize": {"size": 8},
    "ScaleJitter": {"target_size": (9, 9), "scale_range": (0.5, 2.0)},
}
"""Arguments with which the transforms draw."""
TRANSFORMS = sorted(
    {c.__name__ for name, c in list_transforms().items() if name not in UNUSABLE and c.__name__.lower() not in UNUSABLE}
    - {"ConvertBoundingBoxFormat", "FiveCrop", "TenCrop", "LinearTransformation", "RandomIoUCrop", "SanitizeBoundingBoxes", "ToTensor"}
    - {"SanitizeKeyPoints", "SetClampingMode", "ToDtype", "UniformTemporalSubsample", "ToPILImage", "PILToTensor"}
)


@pytest.mark.share(3)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_numbers_of_a_thread_are_those_of_the_default_generator(name: str) -> None:
    """For each transform of the installed torchvision: all its draws are found."""
    transform = getattr(v2, name)(**REQUIRED.get(name, {}))
    image = torch.randint(0, 256, (3, 40, 40), dtype=torch.uint8) if name in ("JPEG", "RandomPosterize") else torch.rand(3, 40, 40)
    for seed in range(8):
        torch.manual_seed(seed)
        wanted = transform(image)
        results: list[torch.Tensor] = []

        def draw(results: list[torch.Tensor] = results, seed: int = seed) -> None:
            with SampleGenerator(seed):
                results.append(transform(image))

        torch.manual_seed(99)
        before = torch.default_generator.get_state()
        thread = threading.Thread(target=draw)
        thread.start()
        thread.join()
        assert torch.equal(before, torch.default_generator.get_state())
        assert torch.equal(results[0], wanted)


def test_objective_augments_a_batch_of_a_loop_of_ones_own() -> None:
    data = numbered()
    objective = netc.compile(SPEC).training(seed=0)
    batch = objective.augment({name: torch.from_numpy(column[[4, 7]]) for name, column in data.items()}, [4, 7], 11)
    for row, image in zip([4, 7], batch["image"], strict=True):
        torch.manual_seed(seed_of(3, 11, row))
        assert torch.equal(image, BY_HAND(torch.from_numpy(data["image"][row])))
    plain = netc.compile(SPEC.replace("augment", "# augment")).training(seed=0)
    assert plain.augment(batch, [4, 7], 11)["image"] is batch["image"]


def said(lines: str, **replaced: str) -> list[str]:
    text = "image = input SIZE\nscores = image -> cast float32 -> flatten -> dense 2\ntrain {\n  label = input [] int64\n"
    text = text.replace("SIZE", replaced.get("size", "3x8x8")) + "  loss = (scores, label) -> cross_entropy\n" + lines + "\n}"
    try:
        netc.compile(text).training()
    except CompileError as error:
        return [f"{d.message}; {'; '.join(d.help)}" for d in error.diagnostics]
    return []


def test_good_lines() -> None:
    for line in (
        "augment random_horizontal_flip",
        "augment HorizontalFlip",
        "augment horizontal_flip image",
        "augment crop 8 padding=2",
        "augment random_crop [8, 8] padding=[1, 2]",
        "augment rotation 15 interpolation=bilinear",
        "augment rotation [-15, 15]",
        "augment color_jitter brightness=none hue=[-0.1, 0.2]",
        "augment random_resized_crop 8 scale=[0.8, 1]",
        "augment rand_augment num_ops=1",
        "augment erasing p=0.1",
        "augment gaussian_blur 3",
    ):
        assert said(line) == [], line
    assert said("augment posterize 4", size="3x8x8 uint8") == []


def test_wrong_lines() -> None:
    assert "did you mean `random_horizontal_flip`" in said("augment random_horizontal_flp")[0]
    assert "did you mean `horizontal_flip`" in said("augment horizontl_flip")[0]
    assert "has no argument `brightnes`; did you mean `brightness`?" in said("augment color_jitter brightnes=0.2")[0]
    assert "must be" in said("augment random_crop big")[0]
    assert "is refused by torchvision" in said("augment horizontal_flip p=3")[0]
    assert "returns float32 [3, 6, 6] for `image`, whose samples are float32 [3, 8, 8]" in said("augment random_crop 6")[0]
    assert "returns" in said("augment random_resize 6 9")[0]
    assert "write a line `augment` for each" in said("augment compose")[0]
    assert "changes one at a time" in said("augment mix_up")[0]
    assert "Python function" in said("augment lambda")[0]
    assert "needs an input of images" in said("augment horizontal_flip", size="8")[0]
    assert "`label` is no image" in " ".join(said("augment horizontal_flip label"))
    assert "must be followed by a name" in said("augment 3")[0]
    assert "takes at most 1 argument" in said("augment horizontal_flip 0.1 0.2")[0]
    assert "is given twice" in said("augment horizontal_flip 0.1 p=0.2")[0]
    assert said("augment five_crop 8")
    assert said("augment to_dtype")


def test_size_is_compared_with_the_data() -> None:
    text = SPEC.replace("3x12x12", "3xHxW")
    assert prepare(text, pictures())
    with pytest.raises(CompileError, match=r"returns float32 \[3, 12, 12\] for `image`, whose samples are float32 \[3, 14, 14\]"):
        prepare(text, pictures(size=14))


def test_missing_torchvision_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ImportError

    monkeypatch.setattr("netc.training.transform_options.list_transforms", fail)
    assert "pip install torchvision" in said("augment horizontal_flip")[0]


@pytest.mark.parametrize("line", sorted({*AUGMENTATIONS.values()}))
def test_lines_that_helps_show_are_accepted(line: str) -> None:
    section = f"k = input [] int64; loss = (y, k) -> cross_entropy; augment {line}"
    text = f"x = input 3x32x32\ny = x -> global_avg_pool -> dense 2\ntrain {{ {section} }}"
    assert netc.compile(text).training().recipe.augmentations
