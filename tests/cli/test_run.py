from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

import netc as api
from netc.inputs import random_inputs

Netc = Callable[..., Any]
TINY = "x = input 3\nx -> dense 2 sigmoid"
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_on_arrays(netc: Netc, folder: Path) -> None:
    np.save("x.npy", X)
    done = netc("run", "-e", TINY, "--input", "x=x.npy", "--seed", 2, "-o", "out.npz")
    assert done.exit_code == 0
    assert done.stdout.startswith("output: float32 [2, 2]\n[[")
    with np.load(folder / "out.npz") as kept:
        assert np.array_equal(kept["output"], api.compile(TINY).session(seed=2)(X))


def test_results_of_drawn_parameters_are_not_taken_for_those_of_trained_ones(netc: Netc) -> None:
    np.save("x.npy", X)
    given = ("run", "-e", TINY, "--input", "x=x.npy")
    assert netc(*given).stderr == "note: the parameters are random numbers, drawn with seed 0; --weights gives trained ones\n"
    assert netc(*given, "--seed", 0).stderr == ""
    assert netc("run", "-e", "x = input 3\nx -> sigmoid", "--input", "x=x.npy").stderr == ""
    assert netc("run", "-e", TINY, "--random").stderr == ""


def test_a_table_is_no_array(netc: Netc, folder: Path) -> None:
    (folder / "x.csv").write_text("a,b,c\n1,2,3\n")
    done = netc("run", "-e", TINY, "--input", "x=x.csv")
    assert done.exit_code == 1
    assert 'help: NumPy writes such a file: `numpy.save("x.npy", rows)`' in done.stderr


def test_an_onnx_model(netc: Netc) -> None:
    np.save("x.npy", X)
    netc("compile", "-e", TINY, "--seed", 2, "-o", "m.onnx")
    from_model = netc("run", "m.onnx", "--input", "x=x.npy")
    assert from_model.exit_code == 0
    assert from_model.stdout == netc("run", "-e", TINY, "--input", "x=x.npy", "--seed", 2).stdout


def test_random(netc: Netc) -> None:
    text = "x = input [T] int64\nmask = input [T, T] bool batch=false\ny = x -> embedding 5 2\nout y, mask"
    done = netc("run", "-e", text, "--random")
    assert done.exit_code == 0
    assert done.stdout == netc("run", "-e", text, "--random").stdout != netc("run", "-e", text, "--random", "--seed", 1).stdout
    assert "y: float32 [1, 8, 2]" in done.stdout
    assert "y: float32 [4, 3, 2]" in netc("run", "-e", text, "--random", "--dim", "T=3", "--dim", "N=4").stdout


def test_random_sizes_heed_every_where(netc: Netc) -> None:
    text = "input 1xHxW where H % 32 == 0, W == 2 * H -> max_pool 32"
    done = netc("run", "-e", text, "--random")
    assert done.exit_code == 0
    assert done.stdout.startswith("output: float32 [1, 1, 1, 2]")


@pytest.mark.parametrize(
    "condition", ["S > T", "S >= T + 3", "T * S == 60", "T != S", "(T + S) % 5 == 0", "S % T == 2", "T * T + S == 13", "S > 3 * T", "T < 3"]
)
@pytest.mark.sample(3)
def test_random_sizes_hold(netc: Netc, condition: str) -> None:
    done = netc("run", "-e", f"input [T, S] where {condition} -> relu", "--random")
    sizes = re.match(r"output: float32 \[1, (\d+), (\d+)\]", done.stdout)
    assert sizes is not None, done.stderr
    assert eval(condition, {"T": int(sizes[1]), "S": int(sizes[2])})


def test_random_numbers_of_all_types_differ(netc: Netc, folder: Path) -> None:
    """Integers are 0 or 1, which any vocabulary has."""
    text = "i = input [64] int64\nb = input [64] bool\nout i -> identity, b -> identity"
    assert netc("run", "-e", text, "--random", "-o", "o.npz").exit_code == 0
    with np.load(folder / "o.npz") as made:
        assert [set(made[name].ravel().tolist()) for name in made] == [{0, 1}, {False, True}]


def test_random_without_sizes(netc: Netc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_inputs, "_MAX_SIZE", 20)
    monkeypatch.setattr(random_inputs, "_MAX_TRIES", 100)
    done = netc("run", "-e", "input [T, S] where T * S == 5000 * T + 1 -> relu", "--random")
    assert done.exit_code == 1
    assert "`--dim NAME=SIZE`" in done.stderr


def test_random_for_an_onnx_model(netc: Netc) -> None:
    netc("compile", "-e", "input [T, 3] -> relu", "-o", "m.onnx")
    assert netc("run", "m.onnx", "--random", "--dim", "T=7").stdout.startswith("output: float32 [1, 7, 3]")
    refused = netc("run", "m.onnx", "--random", "--dim", "S=7")
    assert (refused.exit_code, refused.stderr.count("`T`")) == (1, 1)


def test_an_output_may_have_any_name(netc: Netc, folder: Path) -> None:
    assert netc("run", "-e", "file = input 3 -> relu\nout file", "--random", "-o", "o.npz").exit_code == 0
    with np.load(folder / "o.npz") as kept:
        assert list(kept) == ["file"]


