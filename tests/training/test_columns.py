"""Columns held against inputs, and which files a spec may read."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import netc
from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.training.batches import arrays_to_tensors
from netc.training.cautions import find_shared_columns
from netc.training.data import data_columns as columns_module
from netc.training.data.class_labels import check_classes
from netc.training.data.data_source import ArraySource
from netc.training.recipe import read_recipe
from tests.training.opened import arrays, numbers, opened, said, spec

X, TARGET = numbers(7, 2), np.arange(7)


def test_all_problems_are_reported_at_once() -> None:
    assert said(spec(target="[] int64"), {"X": X, "target": TARGET * 1.5}) == [
        ("column-missing", "`dict` has no column `x` for the input `x`"),
        ("column-type", "the column `target` has float64, and the input `target` is int64"),
    ]


def test_the_column_of_an_input_without_a_name_is_said_as_it_can_be() -> None:
    """`input` is a keyword, and no argument."""
    text = "input 2 -> dense 1 -> squeeze 1\ntrain { target = input []; loss = (output, target) -> mse_loss }"
    (found,) = opened(text, {"X": X, "target": TARGET}).diagnostics
    assert found.help == ("say which column it is: `--column input=NAME`, or name the input as the column: `NAME = input ...`",)
    assert opened(text, {"X": X, "target": TARGET}, columns={"input": "X"}).data is not None
    assert opened(text.replace("input 2", "X = input 2\nX", 1), {"X": X, "target": TARGET}).data is not None


@pytest.mark.parametrize(
    ("found", "declared", "fits"),
    [
        ("float64", "float32", True), ("float16", "float64", True), ("int64", "float32", True), ("bool", "float32", True),
        ("float32", "int64", True), ("int64", "bool", False), ("bool", "int64", True), ("uint8", "int64", True), ("int64", "uint8", True),
        ("uint16", "int32", True), ("complex64", "float32", False),
    ],
)  # fmt: skip
def test_types(found: str, declared: str, fits: bool) -> None:
    problems = said(spec(target=f"[] {declared}"), ArraySource({"x": X, "target": np.ones(7, found)}))
    assert [code for code, _ in problems] == ([] if fits else ["column-type"])


def test_numbers_that_a_type_does_not_have() -> None:
    for value in (256, -1):
        target = np.where(TARGET == 5, value, TARGET)
        assert said(spec(target="[] uint8"), {"x": X, "target": target}) == [
            ("cannot-read-data", "cannot read `dict`: sample 5 of the column `target` has a number that uint8 does not have")
        ]


def test_symbolic_sizes() -> None:
    text = spec(x="T", target="T", model="cast float32", loss="y * target -> mean").replace("input T", "input [T]")
    assert arrays(text, {"x": X, "target": X})["x"].shape == (7, 2)
    assert said(text, {"x": X, "target": X[:, :1]}) == [("column-shape", "`T` is 2 in the data of `x` and 1 in the data of `target`")]


def test_conditions_of_the_spec() -> None:
    text = spec(x="[T] where T % 2 == 0", model="mean axis=1")
    assert arrays(text, {"x": X, "target": TARGET})["x"].shape == (7, 2)
    assert said(text, {"x": X[:, :1], "target": TARGET}) == [
        ("column-shape", "the sizes in `dict` do not fit the spec: `where T % 2 == 0` does not hold: T is 1")
    ]
    text = spec(x="[T]", target="[2 * T]", loss="(target -> mean axis=1) * y -> mean", model="mean axis=1")
    assert said(text, {"x": X, "target": numbers(7, 4)}) == []
    assert "axis 1 must be 2*T, which is 4, found 3" in said(text, {"x": X, "target": numbers(7, 3)})[0][1]


@pytest.mark.parametrize("shape", [(7,), (7, 3), (7, 2, 1)])
def test_shapes(shape: tuple[int, ...]) -> None:
    assert [code for code, _ in said(spec(), {"x": np.ones(shape), "target": TARGET})] == ["column-shape"]


def test_the_first_sample_that_is_not_finite_is_named() -> None:
    x = np.ones((5000, 2), np.float32)
    x[4321, 1], x[4400, 0] = np.inf, np.nan
    assert said(spec(), {"x": x, "target": np.zeros(5000)}) == [
        ("data-not-finite", "sample 4321 of the column `x`, for the input `x`, has an infinite number")
    ] or said(spec(), {"x": x, "target": np.zeros(5000)}) == [
        ("data-not-finite", "sample 4400 of the column `x`, for the input `x`, has NaN")
    ]


def test_a_sum_that_overflows_is_no_infinity() -> None:
    assert said(spec(), {"x": np.full((3, 2), 3e38, np.float32), "target": np.zeros(3)}) == []
    assert said(spec(target="[] float64"), {"x": np.ones((3, 2)), "target": np.full(3, 1.7e308)}) == []


def test_floats_that_the_type_of_the_input_does_not_have(recwarn: pytest.WarningsRecorder) -> None:
    data = {"u": np.array([1.0, 2e38, np.inf]), "v": np.array([0.5, 1e50, 3.0]), "target": np.ones(3)}
    found = said(spec(), data, columns={"x": "u,v"})
    assert found == [("cannot-read-data", "cannot read `dict`: sample 1 of the column `v` has a number that is too large for float32")]
    data["v"][1] = 1e38
    assert said(spec(), data, columns={"x": "u,v"})[0][0] == "data-not-finite"
    found = said(spec(x="2 float16"), {"x": np.full((3, 2), 70000.0), "target": np.ones(3)})
    assert found[0][1].endswith("has a number that is too large for float16")
    assert not recwarn.list


@pytest.mark.parametrize("found", ["float32", "float64", "bfloat16"])
def test_bfloat16(found: str, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """Inputs are as the spec declares them, and hold what PyTorch's own conversion holds."""
    values = torch.tensor([[1.00390625, -3e38], [65504.0, 1e-40], [0.1, 3.0]], dtype=getattr(torch, found))
    save_file({"x": values, "target": torch.ones(3)}, tmp_path / "data.safetensors")
    text = spec(x="2 bfloat16", model="dense 1 -> squeeze 1 -> cast float32")
    made = arrays_to_tensors(arrays(text, str(tmp_path / "data.safetensors")), torch.device("cpu"))["x"]
    assert made.dtype == torch.bfloat16
    assert torch.equal(made, values.to(torch.bfloat16))
    as_object = arrays_to_tensors(arrays(text, {"x": values, "target": np.ones(3)}), torch.device("cpu"))["x"]
    assert torch.equal(as_object, made)
    large = {"x": np.array([[1.0, 1e39]]), "target": np.ones(1)}
    assert said(text, large)[0][1].endswith("sample 0 of the column `x` has a number that is too large for bfloat16")
    assert not recwarn.list


