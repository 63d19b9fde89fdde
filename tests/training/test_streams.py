"""Data in shards that are read one after the other: the packages `webdataset` and `datasets` are the judges of what a shard has."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netc.analysis import Choice
from netc.compiler.errors.run_errors import RunError
from netc.compiler.types.tensor_types import FLOAT32, INT64, TensorType
from netc.training.data.data_formats import DataLocation, open_source
from netc.training.data.shard_layout import ShardLayout
from netc.training.data.streamed_source import Shard, StreamedSource
from netc.training.data.webdataset import open_webdataset
from netc.training.run_training import train_file
from netc.training.stop_signals import Interrupted
from tests.training.shards import SIZES, SPEC, make_members, open_shards, write_shards, write_tar
from tests.training.test_ranks import assert_close
from tests.training.test_ranks import train as train_processes
from tests.training.test_resume import assert_same_run, stopping_at

webdataset = pytest.importorskip("webdataset", reason="pip install webdataset")
datasets = pytest.importorskip("datasets", reason="pip install datasets")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards")
    write_shards(path)
    (path / "spec.net").write_text(SPEC)
    (path / "plain.net").write_text(SPEC.replace("dropout 0.2 -> ", ""))  # processes draw other masks
    return path


def test_the_samples_are_those_of_webdataset_in_its_order(folder: Path) -> None:
    source = open_shards(str(folder / "s-{000..007}.tar"))
    names = ("x.npy", "png", "cls", "json", "txt")
    assert {name: source.columns[name].shape for name in names} == {"x.npy": (4,), "png": (3, 5, 6), "cls": (), "json": (2,), "txt": ()}
    ours = source.read(names, np.arange(len(source)))
    urls = [str(path) for path in sorted(folder.glob("*.tar"))]
    theirs = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False).decode("rgb8"))
    assert len(theirs) == len(source) == sum(SIZES)
    for number, sample in enumerate(theirs):
        assert (ours["x.npy"][number] == sample["x.npy"]).all()
        assert (ours["png"][number] == np.moveaxis(sample["png"], 2, 0)).all()
        assert ours["cls"][number] == sample["cls"]
        assert ours["json"][number].tolist() == sample["json"]
        assert ours["txt"][number] == float(sample["txt"])


@pytest.mark.parametrize("ending", ["parquet", "arrow", "jsonl"])
def test_the_rows_are_those_of_datasets_in_its_order(tmp_path: Path, ending: str) -> None:
    features = datasets.Features({"x": datasets.List(datasets.Value("float32"), length=2), "kind": datasets.ClassLabel(names=["a", "b"])})
    for shard, size in enumerate((1500, 3)):
        rows = {"x": [[shard, i / 2] for i in range(size)], "kind": [i % 2 for i in range(size)]}
        table = datasets.Dataset.from_dict(rows, features=features).with_format("arrow")[:]
        path = tmp_path / f"{shard}.{ending}"
        if ending == "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
        elif ending == "parquet":
            datasets.Dataset(table).to_parquet(path)
        else:
            import pyarrow as pa

            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
                writer.write_table(table)
    pattern = str(tmp_path / f"[01].{ending}")
    source: Any = open_source(DataLocation("hf", pattern, {"streaming": True}), {})
    reader = {"jsonl": "json"}.get(ending, ending)
    theirs = list(datasets.load_dataset(reader, data_files=pattern, split="train", streaming=True))
    order = np.random.default_rng(0).permutation(len(theirs))
    ours = source.read(("x", "kind"), order)
    assert ours["x"].tolist() == [theirs[i]["x"] for i in order]
    assert ours["kind"].tolist() == [theirs[i]["kind"] for i in order]
    assert source.class_names == ({} if ending == "jsonl" else {"kind": ("a", "b")})


def shuffle(numbers: np.ndarray) -> np.ndarray:
    return np.random.default_rng(5).permutation(numbers)


@pytest.mark.parametrize(("sizes", "window", "interleave"), [(SIZES, 64, 4), ((1, 1, 1), 100, 8), ((50,), 0, 1), ((3, 200, 5), 30, 3)])
def test_an_epoch_has_each_sample_once_and_moves_it_by_at_most_the_window(sizes: tuple[int, ...], window: int, interleave: int) -> None:
    layout = ShardLayout(sizes, window, interleave)
    order = layout.order_samples(shuffle)
    assert sorted(order.tolist()) == list(range(sum(sizes)))
    for shard, (start, stop) in enumerate(zip(layout.starts, layout.starts[1:], strict=False)):
        own = order[(order >= start) & (order < stop)]
        # a buffer of the window: a sample leaves before another one that is further away than that
        for place, sample in enumerate(own.tolist()):
            assert all(later > sample - max(1, layout.lane_window) for later in own[place:]), shard


def make_counting_source(sizes: Sequence[int], layout: ShardLayout) -> tuple[StreamedSource[int], Counter[str], list[int]]:
    """A source of numbers that counts how often a shard is opened, and which samples are read."""
    opened: Counter[str] = Counter()
    read: list[int] = []
    starts = layout.starts

    def read_shard(shard: Shard, start: int) -> Iterator[int]:
        opened[shard.name] += 1
        for number in range(start, shard.samples):
            read.append(int(starts[int(shard.name)]) + number)
            yield read[-1]

    shards = [Shard(str(number), "", 0, size) for number, size in enumerate(sizes)]
    return StreamedSource(shards, layout, {}, read_shard, lambda _, rows: {"n": np.array([row for _, row in rows])}), opened, read


@pytest.mark.parametrize("window", [0, 7, 64, 1000])
def test_an_epoch_opens_each_shard_once_and_a_resumed_one_the_last_ones_again(window: int) -> None:
    layout = ShardLayout(SIZES, window, 4)
    order = layout.order_samples(shuffle)
    source, opened, read = make_counting_source(SIZES, layout)
    for start in range(0, len(order), 16):
        assert source.read(("n",), order[start : start + 16])["n"].tolist() == order[start : start + 16].tolist()
    assert opened == {str(number): 1 for number in range(len(SIZES))}
    assert sorted(read) == sorted(order.tolist())
    assert not source._readers
    resumed, opened, _ = make_counting_source(SIZES, layout)
    for start in range(128, len(order), 16):
        assert resumed.read(("n",), order[start : start + 16])["n"].tolist() == order[start : start + 16].tolist()
    assert max(opened.values()) == 1


@pytest.mark.parametrize("processes", [2, 4])
def test_each_process_reads_shards_of_its_own(processes: int) -> None:
    layout = ShardLayout((32,) * 8, 64, 4)
    order = layout.order_samples(shuffle)
    parts = []
    for process in range(processes):
        source, opened, read = make_counting_source((32,) * 8, layout)
        for start in range(0, len(order), 16):
            source.read(("n",), order[start : start + 16][process::processes])
        assert len(opened) == 8 // processes
        assert max(opened.values()) == 1
        parts.append(read)
    assert sorted(number for part in parts for number in part) == list(range(256))


def train(
    folder: Path, run: Path, resume: bool = False, spec: str = "spec.net", on_report: Any = lambda report: None, **options: Any
) -> None:
    path = folder / spec
    train_file(None if resume else str(path), None, Choice(), None, str(run), resume, on_report, **options)


@pytest.mark.long
def test_a_resumed_run_has_the_same_bits(folder: Path, tmp_path: Path) -> None:
    train(folder, tmp_path / "full")
    with pytest.raises(Interrupted):
        train(folder, tmp_path / "run", on_report=stopping_at(11))
    train(folder, tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "full", tmp_path / "run")


def test_a_changed_shard_is_named_when_a_run_is_resumed(tmp_path: Path) -> None:
    write_shards(tmp_path)
    (tmp_path / "spec.net").write_text(SPEC)
    with pytest.raises(Interrupted):
        train(tmp_path, tmp_path / "run", on_report=stopping_at(5))
    write_tar(tmp_path / "s-004.tar", {f"d/{i}": make_members(i) for i in range(62)})
    with pytest.raises(RunError, match=r"`s-004\.tar` has .* bytes and 62 samples, and had .* bytes and 61 samples"):
        train(tmp_path, tmp_path / "run", resume=True)


@pytest.mark.long
@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_give_what_one_gives(folder: Path, tmp_path: Path, processes: int) -> None:
    train(folder, tmp_path / "one", spec="plain.net")
    train_processes(folder, processes, "plain.net", "-o", str(tmp_path / "several"))
    assert_close(tmp_path / "one", tmp_path / "several")


@pytest.mark.long
def test_a_run_of_two_processes_is_resumed_by_one(folder: Path, tmp_path: Path) -> None:
    train(folder, tmp_path / "one", spec="plain.net")
    train_processes(folder, 2, "plain.net", "-o", str(tmp_path / "run"), stopped_at=4)
    train(folder, tmp_path / "run", resume=True)
    assert_close(tmp_path / "one", tmp_path / "run")


@pytest.mark.parametrize("ending", ["json", "txt"])
def test_a_float_that_is_written_as_an_integer_in_the_first_sample(ending: str, tmp_path: Path) -> None:
    texts = ["3", "1.5", "-2", "1e3"]
    write_tar(tmp_path / "s.tar", {str(number): {ending: text.encode()} for number, text in enumerate(texts)})
    source = open_webdataset(str(tmp_path / "s.tar"), {ending: TensorType(FLOAT32, ())})
    assert source.columns[ending].dtype == np.float64
    assert source.read((ending,), np.arange(4))[ending].tolist() == np.loadtxt(texts).tolist()
    integers = open_webdataset(str(tmp_path / "s.tar"), {ending: TensorType(INT64, ())})
    assert integers.columns[ending].dtype == np.int64
