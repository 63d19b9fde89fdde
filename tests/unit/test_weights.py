"""Files of weights, and whether weights fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

import netc
from netc.compiler.analysis.state_dict import ParameterInfo, collect_parameters
from netc.compiler.errors.weight_errors import WeightsMismatch, WeightsUnreadable
from netc.compiler.types.numpy_types import Array
from netc.compiler.weights.match_weights import WeightsError, draw_initial_values, load_arrays, match_arrays, to_arrays


def infos(text: str) -> dict[str, ParameterInfo]:
    return collect_parameters(netc.compile(text).program)


TWO = "input 4 -> dense 3 as a -> dense 2 as b"
TIED = "tokens = input [T] int64; tokens -> embedding 10 8 as wte -> dense 10 bias=false tie=wte as head"
NORM = "input 4 -> batch_norm as bn"


# --- files -----------------------------------------------------------------------------------------------------------------


def test_formats_give_the_same(tmp_path: Path) -> None:
    arrays = draw_initial_values(infos(TWO), 5)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    safetensors.numpy.save_file(arrays, tmp_path / "w.safetensors")
    np.savez(tmp_path / "w.npz", **arrays)  # type: ignore[arg-type]
    torch.save(tensors, tmp_path / "w.pt")
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "w.pth")
    for ending in ("safetensors", "npz", "pt", "pth"):
        found = load_arrays(tmp_path / f"w.{ending}")
        assert found.keys() == arrays.keys()
        assert all(np.array_equal(found[name], array) for name, array in arrays.items())


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_bfloat16_comes_through(tmp_path: Path, ending: str) -> None:
    tensor = torch.linspace(-3, 3, 7).to(torch.bfloat16)
    path = tmp_path / f"w.{ending}"
    save = safetensors.torch.save_file if ending == "safetensors" else torch.save
    save({"a": tensor}, path)
    found = load_arrays(path)["a"]
    assert found.dtype == ml_dtypes.bfloat16
    assert found.astype(np.float32).tolist() == tensor.float().tolist()


class Payload:
    """What no file of weights may bring to life."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("a file of weights ran this",))