def test_a_near_name_among_several() -> None:
    data = {"a": np.ones(3), "rooms": np.ones(3), "target": np.ones(3)}
    (problem,) = opened(spec(), data, columns={"x": "a,roms"}).diagnostics
    assert problem.help == ("say which column it is: `--column x=a,rooms`, or `x=[a, rooms]` after the path in the spec",)
    (problem,) = opened(spec('data npz "a" x=[roms, "a*"]'), data, columns={}).diagnostics
    assert '`x=[rooms, "a*"]`' in problem.help[0]


def test_numbers_of_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2,3\n4,5,6\n")
    found = arrays(spec('data csv "a.csv" header=false x=[2, 0] target=1'), path=tmp_path / "m.net")
    assert found["x"].tolist() == [[3, 1], [6, 4]]
    assert found["target"].tolist() == [2, 5]


@pytest.mark.parametrize("share", [1.0, 1.5, -0.1, float("nan"), float("inf")])
def test_shares_that_are_none(share: float) -> None:
    ((code, message),) = said(spec(), {"x": X, "target": TARGET}, validation=share)
    assert code == "wrong-setting"
    assert message.startswith("`validation` must be a number between 0 and 1")


def test_a_share_of_nothing_is_no_validation() -> None:
    found = opened(spec("validate 0.3"), {"x": X, "target": TARGET}, validation=0.0)
    assert found.data is not None
    assert (len(found.data[1]), found.validation) == (7, None)


def test_a_column_that_is_guessed_and_given() -> None:
    data = {"a": np.ones(3), "p": np.ones(3)}
    for columns, shared in (({"x": "*", "target": "p"}, 1), ({"x": "a,p", "target": "p"}, 1), ({"x": "a,a", "target": "p"}, 0)):
        found = opened(spec(), data, columns=columns).data
        assert found is not None
        notes = list(find_shared_columns(found[0]))
        assert len(notes) == shared
        assert all(note.startswith("the column `p` is the input `target`, and is in `x` too") for note in notes)


