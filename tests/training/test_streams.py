"""Data in shards that are read one after the other: the packages `webdataset` and `datasets` are the judges of what a shard has."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from netc.analysis import Choice
from netc.compiler.errors.run_errors import RunError
from netc.compiler.types.tensor_types import DTYPES, TensorType
from netc.errors import CompileError
from netc.training.data.data_formats import DataLocation, open_source
from netc.training.data.data_source import DataError
from netc.training.data.shard_layout import ShardLayout
from netc.training.data.streamed_source import Shard, StreamedSource
from netc.training.data.webdataset import open_webdataset
from netc.training.run_training import train_file
from netc.training.stop_signals import Interrupted
from tests.training.test_ranks import assert_close
from tests.training.test_ranks import train as train_processes
from tests.training.test_resume import assert_same_run, stopping_at

webdataset = pytest.importorskip("webdataset", reason="pip install webdataset")
datasets = pytest.importorskip("datasets", reason="pip install datasets")

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards")
    write_shards(path)
    (path / "spec.net").write_text(SPEC)
    (path / "plain.net").write_text(SPEC.replace("dropout 0.2 -> ", ""))  # processes draw other masks
    return path


IMAGE = TensorType(DTYPES["uint8"], (1, 3, 5, 6))


def open_shards(path: str, **options: Any) -> StreamedSource[Any]:
    return open_webdataset(path, {"png": IMAGE}, **options)


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


def remove(folder: Path) -> str:
    (folder / "s-002.tar").unlink()
    return "s-{000..003}.tar"


def truncate(folder: Path) -> str:
    path = folder / "s-001.tar"
    path.write_bytes(path.read_bytes()[:3000])
    return "s-*.tar"


def cut_at_a_member(folder: Path) -> str:
    path = folder / "s-001.tar"
    path.write_bytes(path.read_bytes()[:2048])
    return "s-*.tar"


def cut_in_a_header(folder: Path) -> str:
    path = folder / "s-001.tar"
    path.write_bytes(path.read_bytes()[:2105])
    return "s-*.tar"


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
        (truncate, r"`s-001\.tar` is truncated"),
        (cut_at_a_member, r"`s-001\.tar` is truncated"),
        (cut_in_a_header, r"`s-001\.tar` is truncated"),
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
