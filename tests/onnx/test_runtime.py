"""Models run by ONNX Runtime: what goes in, what comes out, and on which device."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

import netc
from netc.compiler.backends.onnx.execution_providers import DeviceUnavailable, check_device_used
from netc.compiler.backends.onnx.runtime import OnnxSession, RunFailed


def session(text: str) -> OnnxSession:
    return OnnxSession(netc.compile(text).onnx())


SUM = "a = input [T]; b = input [T]; a + b"
CAST = "x = input 2 {}; x -> cast float32"
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def refused(run: OnnxSession, text: str, *arrays: object, **named: object) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        run(*arrays, **named)


def test_by_position_and_by_name() -> None:
    run = session("a = input 3; b = input 3; a - b")
    for found in (run(X, 2 * X), run(X, b=2 * X), run(b=2 * X, a=X)):
        assert isinstance(found, np.ndarray)
        assert found.tolist() == (-X).tolist()


def test_several_outputs_come_by_name() -> None:
    found = session("x = input 3; a = x -> relu; b = x * 2; out b, a")(-X)
    assert isinstance(found, dict)
    assert list(found) == ["b", "a"]
    assert found["b"].tolist() == (-2 * X).tolist()


def test_what_the_ports_say() -> None:
    run = session("x = input [T] int64; y = input 3xH; out y, x")
    assert [str(port) for port in run.inputs.values()] == ["int64 [N, T]", "float32 [N, 3, H]"]


def test_names_and_counts() -> None:
    run = session(SUM)
    refused(run, "the model needs `b` too: its inputs are `a`, `b`", X)
    refused(run, "the model has 2 inputs, found 3", X, X, X)
    refused(run, "the model has no input `c`: its inputs are `a`, `b`", X, c=X)
    refused(run, "the input `a` is given twice", X, X, a=X)


def test_shapes() -> None:
    run = session(SUM)
    refused(run, "`T` is 3 in the input `a`, but 2 in `b`", X, X[:, :2])
    refused(run, "`N` is 2 in the input `a`, but 1 in `b`", X, X[:1])
    refused(run, "the input `a` is float32 [N, T], found the shape [6]", X.reshape(6), X)
    refused(session("input 4 -> relu"), "the input `input` is float32 [N, 4], found the shape [2, 3]", X)


@pytest.mark.parametrize(
    ("type_", "given"),
    [
        ("float32", np.ones((1, 2), np.float64)),
        ("float32", np.ones((1, 2), np.float16)),
        ("float32", torch.ones(1, 2, dtype=torch.bfloat16)),
        ("float32", torch.ones(1, 2, requires_grad=True)),
        ("float32", [[1.0, 1.0]]),
        ("float32", [[1, 1]]),
        ("float32", np.ones((1, 2), np.int64)),
        ("float16", np.ones((1, 2), np.float32)),
        ("float64", np.ones((1, 2), np.float32)),
        ("bfloat16", np.ones((1, 2), np.float64)),
        ("int64", [[1, 1]]),
        ("int64", np.ones((1, 2), np.int32)),
        ("int32", np.ones((1, 2), np.int64)),
        ("uint8", np.ones((1, 2), np.int64)),
        ("bool", [[True, True]]),
    ],
)
def test_what_is_converted(type_: str, given: object) -> None:
    assert session(CAST.format(type_))(given).tolist() == [[1, 1]]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("type_", "given", "text"),
    [
        ("int64", np.ones((1, 2), np.float32), "is int64 [N, 2], found float32"),
        ("int64", [[True, False]], "is int64 [N, 2], found bool"),
        ("bool", [[1, 0]], "is bool [N, 2], found int64"),
        ("float32", [[True, False]], "found bool"),
        ("int32", [[2**40, 0]], "is int32, which cannot hold all the int64 given"),
        ("uint8", [[-1, 0]], "is uint8, which cannot hold all the int64 given"),
        ("float32", [[2**24 + 1, 0]], "is float32, which cannot hold all the int64 given"),
        ("float16", [[1.0, 1e6]], "is float16, in which 1e+06 would be infinite"),
        ("float32", np.array([[-1e300, np.inf]]), "is float32, in which -1e+300 would be infinite"),
        ("float32", [["a", "b"]], "it is no array of numbers"),
        ("float32", [[1.0], [1.0, 2.0]], "it is no array of numbers"),
        ("float32", None, "it is no array of numbers"),
        ("float32", np.ma.array([[1.0, 2.0]], mask=[[True, False]]), "it has masked elements"),
        ("float32", np.ones((1, 2), complex), "it holds complex128, which is no type of netc"),
    ],
)
def test_what_is_refused(type_: str, given: object, text: str) -> None:
    refused(session(CAST.format(type_)), text, given)


def identity(code: int) -> onnx.ModelProto:
    x, y = (helper.make_tensor_value_info(name, code, ["N", 2]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11)


@pytest.mark.parametrize("array", [np.array([[1.5, -2], [3, 4]]), np.zeros((0, 2))])
def test_bfloat16_goes_in_and_out(array: np.ndarray) -> None:
    found = OnnxSession(identity(TensorProto.BFLOAT16))(array)
    assert isinstance(found, np.ndarray)
    assert found.dtype == ml_dtypes.bfloat16
    assert found.tolist() == array.tolist()


def test_bfloat16_comes_out_of_float32() -> None:
    """All results are bfloat16, and no input is."""
    found = netc.compile("input 2 -> cast bfloat16").session()(np.array([[1.5, -2], [3, 4.001953125]], np.float32))
    assert isinstance(found, np.ndarray)
    assert found.dtype == ml_dtypes.bfloat16
    assert found.tolist() == [[1.5, -2], [3, 4]]


def test_a_type_that_netc_does_not_have() -> None:
    with pytest.raises(ValueError, match=re.escape("`x` is of the type `tensor(string)`")):
        OnnxSession(identity(TensorProto.STRING))


def test_from_a_file(tmp_path: Path) -> None:
    onnx.save(netc.compile("input 3 -> relu").onnx(), tmp_path / "m.onnx")
    assert OnnxSession(tmp_path / "m.onnx")(X).tolist() == OnnxSession(str(tmp_path / "m.onnx"))(X).tolist()  # type: ignore[union-attr]
    with pytest.raises(FileNotFoundError, match="there is no model at"):
        OnnxSession(tmp_path / "absent.onnx")


# --- devices ---------------------------------------------------------------------------------------------------------------


def test_a_device_that_is_none() -> None:
    with pytest.raises(ValueError, match="there is no device `tpu`: use `cpu` or `cuda`"):
        OnnxSession(netc.compile("input 3 -> relu").onnx(), device="tpu")


def test_cuda_is_never_silently_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceUnavailable, match="onnxruntime-gpu"):
        OnnxSession(netc.compile("input 3 -> relu").onnx(), device="cuda")
    with pytest.raises(DeviceUnavailable, match="driver"):
        check_device_used("cuda", ["CPUExecutionProvider"])


def test_a_provider_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime lists CUDA and then goes on with the CPU: what happens without a driver."""
    real: Any = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *args, **_: real(*args, providers=["CPUExecutionProvider"]))
    with pytest.raises(DeviceUnavailable, match="could not start on CUDA"):
        OnnxSession(netc.compile("input 3 -> relu").onnx(), device="cuda")


