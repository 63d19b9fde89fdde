"""The proof of imported ONNX files: it names the stage that differs, and knows rounding errors of the file from errors of the import."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from frontends.onnx_models import model, node
from frontends.onnx_parity import session
from onnx import numpy_helper

from netc.compiler.frontends.imported_model import ImportFailed
from netc.importing import onnx_origin as onnx_origin_module
from netc.importing import onnx_process as onnx_process_module
from netc.importing import onnx_worker
from netc.importing.float64_reference import evaluate_float64
from netc.importing.onnx_origin import make_onnx_origin
from netc.importing.onnx_process import CannotLoad, CannotRun, Crashed, OnnxProcess
from netc.importing.output_judge import NotProved
from netc.importing.run_import import ImportedSpec, import_spec

WEIGHT = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)


def chain() -> onnx.ModelProto:
    nodes = [node("MatMul", ["x", "first.weight"], ["a"], name="/first/MatMul"), node("Relu", ["a"], ["b"])]
    nodes += [node("MatMul", ["b", "second.weight"], ["c"], name="/second/MatMul"), node("Tanh", ["c"], ["d"])]
    nodes += [node("MatMul", ["d", "third.weight"], ["y"], name="/third/MatMul")]
    return model(nodes, {"x": ["N", 64]}, ["y"], {f"{name}.weight": WEIGHT / 8 for name in ("first", "second", "third")})


def shifted(mean: float) -> onnx.ModelProto:
    """The variance as the mean of squares without the square of the mean, of which float32 keeps little where the mean is large."""
    nodes = [node("MatMul", ["x", "dense.weight"], ["w"], name="/dense/MatMul"), node("Add", ["w", "far"], ["h"])]
    nodes += [node("ReduceMean", ["h"], ["m"], axes=[1]), node("Mul", ["h", "h"], ["s"]), node("ReduceMean", ["s"], ["sm"], axes=[1])]
    nodes += [node("Mul", ["m", "m"], ["mm"]), node("Sub", ["sm", "mm"], ["y"])]
    return model(nodes, {"x": ["N", 64]}, ["y"], {"dense.weight": WEIGHT, "far": np.float32(mean)})


def proved(given: onnx.ModelProto, folder: Path, wrong: str = "", factor: float = 1.01) -> ImportedSpec:
    """Imports it, with a weight that is not the file's."""
    path = folder / "model.onnx"
    path.write_bytes(given.SerializeToString())
    origin = make_onnx_origin(str(path), {})
    if wrong:
        weights: Any = origin.imported.weights
        weights[wrong] = weights[wrong] * np.float32(factor)
    return import_spec(origin)


@pytest.mark.parametrize("stage", ["first", "second", "third"])
def test_the_first_stage_that_differs(tmp_path: Path, stage: str) -> None:
    with pytest.raises(NotProved) as caught:
        proved(chain(), tmp_path, f"{stage}.weight")
    assert caught.value.what.endswith(f"the first stage that differs is `{stage}`")


def test_a_file_whose_rounding_errors_are_large(tmp_path: Path) -> None:
    """Its own results are farther from float64 than the limit, and so are PyTorch's."""
    made = proved(shifted(300.0), tmp_path)
    assert made.proof is not None
    assert 1e-5 < made.proof.inexact < 1e-2
    assert "compared in float64" in made.format_report()


def test_an_error_is_no_rounding_error(tmp_path: Path) -> None:
    with pytest.raises(NotProved) as caught:
        proved(shifted(300.0), tmp_path, "dense.weight", 1.5)
    assert "from float64; the original by" in caught.value.what


def test_a_file_without_a_right_digit_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotProved):
        proved(shifted(1e5), tmp_path)


def test_the_indices_of_an_unpooling_are_drawn_without_repeats(tmp_path: Path) -> None:
    nodes = [node("MaxUnpool", ["x", "index"], ["y"], kernel_shape=[2, 2], strides=[2, 2])]
    given = model(nodes, {"x": [1, 1, 6, 6], "index": [1, 1, 6, 6]}, ["y"], types={"index": onnx.TensorProto.INT64})
    spec = proved(given, tmp_path)
    assert spec.proof is not None
    x, index = torch.rand(1, 1, 6, 6), torch.randperm(144)[:36].reshape(1, 1, 6, 6)
    result = spec.model.module()(x, index)
    torch.testing.assert_close(result, torch.nn.functional.max_unpool2d(x, index, 2))


