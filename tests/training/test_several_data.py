"""Several `data` lines in a section: one set of samples, in which each has the share that its weight says."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

import netc
from netc.analysis import Choice, analyze_training
from netc.compiler.errors.run_errors import RunError
from netc.dsl.source import SourceFile
from netc.errors import CompileError
from netc.training.data.data_source import ArraySource
from netc.training.data.joined_source import JoinedSource
from netc.training.recipe import read_recipe
from netc.training.run_training import train_file
from netc.training.section_file import SectionFile
from netc.training.source import emit_settings_file, emit_training_file
from netc.training.stop_signals import Interrupted
from tests.training.runs import _nothing
from tests.training.test_ranks import assert_close
from tests.training.test_ranks import train as train_processes
from tests.training.test_resume import assert_same_run, stopping_at

MODEL = """
x = input 3
y = x -> dense 4 tanh -> dense 1
train {{
  t = input 1
  loss = (y, t) -> mse_loss
  {}
  validate 0.2
  optimizer adam lr=0.01
  batch 8
  epochs 4
}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(name: str, count: int, seed: int) -> dict[str, np.ndarray]:
    x = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    arrays = {"x": x, "t": x.sum(1, keepdims=True)}
    np.savez(name, **arrays)  # type: ignore[arg-type]
    return arrays


def write(lines: str) -> Path:
    path = Path("spec.net")
    path.write_text(MODEL.format(lines), encoding="utf-8")
    return path


def settings(weights: list[str]) -> SectionFile:
    """The order of samples for data with these words after the path."""
    text = MODEL.format("; ".join(f'data npz "{number}.npz" {word}' for number, word in enumerate(weights)))
    return SectionFile(emit_settings_file(read_recipe(analyze_training(SourceFile("<text>", text), Choice()).training)[0]))


@pytest.mark.parametrize(
    ("weights", "sizes", "wanted"),
    [
        (["weight=3", ""], [50, 10], [45, 15]),
        (["weight=1", "weight=1"], [1, 99], [50, 50]),
        (["weight=1e-9", "weight=1"], [7, 3], [0, 10]),
        (["weight=1", "weight=1", "weight=1"], [3, 5, 3], [4, 4, 3]),  # 3.67 each: the first two are rounded up
        (["weight=0.2", "weight=0.3", "weight=0.5"], [1, 1, 1], [1, 1, 1]),  # 0.6, 0.9, 1.5
    ],
)
def test_the_shares_of_an_epoch(weights: list[str], sizes: list[int], wanted: list[int]) -> None:
    """Each epoch has as many samples as there are, with the shares of the weights; over the epochs, the samples of a file are used equally
    often, and at most once more."""
    file, count = settings(weights), sum(sizes)
    orders = [file.mix_samples(torch.arange(count), epoch, sizes).tolist() for epoch in range(12)]
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    for order in orders:
        shares = np.bincount(numbers[order], minlength=len(sizes)).tolist()
        assert shares == wanted
    used = Counter(sample for order in orders for sample in order)
    for number, size in enumerate(sizes):
        own = [used[sample] for sample in np.flatnonzero(numbers == number)]
        assert sum(own) == 12 * sum(numbers[sample] == number for sample in orders[0])
        assert max(own) - min(own) <= 1
        assert len(own) == size
    assert orders == [file.mix_samples(torch.arange(count), epoch, sizes).tolist() for epoch in range(12)]
    if count > 20:
        assert orders[0] != sorted(orders[0])
        assert orders[0] != orders[1]


def test_without_weights_it_is_one_set() -> None:
    """Two files and the same samples in one give the same run, to the bit."""
    first, second = save("a.npz", 23, 0), save("b.npz", 14, 1)
    np.savez("all.npz", **{name: np.concatenate([first[name], second[name]]) for name in first})  # type: ignore[arg-type]
    netc.train(write('data npz "a.npz"\n  data npz "b.npz"'), output="two")
    netc.train(write('data npz "all.npz"'), output="one")
    assert_same_run(Path("one"), Path("two"))


def test_names_and_types_of_other_data() -> None:
    """The second file has the columns under other names, in another type and format."""
    first, second = save("a.npz", 23, 0), save("b.npz", 14, 1)
    with open("b.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["p", "q", "r", "sum"])
        rows.writerows([*map(repr, map(float, x)), repr(float(t[0]))] for x, t in zip(second["x"], second["t"], strict=True))
    np.savez("a2.npz", a=first["x"][:, 0], b=first["x"][:, 1], c=first["x"][:, 2], sum=first["t"][:, 0])
    netc.train(write('data npz "a.npz"\n  data npz "b.npz"'), output="one")
    netc.train(write('data npz "a2.npz" x=[a, b, c] t=[sum]\n  data csv "b.csv" x=[p, q, r]'), output="two")
    assert_same_run(Path("one"), Path("two"))


@pytest.mark.long
def test_the_file_of_several_data(folder: Path) -> None:
    """The printed file loads and mixes the files as `netc train` does."""
    save("a.npz", 40, 0)
    save("b.npz", 6, 1)
    path = write('data npz "a.npz" weight=3\n  data npz "b.npz"')
    assert_file_trains_alike(path)


@pytest.mark.long
def test_the_file_of_several_tables(folder: Path) -> None:
    """Categories, medians and the split by class are of all tables."""
    names = np.array(["Ulm", "Bonn", "Köln"])
    for table, (count, cities, kinds) in {"a": (40, 2, ["no", "yes", "maybe"]), "b": (12, 3, ["no", "never"])}.items():
        with open(f"{table}.csv", "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["u", "v", "town", "kind"])
            rows.writerows([i, "" if i % 5 == 0 else i * 0.25, names[i % cities], kinds[i % len(kinds)]] for i in range(count))
    path = folder / "spec.net"
    path.write_text("""
    p = input 2
    town = input [] int64
    s = (p -> standardize, town -> embedding 3 2) -> concat axis=1 -> dense 4
    train {
      kind = input [] int64
      loss = (s, kind) -> cross_entropy
      data csv "a.csv" p=[u, v]
      data csv "b.csv" weight=2
      fill median
      validate 0.2 stratify=kind
      optimizer sgd lr=0.05
      batch 8
      epochs 3
    }
    """)
    assert_file_trains_alike(path)


def emit_file(path: Path) -> str:
    return emit_training_file(analyze_training(SourceFile(str(path), path.read_text(encoding="utf-8")), Choice()).training)


def assert_file_trains_alike(path: Path) -> None:
    model = netc.compile_file(path)
    torch.save(model.training().model.state_dict(), "initial.pt")
    netc.train(path, output="run", weights="initial.pt")
    Path("alone.py").write_text(emit_file(path), encoding="utf-8")
    text = Path("alone.py").read_text(encoding="utf-8")
    (made,) = re.findall(r"    model = \w+\(\)\.to\(DEVICE\)\n", text)
    loads = f'{made}    model.load_state_dict(torch.load("initial.pt"))\n'
    Path("alone.py").write_text(text.replace(made, loads).replace('"cuda" if torch.cuda.is_available() else ', ""), encoding="utf-8")
    subprocess.run([sys.executable, "alone.py"], check=True, stdout=subprocess.DEVNULL)
    kept, trained = load_file("run/last.safetensors"), torch.load("spec.pt")
    assert {name: value.tobytes() for name, value in kept.items()} == {name: value.numpy().tobytes() for name, value in trained.items()}


def test_resumed() -> None:
    save("a.npz", 40, 0)
    save("b.npz", 6, 1)
    path = write('data npz "a.npz" weight=3\n  data npz "b.npz"')
    netc.train(path, output="whole")
    with pytest.raises(Interrupted):
        train_file(str(path), None, Choice(), None, "run", False, stopping_at(7))
    train_file(None, None, Choice(), None, "run", True, _nothing)
    assert_same_run(Path("whole"), Path("run"))
    save("b.npz", 6, 2)
    with pytest.raises(RunError, match=r"`a\.npz, b\.npz` is not what it was"):
        train_file(None, None, Choice(), None, "run", True, _nothing)


@pytest.mark.long
def test_two_processes_equal_one(folder: Path) -> None:
    save("a.npz", 40, 0)
    save("b.npz", 6, 1)
    write('data npz "a.npz" weight=3\n  data npz "b.npz"')
    for ranks in (1, 2):
        train_processes(folder, ranks, "spec.net", "-o", f"run{ranks}")
    assert_close(folder / "run1", folder / "run2", limit=1e-5)


def test_data_of_the_caller_replaces_all() -> None:
    """Its samples are used once in an epoch, whatever the weights of the section's data are."""
    save("a.npz", 10, 0)
    arrays = save("c.npz", 20, 2)
    netc.train(write('data npz "a.npz" weight=3\n  data npz "b.npz"'), data=arrays, output="one")
    netc.train(write('data npz "c.npz"'), output="two")
    assert_same_run(Path("one"), Path("two"))


def test_a_derived_section_replaces_all_data() -> None:
    base = 'loss = (y, t) -> mse_loss; data npz "a.npz"; data npz "b.npz"'
    text = f"model net {{ x = input 1; y = x -> dense 1 }}; train base for net {{ t = input 1; {base} }}; "
    text += 'train other = base { data npz "c.npz"; data npz "d.npz" weight=2 }'
    recipe, problems = read_recipe(analyze_training(SourceFile("<text>", text), Choice(), section="other").training)
    assert [rule.path for rule in recipe.sources] == ["c.npz", "d.npz"]
    assert (recipe.weights, problems) == ((1.0, 2.0), [])


def test_types_of_joined_columns() -> None:
    """Every sample has the number that its own source has, in whatever order and from whichever source the samples are read."""
    parts = [np.array([1, 2], np.int32), np.array([0.5]), np.array([True, False, True]), np.array([7], np.uint8)]
    source = JoinedSource([ArraySource({"x": part}) for part in parts], [{}] * 4)
    wanted = np.array([1, 2, 0.5, 1, 0, 1, 7])
    assert source.columns["x"].dtype == np.float64
    generator = np.random.default_rng(0)
    for indices in [np.array([6]), np.array([], np.int64), np.array([0, 0, 6, 0]), *(generator.permutation(7) for _ in range(20))]:
        array = source.read(("x",), indices)["x"]
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, wanted[indices])
    assert [source.describe_sample(i) for i in (0, 1, 2, 6)] == [
        "sample 0 of data 1", "sample 1 of data 1", "sample 0 of data 2", "sample 0 of data 4"
    ]  # fmt: skip


def refuse(lines: str) -> str:
    with pytest.raises(CompileError) as caught:
        netc.train(write(lines), output="run")
    assert not Path("run").exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('data npz "a.npz"\n  data npz "b.npz"', "cannot read `b.npz`"),
        ('data npz "a.npz"\n  data npz "c.npz"', "`c.npz` has no column `t` for the input `t`"),
        ('data npz "a.npz"\n  data npz "d.npz"', "the samples of the column `x` differ in shape"),
        ('data npz "a.npz"\n  data npz "a.npz" x=[p, q, r]', "the columns of `x` differ in number from the first data"),
        ('data npz "a.npz"\n  data npz "e.npz"', "`x`"),
        ('data npz "a.npz" weight=2', "`weight` is a share of several data, and there is only one"),
        ('data npz "a.npz" weight=0\n  data npz "a.npz"', "`weight` must be a positive number, found `0`"),
        ('data npz "a.npz" weight=inf\n  data npz "a.npz"', "`weight` must be a positive number"),
        ('data npz "a.npz" weight=fast\n  data npz "a.npz"', "`weight` must be a positive number, and `fast` is not defined"),
        ('data npz "a.npz" weight=1 weight=2\n  data npz "a.npz"', "`weight` is given twice"),
    ],
)
def test_mistakes(lines: str, said: str) -> None:
    arrays = save("a.npz", 10, 0)
    np.savez("c.npz", x=arrays["x"])
    np.savez("d.npz", x=np.ones((4, 2), np.float32), t=np.ones((4, 1), np.float32))
    np.savez("e.npz", x=np.full((4, 3), "red"), t=np.ones((4, 1), np.float32))
    assert said in refuse(lines)