@pytest.mark.skipif("CUDAExecutionProvider" not in onnxruntime.get_available_providers(), reason="ONNX Runtime without CUDA")
def test_on_cuda() -> None:
    model = netc.compile("input 3 -> dense 4 relu -> dense 2")
    try:
        run = model.session(device="cuda")
    except DeviceUnavailable as error:
        pytest.skip(str(error))
    np.testing.assert_allclose(run(X), model.session()(X), rtol=1e-3, atol=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["input [T, 4] where T >= 0 -> gru 3", "input [T, 4] where T >= 0 -> repeat 2 { gru in.features } -> dense 2"]
)
@pytest.mark.parametrize("shape", [(2, 0, 4), (0, 3, 4)])
def test_no_kernel_ends_the_process(text: str, shape: tuple[int, ...]) -> None:
    session = netc.compile(text).session()
    with pytest.raises(ValueError, match=r"without elements|needs at least one element along axis 1"):
        session(np.ones(shape, np.float32))
    assert session(np.ones((2, 3, 4), np.float32)).shape[:2] == (2, 3)
    assert netc.compile("input [T, 4] where T >= 0 -> dense 3").session()(np.ones(shape, np.float32)).shape == (*shape[:2], 3)


FAILURES = {
    "index_select": (
        "x = input [T]; i = input [2] int64 batch=false; (x, i) -> index_select 1 as pick",
        [(1, 5), [0, 9]],
        "`pick` fails in",
    ),
    "gather": ("x = input [T]; i = input [T] int64; (x, i) -> gather 1 as pick", [(1, 2), [[0, 9]]], "`pick` fails in"),
    "embedding": ("input [T] int64 -> embedding 10 4 as words", [[[3, 10]]], "`words` fails in ONNX Runtime: indices element out of data"),
    "floor_div": ("x = input [T] int64; y = input [T] int64; x // y", [[[1]], [[0]]], "fails in ONNX Runtime: Integer division by zero"),
    "remainder": ("x = input [T] int64; y = input [T] int64; x % y", [[[1]], [[0]]], "fails in ONNX Runtime: Integer modulo by zero"),
}