@pytest.fixture
def arrays(folder: Path) -> None:
    np.save("x.npy", X)
    np.save("wide.npy", np.zeros((2, 4), np.float32))
    np.save("flat.npy", np.zeros(3, np.float32))
    np.save("words.npy", np.array(["a"]))
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez("several.npz", a=X)
    (folder / "text.npy").write_text("no array")
    (folder / "empty.npy").write_bytes(b"")
    (folder / "cut.npy").write_bytes((folder / "x.npy").read_bytes()[:-4])


@pytest.mark.usefixtures("arrays")
@pytest.mark.parametrize("name", ["wide", "flat", "words", "objects", "text", "empty", "cut", "none"])
def test_arrays_that_will_not_do(netc: Netc, name: str) -> None:
    done = netc("run", "-e", TINY, "--input", f"x={name}.npy")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.usefixtures("arrays")
def test_inputs_that_are_not_the_models(netc: Netc) -> None:
    assert netc("run", "-e", TINY, "--input", "y=x.npy", "--random").exit_code == 1
    assert netc("run", "-e", TINY, "--input", "x=several.npz").exit_code == 1
    needed = netc("run", "-e", TINY)
    assert needed.exit_code == 2
    assert "`x`: float32 [N, 3]" in needed.stderr


def test_models_that_will_not_do(netc: Netc, folder: Path) -> None:
    (folder / "text.onnx").write_text("input 3 -> relu")
    (folder / "empty.onnx").write_bytes(b"")
    for path in ("text.onnx", "empty.onnx", "none.onnx", "none.net"):
        done = netc("run", path, "--random")
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith("error")


def test_what_fails_while_it_runs(netc: Netc) -> None:
    np.save("x.npy", np.array([[9]]))
    done = netc("run", "-e", "x = input [1] int64\nx -> embedding 5 2", "--input", "x=x.npy")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: `embedding1` fails in ONNX Runtime: indices element out of data bounds, idx=9 ")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA")
def test_cuda_is_missing(netc: Netc) -> None:
    done = netc("run", "-e", TINY, "--random", "--device", "cuda")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "CUDA" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--input", "x"],
        ["--input", "=x.npy"],
        ["--input", "x="],
        ["--input", "x=a", "--input", "x=b"],
        ["--random", "-o", "out.txt"],
        ["--device", "tpu"],
        ["--random", "--seed", "-3"],
    ],
)
def test_wrong_usage(netc: Netc, folder: Path, words: list[str]) -> None:
    done = netc("run", "-e", TINY, *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert list(folder.iterdir()) == []


def test_an_onnx_model_is_what_it_is(netc: Netc) -> None:
    assert netc("run", "m.onnx", "--set", "w=1").exit_code == 2
    assert netc("run", "m.onnx", "--weights", "w.npz").exit_code == 2


def test_an_input_of_another_name(netc: Netc) -> None:
    np.save("x.npy", np.ones((1, 3), np.float32))
    done = netc("run", "-e", "x = input 3\nx -> dense 2", "--input", "y=x.npy")
    assert done.exit_code == 1
    assert "the model has no input `y`: its inputs are `x`" in done.stderr


HOSTILE = {
    "archive": b"PK\x03\x04" + bytes(40),
    "pickle": b"\x80\x04K\x01.",
    "minus": b"\x93NUMPY\x01\x00\xe0\x0b{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"-" * 3000 + b"1,)}",
    "large": b"\x93NUMPY\x01\x00\xd0\x01{'descr': '<f4', 'fortran_order': False, 'shape': (1" + b"0" * 400 + b",)}",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_arrays(netc: Netc, folder: Path, content: bytes) -> None:
    (folder / "x.npy").write_bytes(content)
    done = netc("run", "-e", TINY, "--input", "x=x.npy")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: cannot read `x.npy`: it is not a .npy file of numbers")


def identity(name: str, output: str, element: int = TensorProto.FLOAT) -> bytes:
    ports = [helper.make_tensor_value_info(n, element, [2]) for n in (name, output)]
    graph = helper.make_graph([helper.make_node("Identity", [name], [output])], "g", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    content: bytes = model.SerializeToString()
    return content


def test_types_that_netc_does_not_have(netc: Netc, folder: Path) -> None:
    (folder / "m.onnx").write_bytes(identity("x", "y", TensorProto.STRING))
    done = netc("run", "m.onnx", "--random")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: netc cannot run `m.onnx`: `x` is of the type `tensor(string)`, which netc does not have\n"


def test_names_from_a_model_are_only_names(netc: Netc, folder: Path) -> None:
    """They neither control the terminal nor are paths in the file of results."""
    (folder / "m.onnx").write_bytes(identity("\x1b[31mx", "../../\x1b[31mevil"))
    done = netc("run", "m.onnx", "--random", "-o", "o.npz")
    assert done.exit_code == 0
    assert done.stdout.startswith("../../\\u{1b}[31mevil: float32 [2]")
    with np.load(folder / "o.npz") as kept:
        assert list(kept) == ["..%2F..%2F%1B[31mevil"]
    for words in ([], ["--input", "y=o.npy"], ["--dim", "T=3"]):
        np.save("o.npy", np.ones(2, np.float32))
        assert "\x1b" not in netc("run", "m.onnx", *words).stderr
