"""First values, files of weights, and whether weights fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

import netc
from netc.compiler.analysis.parameters import ParameterInfo, parameters
from netc.compiler.errors.weights import WeightsMismatch, WeightsUnreadable
from netc.compiler.ir.elements import Array
from netc.compiler.weights.initial import Drawn
from netc.compiler.weights.matching import WeightsError, as_arrays, initial, load, match
from netc.compiler.weights.rooms import Rooms


def infos(text: str) -> dict[str, ParameterInfo]:
    return parameters(netc.compile(text).program)


TWO = "input 4 -> dense 3 as a -> dense 2 as b"
TIED = "tokens = input [T] int64; tokens -> embedding 10 8 as wte -> dense 10 bias=false tie=wte as head"
NORM = "input 4 -> batch_norm as bn"


# --- first values ----------------------------------------------------------------------------------------------------------


def test_the_seed_and_the_name_decide() -> None:
    small, large = infos(TWO), infos(TWO + " -> dense 7 as c")
    one, two = initial(small, 3), initial(large, 3)
    assert all(np.array_equal(one[name], two[name]) for name in small)
    assert not np.array_equal(one["a.weight"], initial(small, 4)["a.weight"])
    assert not np.array_equal(one["a.weight"][:2, :3], one["b.weight"][:, :3])


def test_values_stay_what_they_are() -> None:
    """Models that people have drawn with a seed must not change under them."""
    assert initial(infos(TWO), 0)["b.bias"].tolist() == pytest.approx([-0.487224907, 0.492645860])


def test_tied_names_share_one_array() -> None:
    arrays = initial(infos(TIED))
    assert arrays["head.weight"] is arrays["wte.weight"]


@pytest.mark.parametrize(
    ("stage", "module"),
    [
        ("input 300 -> dense 400", lambda: torch.nn.Linear(300, 400)),
        ("input 32x16x16 -> conv 64 5x5 groups=2", lambda: torch.nn.Conv2d(32, 64, 5, groups=2)),
        ("input 32x16x16 -> conv_transpose 64 5x5", lambda: torch.nn.ConvTranspose2d(32, 64, 5)),
        ("tokens = input [T] int64; tokens -> embedding 500 200 padding_idx=3", lambda: torch.nn.Embedding(500, 200, padding_idx=3)),
        ("a = input 64; b = input 48; (a, b) -> bilinear 50", lambda: torch.nn.Bilinear(64, 48, 50)),
        ("input 32x8x8 -> batch_norm", lambda: torch.nn.BatchNorm2d(32)),
        ("input [T, 256] -> multihead_attention 8", lambda: torch.nn.MultiheadAttention(256, 8)),
        ("input [T, 64] -> lstm 128", lambda: torch.nn.LSTM(64, 128, batch_first=True)),
    ],
)
def test_distributions_are_those_of_pytorch(stage: str, module: Any) -> None:
    """Bounds, means and deviations of large tensors, against what PyTorch draws itself."""
    torch.manual_seed(0)
    ours = {name.split(".", 1)[1]: array for name, array in initial(infos(stage), 1).items()}
    theirs = {name: value.numpy() for name, value in module().state_dict().items()}
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        assert ours[name].shape == array.shape
        assert ours[name].dtype == array.dtype
        if array.size >= 64:
            assert ours[name].std() == pytest.approx(array.std(), rel=5 / array.size**0.5)
            assert ours[name].mean() == pytest.approx(array.mean(), abs=8 * float(array.std()) / array.size**0.5)
        if array.size >= 10_000 and "embedding" not in stage:
            assert np.abs(ours[name]).max() == pytest.approx(np.abs(array).max(), rel=1e-2)
        zero = np.all(array.reshape(len(array), -1) == 0, axis=1) if array.ndim else array == 0
        assert np.array_equal(zero, np.all(ours[name].reshape(len(array), -1) == 0, axis=1) if array.ndim else ours[name] == 0)


@pytest.mark.parametrize("shape", [(300, 200), (60, 40, 5), (30, 20, 5, 7)])
def test_xavier_is_that_of_pytorch(shape: tuple[int, ...]) -> None:
    """The bound is that of torch.nn.init, whose fans count the axes after the first two."""
    array = initial(infos(f"x = input [1]; w = param {list(shape)} init=xavier_uniform as w; x + (w -> sum)"), 1)["w"]
    theirs = torch.nn.init.xavier_uniform_(torch.empty(shape), generator=torch.Generator().manual_seed(0))
    assert np.abs(array).max() == pytest.approx(float(theirs.abs().max()), rel=1e-2)
    assert array.std() == pytest.approx(float(theirs.std()), rel=2e-2)


def test_initialisers_of_param() -> None:
    text = """
    x = input 4
    a = param [4] init=uniform(-2, 3) as a
    b = param [4] init=normal(0.5) as b
    c = param [4] init=7 as c
    d = param [4] init=ones as d
    e = table (i) [4] = i * 2 as e
    x + a + b + c + d + e
    """
    arrays = initial(infos(text))
    assert arrays["c"].tolist() == [7] * 4
    assert arrays["d"].tolist() == [1] * 4
    assert arrays["e"].tolist() == [0, 2, 4, 6]
    assert -2 <= arrays["a"].min() <= arrays["a"].max() <= 3


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64"])
def test_other_types(name: str) -> None:
    arrays = initial(infos(f"x = input 200 {name}; x -> dense 300"))
    weight = arrays["dense1.weight"]
    assert weight.dtype.name == name
    assert weight.astype(np.float64).std() == pytest.approx(200**-0.5 / 3**0.5, rel=0.02)


@pytest.mark.parametrize("name", ["float64", "float32", "float16", "bfloat16"])
def test_normal_numbers_are_those_of_the_distribution(name: str) -> None:
    """The largest difference of the cumulated frequencies is below that of a sample of this size (Kolmogorov and Smirnov, one in a
    thousand), and so are those of the moments and of what is far from the mean."""
    text = f"x = input 1000 {name}; w = param [1000, 2001] {name} init=normal(2, mean=1) as w; x @ w"
    drawn = (np.sort(initial(infos(text), 3)["w"].astype(np.float64).ravel()) - 1) / 2
    every = len(drawn) // 1000
    cumulated = np.asarray([NormalDist().cdf(value) for value in drawn[::every]])
    rounding = {"bfloat16": 2**-9, "float16": 2**-12}.get(name, 0)
    assert np.abs(cumulated - np.arange(len(drawn))[::every] / len(drawn)).max() < 1.95 / len(drawn) ** 0.5 + rounding
    for power, moment, deviation in ((1, 0, 1), (2, 1, 2**0.5), (3, 0, 15**0.5), (4, 3, 96**0.5)):  # of the standard normal distribution
        assert (drawn**power).mean() == pytest.approx(moment, abs=4 * deviation / len(drawn) ** 0.5 + power * moment * rounding**2)
    for far in (3, 4, 4.5):
        wanted = 2 * NormalDist().cdf(-far) * len(drawn)
        assert (np.abs(drawn) > far).sum() == pytest.approx(wanted, abs=4 * wanted**0.5 + far * rounding * wanted)


def in_types(shape: list[int], init: str) -> Iterator[Array]:
    """The values of one seed in float64, float32, float16 and bfloat16."""
    text = f"x = input {shape[0]}; w = param {shape} init={init} as w; x @ w"
    return (initial(netc.compile(text, dtype=name).parameters, 4)["w"] for name in ("float64", "float32", "float16", "bfloat16"))


@pytest.mark.parametrize(
    ("init", "shape"),
    [
        *((init, [3, 5]) for init in ("normal(2, mean=1)", "uniform(-3, 1)", "xavier_normal", "kaiming_uniform", "trunc_normal(0.02)")),
        ("trunc_normal(0.02)", [301, 303]),
    ],
    ids=str,
)
def test_values_of_half_types_are_those_of_float32_rounded(init: str, shape: list[int]) -> None:
    _, single, half, brain = in_types(shape, init)
    assert np.array_equal(single.astype(half.dtype), half)
    assert np.array_equal(single.astype(brain.dtype), brain)


DENSITIES: dict[str, Callable[[float], float]] = {
    "normal(2, mean=1)": NormalDist(1, 2).pdf,
    "uniform(-3, 1)": lambda _: 1 / 4,
}


@pytest.mark.parametrize("init", DENSITIES)
def test_many_values_of_half_types_are_those_of_float32_within_a_part_of_the_distribution(init: str) -> None:
    """A part is as wide as the inverse of its density, over 65,536."""
    double, single, half, brain = (values.astype(np.float64).ravel() for values in in_types([301, 303], init))
    parts = np.asarray([1 / DENSITIES[init](value) for value in single]) / 65_536
    assert (np.abs(half - single) <= parts + np.abs(single) * 2.0**-11).all()
    assert (np.abs(brain - single) <= parts + np.abs(single) * 2.0**-8).all()
    if "normal" in init:  # uniform numbers of float64 are others
        np.testing.assert_allclose(single, double, rtol=1e-6, atol=1e-6)


def test_memory_is_used_again_when_nothing_refers_to_it() -> None:
    size = 1 << 21
    rooms = Rooms()
    first = rooms.empty(size, np.dtype(np.float32))
    view = first.reshape(2, -1).T[3:]
    place = first.ctypes.data
    del first
    second = rooms.empty(size, np.dtype(np.float32))
    assert second.ctypes.data != place
    part = memoryview(view[1])
    del view
    assert rooms.empty(size, np.dtype(np.float16)).ctypes.data != place
    del part
    third = rooms.empty(size + 1, np.dtype(np.float16))
    assert third.ctypes.data == place
    assert (third.dtype, third.shape) == (np.dtype(np.float16), (size + 1,))


def test_arrays_that_are_kept_are_apart() -> None:
    """Of parameters that are large enough for their memory to be used again."""
    text = "x = input 1500; " + "; ".join(f"w{n} = param [1500, 400] init=normal as w{n}" for n in range(4)) + "; x @ (w0 + w1 + w2 + w3)"
    drawn = Drawn(infos(text), 1)
    kept = initial(infos(text), 1)
    for name, array in kept.items():
        assert np.array_equal(drawn[name], array)


# --- files -----------------------------------------------------------------------------------------------------------------


def test_formats_give_the_same(tmp_path: Path) -> None:
    arrays = initial(infos(TWO), 5)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    safetensors.numpy.save_file(arrays, tmp_path / "w.safetensors")
    np.savez(tmp_path / "w.npz", **arrays)  # type: ignore[arg-type]
    torch.save(tensors, tmp_path / "w.pt")
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "w.pth")
    for ending in ("safetensors", "npz", "pt", "pth"):
        found = load(tmp_path / f"w.{ending}")
        assert found.keys() == arrays.keys()
        assert all(np.array_equal(found[name], array) for name, array in arrays.items())


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_bfloat16_comes_through(tmp_path: Path, ending: str) -> None:
    tensor = torch.linspace(-3, 3, 7).to(torch.bfloat16)
    path = tmp_path / f"w.{ending}"
    save = safetensors.torch.save_file if ending == "safetensors" else torch.save
    save({"a": tensor}, path)
    found = load(path)["a"]
    assert found.dtype == ml_dtypes.bfloat16
    assert found.astype(np.float32).tolist() == tensor.float().tolist()


class Payload:
    """What no file of weights may bring to life."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("a file of weights ran this",))