@pytest.mark.parametrize(("text", "given", "message"), FAILURES.values(), ids=FAILURES.keys())
def test_values_that_stop_a_run_are_explained(text: str, given: list[Any], message: str) -> None:
    """The stage, and ONNX Runtime's reason without its code; its own exception is the cause."""
    run = netc.compile(text).session()
    arrays = [np.ones(a, np.float32) if isinstance(a, tuple) else np.array(a) for a in given]
    with pytest.raises(RunFailed, match=re.escape(message)) as caught:
        run(*arrays)
    assert not re.search(r"onnxruntime|\.cc|\.h:|Status", str(caught.value))
    assert type(caught.value.__cause__).__module__.startswith("onnxruntime")


BEFORE = (
    "rnn 3 layers=2 bidirectional=true",
    "multihead_attention 2 average_attn_weights=false",
    "slice 1 stop=(T // 2)",
    "topk (T // 2) axis=1",
    "reshape [N, T, 2, 2] -> flatten 2",
)
"""What comes before a kernel, with sizes that ONNX's inference does not find or ONNX Runtime cannot compute without elements."""


@pytest.mark.parametrize("kernel", ["gru 3", "lstm 3", "lstm 3 bidirectional=true -> gru 3"])
@pytest.mark.parametrize("stage", BEFORE)
def test_no_kernel_ends_the_process_after_a_stage(stage: str, kernel: str) -> None:
    session = netc.compile(f"x = input [T, 4] where T >= 2; x -> {stage} -> {kernel}").session()
    with pytest.raises(ValueError, match="without elements"):
        session(np.ones((0, 3, 4), np.float32))
    assert session(np.ones((2, 3, 4), np.float32)).shape[0] == 2


def test_no_division_by_a_number_of_samples_ends_the_process() -> None:
    session = netc.compile('a = input [T, 4] where T >= 0; b = input [S, 4]; (a, b) -> einsum "bid,bjd->bij"').session()
    with pytest.raises(ValueError, match="without elements, ONNX Runtime's Einsum ends the process"):
        session(np.ones((0, 3, 4), np.float32), np.ones((0, 5, 4), np.float32))
    made = session(np.ones((2, 0, 4), np.float32), np.ones((2, 5, 4), np.float32))
    assert isinstance(made, np.ndarray)
    assert made.shape == (2, 0, 5)