def test_no_data() -> None:
    assert said(spec()) == [("cannot-read-data", "cannot read `data`: no data are given")]


def test_a_share() -> None:
    found = opened(spec("validate 0.3"), {"x": numbers(10, 2), "target": np.ones(10)})
    assert found.data is not None
    assert found.validation is not None
    assert sorted([*found.data[1], *found.validation[1]]) == list(range(10))
    assert len(found.validation[1]) == 3
    assert opened(spec("validate 0.3"), {"x": X, "target": TARGET}, validation={"x": X[:2], "target": TARGET[:2]}).validation is not None


@pytest.mark.parametrize("data", [{"x": X, "target": TARGET}, [{"x": x, "target": 1} for x in X]], ids=["arrays", "items"])
def test_an_empty_share_has_the_shapes(data: Any) -> None:
    found = opened(spec(target="[] int64"), data).data
    assert found is not None
    empty = found[0].read_batch(np.zeros(0, np.int64))
    assert {name: (array.shape, array.dtype.name) for name, array in empty.items()} == {"x": ((0, 2), "float32"), "target": ((0,), "int64")}


def test_small_batches_are_read_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened(spec(target="[] int64"), {"x": numbers(50, 2), "target": np.arange(50)}).data
    assert found is not None
    orders = [np.array(order, np.int64) for order in ([3, 1], [], [7], [40, 2, 9, 11, 0], [], [49], [5, 5])]
    reads: list[int] = []
    read = found[0].source.read
    monkeypatch.setattr(type(found[0].source), "read", lambda self, names, indices: reads.append(len(indices)) or read(names, indices))
    monkeypatch.setattr(columns_module, "_READ_AHEAD_BYTES", 4 * 16)  # a sample is two floats and a label
    made = []
    for batch in found[0].iterate_batches(orders, dict):
        made.append(batch)
        assert sum(reads) == {3: 3, 4: 8, 7: 11}[next(n for n in (3, 4, 7) if len(made) <= n)]
    assert reads == [2, 1, 5, 1, 2]
    for arrays_, order in zip(made, orders, strict=True):
        assert arrays_["target"].tolist() == order.tolist()
        assert arrays_["x"].shape == (len(order), 2)
        assert all(array.flags.owndata for array in arrays_.values())


# --- what a spec says ------------------------------------------------------------------------------------------------------


def problems(settings: str) -> list[tuple[str, tuple[str, ...]]]:
    analysis = analyze_training(SourceFile("m.net", spec(settings)), Choice())
    assert analysis.training is not None, [d.message for d in analysis.diagnostics]
    return [(d.message, d.help) for d in read_recipe(analysis.training)[1]]


@pytest.mark.parametrize(
    ("settings", "message", "help"),
    [
        ('data nppz "a"', "`data` has no format `nppz`", "did you mean `npz`?"),
        ('data excel "a"', "`data` has no format `excel`", "the formats are `npz`"),
        ('data python "os:getcwd"', "`data` cannot be `python` in a spec, which never runs code", "say it on the command line"),
        ('validate python "os:getcwd"', "`validate` cannot be `python` in a spec", "say it on the command line"),
        ('data npz "a" y=1', "`data` has neither an input nor an option `y`", "`npz` has no options"),
        ('data images "a" sise=1', "`data` has neither an input nor an option `sise`", "did you mean `size`?"),
        ('data images "a" size="big"', "`size` must be a number of pixels", ""),
        ('data images "a" size=0', "`size` must be a number of pixels", ""),
        ('data csv "a" separator="::"', "`separator` must be one character", ""),
        ('data csv "a" x=true', "`x` must be the name of a column, or a list of them", ""),
        ("data npz", "`data` takes a format and a path", 'write `data npz "data.npz"`'),
    ],
)
def test_settings_that_are_wrong(settings: str, message: str, help: str) -> None:
    ((found, said),) = problems(settings)
    assert found.startswith(message)
    assert " ".join(said).startswith(help)


def test_paths_are_relative_to_the_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs" / "data").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    np.savez(tmp_path / "specs" / "data" / "a.npz", x=X, target=TARGET)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(arrays(spec('data npz "data/a.npz"'), path=tmp_path / "specs" / "m.net")["x"]) == 7
    monkeypatch.chdir(tmp_path / "specs")
    assert len(arrays(spec('data npz "data/a.npz"'))["x"]) == 7