@pytest.mark.parametrize("opset", [9, 15])
def test_float64_is_what_pytorch_computes_in_float64(opset: int) -> None:
    """With the two operators of onnx that are mended: a normalization of old files, and a pool of one axis."""
    generator = np.random.default_rng(0)
    numbers = {name: generator.random(4).astype(np.float32) + 0.5 for name in ("scale", "bias", "mean", "var")}
    nodes = [node("BatchNormalization", ["x", *numbers], ["n"], epsilon=1e-3), node("GlobalMaxPool", ["n"], ["y"])]
    x = generator.standard_normal((2, 4, 9)).astype(np.float32)
    (found,) = evaluate_float64(model(nodes, {"x": ["N", 4, "T"]}, ["y"], numbers, opset=opset), {"x": x})
    scale, bias, mean, var = (torch.from_numpy(a.astype(np.float64)) for a in numbers.values())
    wanted = torch.nn.functional.batch_norm(torch.from_numpy(x.astype(np.float64)), mean, var, scale, bias, eps=float(np.float32(1e-3)))
    np.testing.assert_allclose(found, wanted.amax(2, keepdim=True).numpy(), rtol=1e-12)
    assert found.dtype == np.float64


def test_constants_and_casts_in_nodes_are_evaluated_in_float64() -> None:
    third = numpy_helper.from_array(np.float32(1 / 3))
    nodes = [node("Constant", [], ["a"], value=third), node("Constant", [], ["b"], value_float=0.1), node("Cast", ["i"], ["f"], to=1)]
    given = model([*nodes, node("Mul", ["a", "b"], ["c"]), node("Mul", ["c", "f"], ["y"])], {"i": ["N"]}, ["y"], types={"i": 7})
    (found,) = evaluate_float64(given, {"i": np.array([3, 7])})
    assert found.tolist() == [float(np.float32(1 / 3)) * float(np.float32(0.1)) * i for i in (3, 7)]


def test_numbers_that_are_half_a_digit_off_move_the_result_as_rounding_errors_do() -> None:
    """A difference of two products that are almost the same loses digits; an integer has none to lose."""
    x = np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32)
    nodes = [node("Mul", ["x", "a"], ["p"]), node("Mul", ["x", "b"], ["q"]), node("Sub", ["p", "q"], ["y"])]
    close = model(nodes, {"x": ["N", 64]}, ["y"], {"a": WEIGHT[0], "b": WEIGHT[0] * np.float32(1.0001)})
    for given, least, most in ((close, 1e-5, 1e-2), (chain(), 1e-9, 1e-6)):
        exact, moved = (evaluate_float64(given, {"x": x}, seed)[0] for seed in (None, 0))
        assert least < np.abs(moved - exact).max() / np.abs(exact).max() < most
    whole = model([node("Mul", ["x", "three"], ["y"])], {"x": ["N", 64]}, ["y"], {"three": np.float32(3)})
    (found,) = evaluate_float64(whole, {"x": np.round(x)}, seed=0)
    assert np.array_equal(found, np.round(x) * 3)


# --- files that ONNX Runtime cannot run ---------------------------------------------------------------------------------------


def relu(**of_model: object) -> onnx.ModelProto:
    given = model([node("Relu", ["x"], ["y"], name="relu")], {"x": ["N", 3]}, ["y"])
    for name, value in of_model.items():
        setattr(given, name, value)
    return given


def test_a_file_that_is_too_new_for_onnx_runtime_is_run_by_the_reference_implementation(tmp_path: Path) -> None:
    """Its version of the format is one that onnx knows, and ONNX Runtime does not yet."""
    given = relu(ir_version=onnx.IR_VERSION)
    given.opset_import[0].version = onnx.defs.onnx_opset_version()
    with pytest.raises(Exception, match=r"opset|IR version"):
        session(given)
    made = proved(given, tmp_path)
    assert "reference implementation of onnx" in made.format_report()
    with pytest.raises(NotProved):
        proved(with_opset(chain(), onnx.defs.onnx_opset_version()), tmp_path, "second.weight")


def with_opset(given: onnx.ModelProto, version: int) -> onnx.ModelProto:
    given.opset_import[0].version = version
    return given


@pytest.mark.parametrize("what", ["names", "inputs"])
def test_a_file_that_is_no_onnx_is_refused_with_the_reason(tmp_path: Path, what: str) -> None:
    given = relu()
    if what == "names":
        given.graph.node.append(node("Neg", ["x"], ["y"]))
    else:
        given.graph.node[0].input.extend(["x", "x"])
    with pytest.raises(ImportFailed) as caught:
        proved(given, tmp_path)
    assert "`--no-verify`" in str(caught.value)


def test_the_end_of_the_process_of_onnx_runtime_is_not_the_end_of_netc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ending(OnnxProcess):
        def run_model(self, *given: Any, **named: Any) -> Any:
            os.killpg(self._process.pid, signal.SIGKILL)  # the worker, and the process of the model
            self._process.wait()
            return super().run_model(*given, **named)

    with pytest.raises(Crashed, match="SIGKILL"):
        Ending(relu().SerializeToString()).run_model({"x": np.zeros((2, 3), np.float32)})
    monkeypatch.setattr(onnx_origin_module, "OnnxProcess", Ending)
    made = proved(relu(), tmp_path)
    assert made.proof is not None
    assert "ended with SIGKILL" in made.proof.judge
    assert set(made.proof.differences) == {"PyTorch"}