SCANS = {
    "axis 1": ("x = input [7, 4]; x -> scan axis=1 { in -> relu }", (0, 7, 4), True),
    "axis 1, reversed": ("x = input [7, 4]; x -> scan axis=1 reverse=true { in -> dense 3 }", (0, 7, 4), True),
    "axis 1, two inputs": ("x = input [7, 7]; (x, x) -> scan axis=[2, 1] { (a, b) = in; a + b }", (0, 7, 7), True),
    "axis 2": ("x = input [7, 4]; x -> scan axis=2 { in -> relu }", (0, 7, 4), False),
    "axis 0": ("x = input [7, 4]; x -> transpose 0 1 -> scan axis=0 { in -> relu }", (0, 7, 4), False),
    "nothing after axis 1": ("x = input [7, T] where T >= 0; x -> scan axis=1 { in -> relu }", (2, 7, 0), True),
    "nothing after axis 2": ("x = input [3, 7, T] where T >= 0; x -> scan axis=2 { in -> relu }", (2, 3, 7, 0), True),
    "nothing before axis 3": ("x = input [3, T, 7] where T >= 0; x -> scan axis=3 { in -> relu }", (2, 3, 0, 7), False),
}
"""Loops on inputs without elements, and whether ONNX Runtime's Scan would divide by 0."""


@pytest.mark.parametrize(("text", "shape", "crashes"), SCANS.values(), ids=SCANS.keys())
def test_no_scan_ends_the_process(text: str, shape: tuple[int, ...], crashes: bool) -> None:
    """Scan divides by sizes of an input that it transposes. The others have PyTorch's shapes."""
    model, empty = netc.compile(text), np.ones(shape, np.float32)
    session = model.session(seed=0)
    if crashes:
        with pytest.raises(ValueError, match="without elements, ONNX Runtime's Scan ends the process"):
            session(empty)
        return
    with torch.no_grad():
        wanted = model.module(seed=0).eval()(torch.from_numpy(empty))
    made = session(empty)
    assert isinstance(made, np.ndarray)
    assert made.shape == tuple(wanted.shape)


def test_no_result_of_a_scan_ends_the_process() -> None:
    """The input has elements, and the stacked results, which Scan transposes too, have none."""
    text = "x = input [7]; y = input [T] where T >= 0; x -> scan axis=1 { (in -> unsqueeze 1) * y }"
    session = netc.compile(text).session()
    with pytest.raises(ValueError, match="without elements, ONNX Runtime's Scan ends the process"):
        session(np.ones((2, 7), np.float32), np.ones((2, 0), np.float32))
    made = session(np.ones((2, 7), np.float32), np.ones((2, 3), np.float32))
    assert isinstance(made, np.ndarray)
    assert made.shape == (2, 7, 3)


@pytest.mark.parametrize("stage", ["rnn 3 bidirectional=true", "lstm 3 proj_size=2"])
def test_a_batch_without_samples(stage: str) -> None:
    """PyTorch takes it, and so does ONNX Runtime."""
    model = netc.compile(f"input [T, 4] -> {stage}")
    none = np.ones((0, 3, 4), np.float32)
    with torch.no_grad():
        wanted = model.module(seed=0).eval()(torch.from_numpy(none))
    made = model.session(seed=0)(none)
    assert isinstance(made, np.ndarray)
    assert made.shape == tuple(wanted.shape)