def test_a_spec_reads_its_own_folder_only(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    np.savez(tmp_path / "a.npz", x=X, target=TARGET)
    (tmp_path / "specs" / "link.npz").symlink_to(tmp_path / "a.npz")
    spec_path = tmp_path / "specs" / "m.net"
    for path in ("../a.npz", str(tmp_path / "a.npz"), "link.npz", "../missing.npz"):
        ((code, message),) = said(spec(f'data npz "{path}"'), path=spec_path)
        assert code == "cannot-read-data"
        assert message == f"cannot read `{path}`: it is outside of the folder of the spec"
    assert len(arrays(spec('data npz "../a.npz"'), path=spec_path, allow_paths=(str(tmp_path),))["x"]) == 7
    assert len(arrays(spec('data npz "../a.npz"'), f"{tmp_path}/a.npz", path=spec_path)["x"]) == 7


@pytest.mark.skipif(os.name != "posix", reason="only Linux has these folders of the kernel")
def test_files_of_the_kernel_and_pipes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    assert said(spec('data csv "a.csv"'), path=tmp_path / "m.net") == [("cannot-read-data", "cannot read `a.csv`: it is no regular file")]
    found = said(spec('data text "/proc/self/environ"'), path=tmp_path / "m.net", allow_paths=("/",))
    assert found == [("cannot-read-data", "cannot read `/proc/self/environ`: it is a file of the system's kernel")]


def test_a_name_that_no_file_has(tmp_path: Path) -> None:
    assert said(spec(), "a\0.npz") == [("cannot-read-data", "cannot read `a\0.npz`: no file can have this name")]


def test_near_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", x=X)
    (problem,) = opened(spec(), f"{tmp_path}/trian.npz").diagnostics
    assert problem.help == (f"did you mean `{tmp_path}/train.npz`?",)
    (tmp_path / "flowers.net").write_text("input 3 -> dense 2", encoding="utf-8")
    (problem,) = opened(spec(), f"{tmp_path}/flowers.npz").diagnostics
    assert problem.help == ()


def test_options_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1;2;3\n4;5;6\n")
    asked: dict[str, Any] = {"columns": {"x": "0,1", "target": "2"}, "options": {"separator": ";", "header": "false"}}
    assert arrays(spec(), f"{tmp_path}/a.csv", **asked)["target"].tolist() == [3, 6]
    asked["options"] = {"header": "no"}
    assert said(spec(), f"{tmp_path}/a.csv", **asked)[0][1].endswith("`header` must be true or false, found `no`")
    asked["options"] = {"sep": ";"}
    assert said(spec(), f"{tmp_path}/a.csv", **asked)[0][1].endswith("there is no option `sep`")


def test_a_format_that_is_not_known() -> None:
    assert said(spec(), "data.xyz") == [("cannot-read-data", "cannot read `data.xyz`: its format is not known")]


def test_data_without_classes_are_not_read_to_check_them() -> None:
    columns: Any = SimpleNamespace(columns={"x": "x"})  # without a method that reads
    assert check_classes(columns, netc.compile("x = input 2 int64\nx + 1").program.main, np.arange(6)) == []


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("x = input 2; s = x -> dense 3; train { y = input [] int64; loss = (s, y) -> cross_entropy }", "`cross_entropy` has 3 classes"),
        ("y = input [] int64; s = y -> embedding 5 2; train { loss = s -> mean }", "`embedding` has 5 classes"),
        ("y = input [] int64; s = y -> one_hot 4 -> cast float32 -> dense 1; train { loss = s -> mean }", "`one_hot` has 4 classes"),
    ],
)
def test_classes_that_there_are_not(lines: str, wanted: str, tmp_path: Path) -> None:
    (tmp_path / "s.net").write_text(lines.replace("; ", "\n", lines.split("train")[0].count("; ")), encoding="utf-8")
    label = np.array([0, 1, 2, -100, 7, 1], np.int64) if "cross" in lines else np.array([0, 1, 2, 0, 7, 1], np.int64)
    np.savez(tmp_path / "d.npz", x=np.zeros((6, 2), np.float32), y=label)
    with pytest.raises(netc.CompileError, match="sample 4 of the column `y` has the class 7") as caught:
        netc.train(tmp_path / "s.net", data=str(tmp_path / "d.npz"), output=tmp_path / "run")
    assert wanted in str(caught.value)