EINSUM = model([node("Einsum", ["x", "y"], ["z"], equation="bid,bjd->bij")], {"x": ["N", "T", 3], "y": ["N", "S", 3]}, ["z"], {})
"""Without samples, ONNX Runtime's kernel divides by zero."""


def test_a_crash_is_explained_and_the_next_model_runs() -> None:
    process = OnnxProcess(EINSUM.SerializeToString())
    x, y = np.random.default_rng(0).standard_normal((2, 2, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(process.run_model({"x": x, "y": y})[0], x @ y.transpose(0, 2, 1), rtol=1e-4)
    with pytest.raises(Crashed, match=r"its process ended with SIG(FPE|SEGV)"):
        process.run_model({"x": x[:0], "y": y[:0]})
    assert OnnxProcess(relu().SerializeToString()).run_model({"x": -abs(x[0])})[0].tolist() == [[0, 0, 0]] * 4


@pytest.mark.skipif(not onnx_worker.FORKS, reason="a worker runs one model")
def test_a_worker_runs_one_model_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models that are there at the same time have two workers. A file that cannot be loaded does not end its worker."""
    monkeypatch.setattr(onnx_process_module, "_FREE", {})
    x = np.array([[-1, 2, 3]], np.float32)
    first, second = OnnxProcess(relu().SerializeToString()), OnnxProcess(chain().SerializeToString())
    workers = first._process.pid, second._process.pid
    assert workers[0] != workers[1]
    assert first.run_model({"x": x})[0].tolist() == [[0, 2, 3]]
    del first
    with suppress(CannotLoad):
        OnnxProcess(b"no model")
    third = OnnxProcess(model([node("Neg", ["x"], ["y"])], {"x": ["N", 3]}, ["y"]).SerializeToString())
    assert third._process.pid == workers[0]
    assert third.run_model({"x": x})[0].tolist() == [[1, -2, -3]]
    assert second.run_model({"x": WEIGHT[:2]})[0].shape == (2, 64)


def test_arrays_of_a_process_are_those_of_a_session() -> None:
    """All element types that have no text, sizes 0, and an output alone."""
    for dtype in (np.float32, np.float64, np.float16, np.int8, np.uint64, np.bool_):
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        given = model([node("Identity", ["x"], ["y"]), node("Transpose", ["x"], ["z"])], {"x": ["N", 3]}, ["y", "z"], types={"x": kind})
        for info in given.graph.output:
            info.type.tensor_type.elem_type = kind
        process = OnnxProcess(given.SerializeToString())
        for size in (2, 0):
            x = (np.arange(size * 3).reshape(size, 3) % 2).astype(dtype)
            y, z = process.run_model({"x": x})
            assert (y.dtype, y.tolist()) == (x.dtype, x.tolist())
            assert (z.shape, z.tolist()) == ((3, size), x.T.tolist())
            assert process.run_model({"x": x}, ["z"])[0].tolist() == x.T.tolist()
        with pytest.raises(CannotRun):
            process.run_model({"x": np.zeros((2, 7), dtype)})


@pytest.mark.parametrize("axis", [None, 1], ids=["one scale", "a scale for each column"])
def test_a_product_with_quantized_weights(tmp_path: Path, axis: int | None) -> None:
    """ONNX Runtime makes a product of integers of it, unless it must not, and rounds what is multiplied."""
    generator = np.random.default_rng(0)
    weight = generator.integers(-128, 128, (64, 8)).astype(np.int8)
    scale = np.float32(0.01) if axis is None else (generator.random(8) * 0.01 + 0.001).astype(np.float32)
    nodes = [node("DequantizeLinear", ["q", "s"], ["w"], **({} if axis is None else {"axis": axis})), node("MatMul", ["x", "w"], ["y"])]
    path = tmp_path / "model.onnx"
    path.write_bytes(model(nodes, {"x": ["N", 64]}, ["y"], {"q": weight, "s": scale}).SerializeToString())
    made = import_spec(make_onnx_origin(str(path), {}, dequantize=True))
    assert made.proof is not None
    assert max(made.proof.differences.values()) < 1e-6


@pytest.mark.skipif(not onnx_worker.FORKS, reason="a worker runs one model")
def test_what_a_library_prints_is_no_answer() -> None:
    """Code in C writes to the file of the standard output itself, and Python to `sys.stdout`."""
    code = """import os
from netc.importing import onnx_worker
def serve_model(source, optimize, requests, answers):
    os.write(1, b"noise\\n")
    print("more noise", flush=True)
    onnx_worker.write_message(answers, {"source": source, "optimize": optimize})
onnx_worker._serve_model = serve_model
onnx_worker.main()"""
    sent = json.dumps({"path": "m.onnx", "optimize": True}) + "\n"
    done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, text=True, check=True)
    assert list(map(json.loads, done.stdout.splitlines())) == [{"source": "m.onnx", "optimize": True}, onnx_worker.END]
    assert done.stderr == "noise\nmore noise\n"