def test_folders_of_images_with_other_classes() -> None:
    for root, names in {"one": ["cat", "dog"], "two": ["cat", "emu"]}.items():
        for name in names:
            Path(root, name).mkdir(parents=True)
            Image.new("L", (4, 4)).save(Path(root, name, "0.png"))
    text = """
    image = input 1x4x4
    scores = image -> flatten -> dense 2
    train { label = input [] int64; loss = (scores, label) -> cross_entropy; data images "one"; data images "two" }
    """
    Path("spec.net").write_text(text)
    with pytest.raises(CompileError, match=r"cannot read `two`: its classes differ from the first data's: `emu` is a class here alone"):
        netc.train("spec.net", output="run")


def test_a_file_that_is_all_validation() -> None:
    """A share of 0.9 of 3 samples leaves one, so that some file has none."""
    save("a.npz", 2, 0)
    save("b.npz", 1, 1)
    text = MODEL.format('data npz "a.npz" weight=3\n  data npz "b.npz"').replace("validate 0.2", "validate 0.9")
    Path("spec.net").write_text(text)
    with pytest.raises(CompileError, match="all of its samples are for validation"):
        netc.train("spec.net", output="run")


def test_files_that_the_training_file_cannot_load() -> None:
    path = write('data npz "a.npz"\n  data csv "b.csv"')
    with pytest.raises(CompileError, match="of a training file must all have the same format"):
        emit_file(path)