def unreadable(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load_arrays(path)
    problem = caught.value.problem
    assert isinstance(problem, WeightsUnreadable)
    assert str(path) in problem.format_message()
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
    arrays = draw_initial_values(infos(TWO), 5)
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
    found = to_arrays({"a": torch.ones(2, requires_grad=True), "b": [1.0, 2.0], "c": np.float32(3), "d": torch.ones(2).to(torch.bfloat16)})
    assert [found[n].shape for n in "abcd"] == [(2,), (2,), (), (2,)]
    assert found["d"].dtype == ml_dtypes.bfloat16
    with pytest.raises(WeightsError, match="keys are not names"):
        to_arrays({1: np.ones(2)})  # type: ignore[dict-item]
    with pytest.raises(WeightsError, match="`a` is not a tensor"):
        to_arrays({"a": object()})


# --- whether they fit ------------------------------------------------------------------------------------------------------


def mismatch(text: str, arrays: dict[str, Array]) -> WeightsMismatch:
    with pytest.raises(WeightsError) as caught:
        match_arrays(infos(text), arrays)
    assert isinstance(caught.value.problem, WeightsMismatch)
    return caught.value.problem


def test_what_fits_is_given_in_order() -> None:
    arrays = draw_initial_values(infos(TWO))
    found = match_arrays(infos(TWO), dict(reversed(arrays.items())))
    assert list(found) == list(arrays)
    assert all(found[name] is array for name, array in arrays.items())


def test_all_that_is_wrong_is_told_at_once() -> None:
    arrays = draw_initial_values(infos(TWO))
    arrays["a.wieght"] = arrays.pop("a.weight")
    arrays["b.bias"] = np.zeros(3, np.float32)
    arrays["b.weight"] = np.zeros((2, 3), np.int64)
    problem = mismatch(TWO, arrays)
    assert problem.format_message() == "the weights do not match the model: 1 missing, 1 unexpected, 2 mismatched"
    assert problem.format_notes() == (
        "missing from the weights: `a.weight`",
        "unexpected in the weights: `a.wieght`",
        "mismatched: `b.weight` holds int64 instead of float32, `b.bias` has the shape [3] instead of [2]",
    )
    assert problem.format_help() == ("rename `a.wieght` to `a.weight`",)


def test_only_what_has_the_shape_is_meant_by_another_name() -> None:
    arrays = draw_initial_values(infos(TWO))
    arrays["a.wieght"] = np.zeros((64, 3, 7, 7), np.float32)
    del arrays["a.weight"]
    assert mismatch(TWO, arrays).format_help() == ()


def test_how_to_do_without_a_few_names() -> None:
    """But not where a name is missing and another one too many: both may name the same tensor."""
    arrays = draw_initial_values(infos(TWO))
    more = arrays | {"aux.w": np.zeros(2, np.float32), "steps": np.zeros((), np.int64)}
    assert mismatch(TWO, more).format_help() == ("to leave them out: `--ignore aux.w --ignore steps`",)
    fewer = {name: array for name, array in arrays.items() if name != "b.bias"}
    assert mismatch(TWO, fewer).format_help() == ("to draw them: `--allow-missing b.bias`",)
    assert mismatch(TWO, fewer | {"aux.w": np.zeros(9, np.float32)}).format_help() == ()
    assert mismatch(TWO, arrays | {f"aux.{n}": np.zeros(2, np.float32) for n in range(5)}).format_help() == ()


def test_long_lists_are_cut() -> None:
    problem = mismatch("input 4 -> repeat 11 as layers { dense 4 }", {})
    assert problem.format_message() == "the weights do not match the model: 22 missing"
    assert problem.format_notes()[0].endswith("`layers.4.bias` and 12 more")


@pytest.mark.parametrize("prefix", ["module.", "model.net."])
def test_a_common_prefix_is_seen(prefix: str) -> None:
    arrays = {prefix + name: array for name, array in draw_initial_values(infos(TWO)).items()}
    assert mismatch(TWO, arrays).format_help() == (
        f"remove the prefix `{prefix}`, which every name in the weights has: `--strip-prefix {prefix}`",
    )


def test_a_prefix_of_the_model_is_seen() -> None:
    inner = draw_initial_values(infos("input 4 -> repeat 2 as layers { dense 4 }"))
    arrays = {name.removeprefix("layers."): array for name, array in inner.items()}
    problem = mismatch("input 4 -> repeat 2 as layers { dense 4 }", arrays)
    assert problem.format_help() == ("add the prefix `layers.`, which every name in the model has",)


def test_a_prefix_that_fewer_names_need_is_none() -> None:
    """All names of the weights begin with `a.`; two are the model's as they are, and only one would be without it."""
    text = "input 4 -> (dense 4 bias=false as x -> dense 4 bias=false as y -> dense 4 bias=false as z) as a"
    arrays = {name: np.zeros((4, 4), np.float32) for name in ("a.x.weight", "a.y.weight", "a.a.z.weight")}
    problem = mismatch(text, arrays)
    assert problem.missing == ("a.z.weight",)
    assert not any("take it off" in line for line in problem.format_help())


def test_tied_names() -> None:
    arrays = draw_initial_values(infos(TIED))
    for absent in ("head.weight", "wte.weight"):
        found = match_arrays(infos(TIED), {n: a for n, a in arrays.items() if n != absent})
        assert found["head.weight"] is found["wte.weight"]
    arrays["head.weight"] = arrays["head.weight"] + 1
    assert "differs from `wte.weight`" in mismatch(TIED, arrays).format_notes()[0]
    assert mismatch(TIED, {}).missing == ("wte.weight",)


def test_tied_names_may_hold_nan() -> None:
    """What training has ruined is one parameter still."""
    arrays = draw_initial_values(infos(TIED))
    arrays["wte.weight"] = np.full((10, 8), np.nan, np.float32)
    arrays["head.weight"] = arrays["wte.weight"].copy()
    assert np.isnan(match_arrays(infos(TIED), arrays)["head.weight"]).all()
    arrays["head.weight"][0, 0] = 0
    assert "differs from `wte.weight`" in mismatch(TIED, arrays).format_notes()[0]


def test_counters_may_be_missing() -> None:
    arrays = draw_initial_values(infos(NORM))
    del arrays["bn.num_batches_tracked"]
    assert match_arrays(infos(NORM), arrays)["bn.num_batches_tracked"] == 0


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64"])
def test_floats_are_converted(name: str) -> None:
    arrays = {n: to_arrays({n: torch.from_numpy(a).to(getattr(torch, name))})[n] for n, a in draw_initial_values(infos(TWO)).items()}
    assert {a.dtype.name for a in match_arrays(infos(TWO), arrays).values()} == {"float32"}


def test_nothing_is_lost_on_the_way() -> None:
    arrays = draw_initial_values(infos(TWO))
    arrays["b.bias"] = np.array([1e300, 0])
    assert "out of the range of float32" in mismatch(TWO, arrays).format_notes()[0]
    arrays["b.bias"] = np.array([np.inf, np.nan])
    assert not np.isfinite(match_arrays(infos(TWO), arrays)["b.bias"]).any()
    norm = draw_initial_values(infos(NORM))
    norm["bn.num_batches_tracked"] = np.array(3, np.int32)
    assert match_arrays(infos(NORM), norm)["bn.num_batches_tracked"] == 3


def test_a_module_takes_them() -> None:
    """The names are the module's, and every one of them is reported."""
    model = netc.compile("block b { dense 4 -> batch_norm relu }\ninput 4 -> repeat 2 as layers { b } -> dense 2 as head")
    arrays = match_arrays(model.parameters, draw_initial_values(model.parameters, 1))
    assert list(model.module(weights=arrays).state_dict()) == list(arrays)