EMPTY = {
    "attention": "q = input 4xTx8; (q, q, q) -> attention",
    "multihead_attention": "input [T, 16] -> multihead_attention 4",
    "gru": "input [T, 4] -> gru 3",
    "lstm": "input [T, 4] -> lstm 3",
    "sort": "input [T] -> sort",
    "argsort": "input [T] -> argsort",
    "topk": "input [5] -> topk 2",
    "scan": "input [T, 4] -> scan axis=1 { in -> relu }",
    "einsum": 'a = input [3, 4]; b = input [4, 5]; (a, b) -> einsum "bij,bjk->bik"',
    "logsumexp": "input [T] -> logsumexp axis=0",
    "pad": "input 2x4 -> pad [1, 1] mode=circular",
    "conv": "input 2x4 -> conv 3 3 padding=1 padding_mode=circular",
    "bucketize": "x = input [T]; b = input [5] batch=false; (x, b) -> bucketize",
    "rearrange": 'input 2xHxW -> rearrange "n c h w -> n (h w) c"',
    "flatten": "input 2xHxW -> flatten 2",
    "unfold": "input 2xHxW -> unfold 3",
    "diagonal": "input [T, T] -> diagonal axis1=1 axis2=2",
}


def test_kernels_that_take_no_empty_batch() -> None:
    """Those of the table in docs/onnx.md, and no message but netc's."""
    page = Path(__file__).parents[2].joinpath("docs/onnx.md").read_text()
    rows = page.partition("| operators | kernel |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)[^`]*`", rows)) - {"reduction"} == EMPTY.keys()
    for text in EMPTY.values():
        model = netc.compile(text)
        shapes = [(0, *(d if isinstance(d, int) else 8 for d in t.shape[1:])) if t.is_batch else (5,) for t in model.inputs.values()]
        refused(model.session(), "without elements", *(np.zeros(shape, np.float32) for shape in shapes))


def test_means_of_an_empty_batch() -> None:
    none = np.ones((0, 3), np.float32)
    for text in ("input 3 -> mean axis=0", "input 3 -> var axis=0", "input 3 -> std", "x = input 3; t = input 3; (x, t) -> mse_loss"):
        model = netc.compile(text)
        found = model.session()(*[none] * len(model.inputs))
        wanted = model.module()(*[torch.from_numpy(none)] * len(model.inputs))
        np.testing.assert_array_equal(found, wanted.numpy())


def test_a_model_without_kernels_says_what_helps() -> None:
    """ONNX Runtime's own class, which programs catch, with a text that is a sentence."""
    with pytest.raises(NoKernel, match=r"^ONNX Runtime cannot load the model: .*Conv.*; .*few kernels for it on a CPU, where float16 runs"):
        netc.compile("input 3x8x8 bfloat16 -> conv 4 3").session()


def test_a_session_of_a_file_reads_it_once(tmp_path: Path) -> None:
    """The nodes are needed for inputs without elements only, and a server calls a session thousands of times."""
    path = tmp_path / "m.onnx"
    netc.compile("x = input 2; y = x * 2").save(path)
    session = OnnxSession(path)
    path.unlink()
    assert np.asarray(session(np.ones((1, 2), np.float32))).tolist() == [[2, 2]]


@pytest.mark.parametrize("transform", ["x -> rfft axis=1", "x -> rfft (2 * T) axis=1", "(x, x) -> stack (-1) -> fft (2 * T) axis=1"])
@pytest.mark.parametrize("opset", [17, 23])
def test_a_transform_of_symbolic_size_shares_memory_with_other_tensors(transform: str, opset: int) -> None:
    """ONNX Runtime reuses memory of tensors whose inferred shapes are equal. NumPy is the judge."""
    text = f"x = input [T, 4]; p = ({transform} -> select (-1) 0) * 2 -> relu -> sum [1]; (p -> unsqueeze 1) + x -> tanh -> sigmoid"
    x = np.random.default_rng(0).standard_normal((2, 8, 4)).astype(np.float32)
    size = 16 if "2 * T" in transform else 8
    spectrum = np.fft.fft(x + 1j * x, size, axis=1) if "stack" in transform else np.fft.rfft(x, size, axis=1)
    total = np.maximum(2 * spectrum.real, 0).sum(1, keepdims=True)
    found = netc.compile(text).session(opset=opset)(x)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.tanh(total + x))), atol=1e-5)