def unreadable(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load(path)
    problem = caught.value.problem
    assert isinstance(problem, WeightsUnreadable)
    assert str(path) in problem.message()
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"garbage" * 9, b"PK\x03\x04garbage", b"\x93NUMPY", b"\x80\x02}q\x00.", b"\xff" * 64])
@pytest.mark.parametrize("ending", ["safetensors", "npz", "pt", "pth"])
def test_broken_files(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"w.{ending}"
    path.write_bytes(content)
    unreadable(path)


@pytest.mark.parametrize("ending", ["safetensors", "npz", "pt"])
def test_truncated_files(tmp_path: Path, ending: str) -> None:
    arrays = initial(infos(TWO), 5)
    path = tmp_path / f"w.{ending}"
    if ending == "safetensors":
        safetensors.numpy.save_file(arrays, path)
    elif ending == "npz":
        np.savez(path, **arrays)  # type: ignore[arg-type]
    else:
        torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 12)):
        path.write_bytes(whole[:length])
        unreadable(path)


def test_files_that_are_not_weights(tmp_path: Path) -> None:
    assert "there is no such file" in unreadable(tmp_path / "absent.pt")
    (tmp_path / "folder.pt").mkdir()
    assert "the folder has no weights" in unreadable(tmp_path / "folder.pt")
    (tmp_path / "w.txt").write_text("hello")
    assert "use one of `.safetensors`" in unreadable(tmp_path / "w.txt")
    (tmp_path / "random.pt").write_bytes(bytes(np.random.default_rng(0).integers(256, size=3000, dtype=np.uint8)))
    assert "the file is corrupt or has another format" in unreadable(tmp_path / "random.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    assert "contains no state dict" in unreadable(tmp_path / "list.pt")
    torch.save({"a": "text"}, tmp_path / "text.pt")
    assert "`a`" in unreadable(tmp_path / "text.pt")
    torch.save({"a": torch.ones(2).to(torch.float8_e4m3fn)}, tmp_path / "eight.pt")
    assert "float8" in unreadable(tmp_path / "eight.pt")
    np.savez(tmp_path / "object.npz", a=np.array([{}], dtype=object))
    unreadable(tmp_path / "object.npz")


def test_nothing_in_a_file_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": Payload()}, tmp_path / "w.pt")
    assert "could run code" in unreadable(tmp_path / "w.pt")
    assert capsys.readouterr().out == ""


def test_mappings_are_taken_as_they_are() -> None:
    found = as_arrays({"a": torch.ones(2, requires_grad=True), "b": [1.0, 2.0], "c": np.float32(3), "d": torch.ones(2).to(torch.bfloat16)})
    assert [found[n].shape for n in "abcd"] == [(2,), (2,), (), (2,)]
    assert found["d"].dtype == ml_dtypes.bfloat16
    with pytest.raises(WeightsError, match="keys are not names"):
        as_arrays({1: np.ones(2)})  # type: ignore[dict-item]
    with pytest.raises(WeightsError, match="`a` is not a tensor"):
        as_arrays({"a": object()})


# --- whether they fit ------------------------------------------------------------------------------------------------------


def mismatch(text: str, arrays: dict[str, Array]) -> WeightsMismatch:
    with pytest.raises(WeightsError) as caught:
        match(infos(text), arrays)
    assert isinstance(caught.value.problem, WeightsMismatch)
    return caught.value.problem


def test_what_fits_is_given_in_order() -> None:
    arrays = initial(infos(TWO))
    found = match(infos(TWO), dict(reversed(arrays.items())))
    assert list(found) == list(arrays)
    assert all(found[name] is array for name, array in arrays.items())


def test_all_that_is_wrong_is_told_at_once() -> None:
    arrays = initial(infos(TWO))
    arrays["a.wieght"] = arrays.pop("a.weight")
    arrays["b.bias"] = np.zeros(3, np.float32)
    arrays["b.weight"] = np.zeros((2, 3), np.int64)
    problem = mismatch(TWO, arrays)
    assert problem.message() == "the weights do not match the model: 1 missing, 1 unexpected, 2 not fitting"
    assert problem.notes() == (
        "missing from the weights: `a.weight`",
        "unexpected in the weights: `a.wieght`",
        "not fitting: `b.weight` holds int64, needed is float32, `b.bias` has the shape [3], needed is [2]",
    )
    assert problem.help() == ("rename `a.wieght` to `a.weight`",)


def test_only_what_has_the_shape_is_meant_by_another_name() -> None:
    arrays = initial(infos(TWO))
    arrays["a.wieght"] = np.zeros((64, 3, 7, 7), np.float32)
    del arrays["a.weight"]
    assert mismatch(TWO, arrays).help() == ()


def test_how_to_do_without_a_few_names() -> None:
    """But not where a name is missing and another one too many: it may be that of the same."""
    arrays = initial(infos(TWO))
    more = arrays | {"aux.w": np.zeros(2, np.float32), "steps": np.zeros((), np.int64)}
    assert mismatch(TWO, more).help() == ("to leave them out: `--ignore aux.w --ignore steps`",)
    fewer = {name: array for name, array in arrays.items() if name != "b.bias"}
    assert mismatch(TWO, fewer).help() == ("to draw them: `--allow-missing b.bias`",)
    assert mismatch(TWO, fewer | {"aux.w": np.zeros(9, np.float32)}).help() == ()
    assert mismatch(TWO, arrays | {f"aux.{n}": np.zeros(2, np.float32) for n in range(5)}).help() == ()


def test_long_lists_are_cut() -> None:
    problem = mismatch("input 4 -> repeat 11 as layers { dense 4 }", {})
    assert problem.message() == "the weights do not match the model: 22 missing"
    assert problem.notes()[0].endswith("`layers.4.bias` and 12 more")


@pytest.mark.parametrize("prefix", ["module.", "model.net."])
def test_a_common_prefix_is_seen(prefix: str) -> None:
    arrays = {prefix + name: array for name, array in initial(infos(TWO)).items()}
    assert mismatch(TWO, arrays).help() == (
        f"remove the prefix `{prefix}`, which every name in the weights has: `--strip-prefix {prefix}`",
    )


def test_a_prefix_of_the_model_is_seen() -> None:
    inner = initial(infos("input 4 -> repeat 2 as layers { dense 4 }"))
    arrays = {name.removeprefix("layers."): array for name, array in inner.items()}
    problem = mismatch("input 4 -> repeat 2 as layers { dense 4 }", arrays)
    assert problem.help() == ("add the prefix `layers.`, which every name in the model has",)


def test_a_prefix_that_fewer_names_need_is_none() -> None:
    """All names of the weights begin with `a.`; two are the model's as they are, and only one would be without it."""
    text = "input 4 -> (dense 4 bias=false as x -> dense 4 bias=false as y -> dense 4 bias=false as z) as a"
    arrays = {name: np.zeros((4, 4), np.float32) for name in ("a.x.weight", "a.y.weight", "a.a.z.weight")}
    problem = mismatch(text, arrays)
    assert problem.missing == ("a.z.weight",)
    assert not any("take it off" in line for line in problem.help())


def test_tied_names() -> None:
    arrays = initial(infos(TIED))
    for absent in ("head.weight", "wte.weight"):
        found = match(infos(TIED), {n: a for n, a in arrays.items() if n != absent})
        assert found["head.weight"] is found["wte.weight"]
    arrays["head.weight"] = arrays["head.weight"] + 1
    assert "differs from `wte.weight`" in mismatch(TIED, arrays).notes()[0]
    assert mismatch(TIED, {}).missing == ("wte.weight",)


def test_tied_names_may_hold_nan() -> None:
    """What training has ruined is one parameter still."""
    arrays = initial(infos(TIED))
    arrays["wte.weight"] = np.full((10, 8), np.nan, np.float32)
    arrays["head.weight"] = arrays["wte.weight"].copy()
    assert np.isnan(match(infos(TIED), arrays)["head.weight"]).all()
    arrays["head.weight"][0, 0] = 0
    assert "differs from `wte.weight`" in mismatch(TIED, arrays).notes()[0]


def test_counters_may_be_missing() -> None:
    arrays = initial(infos(NORM))
    del arrays["bn.num_batches_tracked"]
    assert match(infos(NORM), arrays)["bn.num_batches_tracked"] == 0


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64"])
def test_floats_are_converted(name: str) -> None:
    arrays = {n: as_arrays({n: torch.from_numpy(a).to(getattr(torch, name))})[n] for n, a in initial(infos(TWO)).items()}
    assert {a.dtype.name for a in match(infos(TWO), arrays).values()} == {"float32"}


def test_nothing_is_lost_on_the_way() -> None:
    arrays = initial(infos(TWO))
    arrays["b.bias"] = np.array([1e300, 0])
    assert "out of the range of float32" in mismatch(TWO, arrays).notes()[0]
    arrays["b.bias"] = np.array([np.inf, np.nan])
    assert not np.isfinite(match(infos(TWO), arrays)["b.bias"]).any()
    norm = initial(infos(NORM))
    norm["bn.num_batches_tracked"] = np.array(3, np.int32)
    assert match(infos(NORM), norm)["bn.num_batches_tracked"] == 3


def test_a_module_takes_them() -> None:
    """The names are those of the module, and every one of them is reported."""
    model = netc.compile("block b { dense 4 -> batch_norm relu }\ninput 4 -> repeat 2 as layers { b } -> dense 2 as head")
    arrays = match(model.parameters, initial(model.parameters, 1))
    assert list(model.module(weights=arrays).state_dict()) == list(arrays)
