"""`--quantize`, and `quantize=` of `Model.save`: what is written, what is said of it, and what is refused."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner, Result

import netc
from netc.cli import cli
from netc.compiler.backends.onnx.quantizing.products import find_products
from netc.quantizing import CannotQuantize
from netc.quantizing.calibration import explain_infinite_scale
from tests.byte_products import needs_exact_products

TEXT = "input 64 -> dense 32 relu -> dense 10"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`netc compile`, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, ["compile", *words], prog_name="netc")


def samples(count: int = 40) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal((count, 64), np.float32)


def kinds(path: str) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.mark.parametrize(("method", "calibrated", "node"), [("int8", False, "MatMulInteger"), ("int4", False, "MatMulNBits")])
def test_the_weights_are_integers(run: Run, method: str, calibrated: bool, node: str) -> None:
    done = run("-e", TEXT, "--quantize", method, "-o", "m.onnx", "--seed", "1")
    assert done.exit_code == 0, done.stderr
    assert done.stderr.startswith("note: 2 of 2 products with weights are quantized\n")
    assert kinds("m.onnx")[node] == 2
    assert not {"MatMul", "Gemm"} & set(kinds("m.onnx"))
    assert [path.name for path in Path().iterdir()] == ["m.onnx"]


@needs_exact_products
def test_what_is_said_is_true(tmp_path: Path) -> None:
    """The change of the output, computed by ONNX Runtime and NumPy alone."""
    exact, path, x = tmp_path / "exact.onnx", tmp_path / "m.onnx", samples()
    model = netc.compile(TEXT)
    model.save(exact, seed=1)
    found = model.save(path, seed=1, quantize="int8", calibration={"input": x})
    assert found is not None
    a, b = (onnxruntime.InferenceSession(p).run(None, {"input": x})[0] for p in (exact, path))
    (change,) = found.changes
    assert change.largest == pytest.approx(np.abs(a - b).max())
    assert change.relative == pytest.approx(np.sqrt(np.mean((a - b) ** 2) / np.mean(a**2)))
    assert 0 < change.relative < 0.05
    assert (found.quantized, found.products, found.left) == (2, 2, ())
    assert (found.bytes_before, found.bytes_after) == (exact.stat().st_size, path.stat().st_size)


def test_a_file_that_is_larger_is_not_called_smaller(run: Run) -> None:
    done = run("-e", "input 8 -> dense 3", "--seed", "0", "--quantize", "int8", "-o", "q.onnx")
    assert run("-e", "input 8 -> dense 3", "--seed", "0", "-o", "x.onnx").exit_code == 0
    assert Path("q.onnx").stat().st_size > Path("x.onnx").stat().st_size
    assert done.stderr.splitlines()[1].endswith(", which is no smaller: it has few weights")


def test_int4_of_convolutions_says_that_int8_quantizes_them(run: Run) -> None:
    """Following it gives a file that is at least twice as small, which the sizes of the files show."""
    text = "input 3x8x8 -> conv 64 3 -> conv 64 3 -> global_avg_pool -> dense 64"
    done = run("-e", text, "--seed", "0", "--quantize", "int4", "-o", "few.onnx")
    assert "most weights are left as they are: `--quantize int8` quantizes convolutions too" in done.stderr
    other = run("-e", text, "--seed", "0", "--quantize", "int8", "-o", "all.onnx")
    assert "most weights are left" not in other.stderr
    assert Path("all.onnx").stat().st_size < Path("few.onnx").stat().st_size / 2
    dense = run("-e", "input 64 -> dense 512 -> dense 512", "--seed", "0", "--quantize", "int4", "-o", "dense.onnx")
    assert "most weights are left" not in dense.stderr


@needs_exact_products
def test_a_calibration_fixes_the_scales(run: Run) -> None:
    """With numbers a thousand times as large as in the calibration, static quantization saturates."""
    np.savez("c.npz", input=samples())
    for name, words in {"dynamic.onnx": (), "static.onnx": ("--calibration", "c.npz")}.items():
        assert run("-e", TEXT, "--quantize", "int8", "--seed", "1", "-o", name, *words).exit_code == 0
    assert run("-e", TEXT, "--seed", "1", "-o", "exact.onnx").exit_code == 0
    assert kinds("static.onnx")["DequantizeLinear"] > 0
    large = {"input": 1000 * samples()}
    exact, dynamic, static = (
        onnxruntime.InferenceSession(name).run(None, large)[0] for name in ("exact.onnx", "dynamic.onnx", "static.onnx")
    )
    assert np.abs(dynamic - exact).max() < 0.05 * np.abs(exact).max()
    assert np.abs(static).max() < 0.1 * np.abs(exact).max()


def test_the_same_model_gives_the_same_bytes(run: Run) -> None:
    for name in ("a.onnx", "b.onnx"):
        run("-e", TEXT, "--quantize", "int8", "-o", name)
    assert Path("a.onnx").read_bytes() == Path("b.onnx").read_bytes()


def test_metadata_stays(run: Run) -> None:
    run("-e", TEXT, "--quantize", "int8", "-o", "m.onnx")
    assert [prop.key for prop in onnx.load("m.onnx").metadata_props] == [prop.key for prop in netc.compile(TEXT).onnx().metadata_props]
    onnx.checker.check_model(onnx.load("m.onnx"))


def test_what_is_left_is_named(run: Run) -> None:
    """A convolution has no weights of four bits."""
    done = run("-e", "input 3x8x8 -> conv 4 3 as first -> flatten -> dense 5", "--quantize", "int4", "-o", "m.onnx")
    assert "1 of 2 products with weights are quantized; not `first`" in done.stderr


def test_a_calibration_of_bfloat16_products_that_compute_in_float32(run: Run) -> None:
    np.savez("c.npz", x=np.ones((8, 4, 64), np.float32))
    spec = 'x = input [4, 64]\np = param [4, 64, 32]\n(x, p) -> einsum "nhi,hio->nho"'
    done = run("-e", spec, "--quantize", "int8", "--dtype", "bfloat16", "--calibration", "c.npz", "-o", "m.onnx")
    assert done.exit_code == 1
    assert "only float32 models are quantized, and `x` is bfloat16" in done.stderr


def test_outputs_of_integers_and_of_zeros(run: Run) -> None:
    done = run("-e", "y = input 64 -> dense 9 init=zeros bias_init=zeros", "--quantize", "int8", "-o", "m.onnx")
    assert "`y` differs by 0 at most" in done.stderr
    done = run("-e", "i = input 64 -> dense 9 -> argmax axis=1", "--quantize", "int8", "-o", "m.onnx")
    assert "`i`: 0 % of its elements differ" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--calibration", "c.npz"), "--calibration is for --quantize"),
        (("--quantize", "int4", "--calibration", "c.npz"), "int4 quantizes weights alone, which takes no calibration"),
        (("--quantize", "int8", "--dtype", "float16"), "only float32 weights are quantized, and `dense1` has float16 weights"),
        (("--quantize", "int8", "--dtype", "float64"), "only float32 weights are quantized, and `dense1` has float64 weights"),
        (
            ("--quantize", "int8", "--dtype", "bfloat16", "--calibration", "c.npz"),
            "only float32 models are quantized, and `input` is bfloat16",
        ),
        (("--quantize", "int8", "--emit", "graph"), "--quantize is for an ONNX model"),
        (("--quantize", "int8", "--target", "torch"), "the name of `m.onnx` asks for the target onnx"),
        (("--quantize", "int8", "--calibration", "none.npz"), "cannot read `none.npz`: there is no such file"),
        (("--quantize", "int8", "--calibration", "text.npz"), "cannot read `text.npz`: it is not a .npz file of numbers"),
        (("--quantize", "int8", "--calibration", "other.npz"), "the calibration lacks `input`: the inputs are `input`"),
        (("--quantize", "int8", "--calibration", "more.npz"), "the calibration has, beyond the inputs, `y`: the inputs are `input`"),
        (("--quantize", "int8", "--calibration", "shape.npz"), "the calibration does not fit: the input `input` is float32 [N, 64]"),
        (("--quantize", "int8", "--calibration", "empty.npz"), "the calibration has no samples"),
    ],
)
def test_refused(run: Run, words: tuple[str, ...], said: str) -> None:
    """And nothing is written."""
    np.savez("c.npz", input=samples())
    np.savez("other.npz", x=samples())
    np.savez("more.npz", input=samples(), y=samples())
    np.savez("shape.npz", input=samples()[:, :5])
    np.savez("empty.npz", input=samples()[:0])
    Path("text.npz").write_text("input 3")
    done = run("-e", TEXT, "-o", "m.onnx", *words)
    assert done.exit_code in (1, 2)
    assert said in done.stderr
    assert not [path for path in Path().iterdir() if path.suffix != ".npz"]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (np.nan, "the calibration has NaN in `input`, sample 37"),
        (np.inf, "the calibration has an infinity in `input`, sample 37"),
        (-np.inf, "the calibration has an infinity in `input`, sample 37"),
    ],
)
@pytest.mark.parametrize(
    "text", [TEXT, "input 64 -> dense 9", "input 64 -> reshape [N, 1, 8, 8] -> conv 4 3 -> relu -> flatten -> dense 2"]
)
def test_a_calibration_that_is_not_finite(run: Run, text: str, number: float, said: str) -> None:
    x = samples()
    x[37] = number
    np.savez("c.npz", input=x)
    done = run("-e", text, "-o", "m.onnx", "--quantize", "int8", "--calibration", "c.npz")
    assert (done.exit_code, done.stderr) == (1, f"error: {said}\n")
    assert not Path("m.onnx").exists()


@pytest.mark.parametrize("sample", [0, 99])
def test_a_calibration_that_the_model_cannot_run(run: Run, sample: int) -> None:
    """In a sample that is compared, and in one that only the scales are computed from."""
    tokens = np.zeros((100, 3), np.int64)
    tokens[sample] = 7
    np.savez("c.npz", tokens=tokens)
    text = "tokens = input [T] int64; tokens -> embedding 5 8 -> dense 2"
    done = run("-e", text, "-o", "m.onnx", "--quantize", "int8", "--calibration", "c.npz")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: the model fails on the calibration: `embedding1` fails in ONNX Runtime: indices element")
    assert not Path("m.onnx").exists()


def test_drawn_inputs_that_the_model_cannot_run(run: Run) -> None:
    """Integers are drawn as 0 or 1, and there is no word 1."""
    done = run("-e", "tokens = input [T] int64; tokens -> embedding 1 8 -> dense 2", "-o", "m.onnx", "--quantize", "int8")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: the model fails on drawn inputs: `embedding1` fails in ONNX Runtime: ")


def test_numbers_inside_the_model_that_are_not_finite(run: Run) -> None:
    np.savez("c.npz", input=np.full((40, 64), 3e38, np.float32))
    done = run("-e", "input 64 -> dense 32 init=ones -> dense 10", "-o", "m.onnx", "--quantize", "int8", "--calibration", "c.npz")
    said = "a scale cannot be computed: numbers inside the model are NaN or infinite on the calibration, whose numbers are finite"
    assert (done.exit_code, done.stderr) == (1, f"error: {said}\n")


STACKED = {
    "one": "x @ (param [1, 8, 6] init=normal(1) as p)",
    "several": "x @ (param [3, 8, 6] init=normal(1) as p)",
    "next_to_a_matrix": "y = x @ (param [3, 8, 6] init=normal(1) as p); y -> dense 5",
    "two_axes": "(x -> unsqueeze 1) @ (param [2, 3, 8, 6] init=normal(1) as p)",
}


@needs_exact_products
@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("name", STACKED)
def test_a_stack_of_matrices_is_quantized(tmp_path: Path, name: str, calibrated: bool) -> None:
    """ONNX Runtime has no kernel for a stack with a scale for each output, and such a file fails when it runs."""
    model, path = netc.compile(f"x = input [3, 4, 8]; {STACKED[name]}"), tmp_path / "m.onnx"
    x = np.random.default_rng(0).standard_normal((20, 3, 4, 8), np.float32)
    found = model.save(path, seed=1, quantize="int8", calibration={"x": x} if calibrated else None)
    assert found is not None
    assert found.quantized == found.products
    exact = model.session(seed=1)(x)
    change = onnxruntime.InferenceSession(path).run(None, {"x": x})[0] - exact
    assert np.sqrt(np.mean(change**2)) < 0.03 * np.sqrt(np.mean(exact**2))


@pytest.mark.parametrize("stage", ["conv_transpose 6 3x3 groups=2", "conv_transpose 4 3x3 groups=4 bias=false"])
def test_a_transposed_convolution_with_groups_is_quantized(tmp_path: Path, stage: str) -> None:
    """ONNX Runtime's quantizer would make as many scales as a group has outputs, and needs one for each number of the bias."""
    model, path = netc.compile(f"x = input 4x5x5 -> {stage}"), tmp_path / "m.onnx"
    x = np.random.default_rng(0).standard_normal((20, 4, 5, 5), np.float32)
    found = model.save(path, seed=1, quantize="int8", calibration={"input": x})
    assert found is not None
    assert found.quantized == found.products == 1
    exact = model.session(seed=1)(x)
    change = onnxruntime.InferenceSession(path).run(None, {"input": x})[0] - exact
    assert np.sqrt(np.mean(change**2)) < 0.03 * np.sqrt(np.mean(exact**2))


def test_a_file_that_fails_when_it_runs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netc.compiler.backends.onnx.quantizing.methods._find_stacked_weights", lambda source: {})
    with pytest.raises(CannotQuantize, match="ONNX Runtime cannot run the quantized model: `matmul1_quant` fails"):
        netc.compile("x = input 8; x @ (param [3, 8, 6] init=normal(1) as p)").save(tmp_path / "m.onnx", seed=1, quantize="int8")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", ["int8", "int4"])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(tmp_path: Path, method: str, number: float) -> None:
    """ONNX Runtime's int4 would write a finite weight, so the output would be a number where the model has none."""
    model = netc.compile(TEXT)
    weights = {name: value.numpy() for name, value in model.module(seed=0).state_dict().items()}
    weights["dense2.weight"][3, 5] = number
    assert not np.isfinite(model.session(weights=weights)(input=samples(2))).all()
    with pytest.raises(CannotQuantize, match=r"`dense2\.weight` has a number that is NaN or infinite"):
        model.save(str(tmp_path / "o.onnx"), weights=weights, quantize=method)
    assert not list(tmp_path.iterdir())


def test_tied_weights_are_stored_once_each(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """ONNX Runtime says nothing about a weight that no node uses, because there is none."""
    tied = "x = input 64\nh = x -> dense 64 bias=false as a\nh -> dense 64 bias=false tie=a"
    for calibration in (None, {"x": samples()}):
        netc.compile(tied).save(str(tmp_path / "o.onnx"), seed=0, quantize="int8", calibration=calibration)
        graph = onnx.load(tmp_path / "o.onnx").graph
        assert {tensor.name for tensor in graph.initializer} <= {name for node in graph.node for name in node.input}
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("method", ["int8", "int4"])
def test_an_infinite_bias_is_no_mistake(tmp_path: Path, method: str) -> None:
    """It excludes a class. The bias is no factor, and stays a float."""
    model = netc.compile(TEXT)
    weights = {name: value.numpy() for name, value in model.module(seed=0).state_dict().items()}
    weights["dense2.bias"][3] = -np.inf
    done = model.save(str(tmp_path / "o.onnx"), weights=weights, quantize=method)
    (scores,) = onnxruntime.InferenceSession(tmp_path / "o.onnx").run(None, {"input": samples(2)})
    assert np.isneginf(scores).any(0).tolist() == [i == 3 for i in range(10)]
    assert not any("nan" in line or "inf" in line for line in done.lines())


def test_an_infinite_mask_is_no_mistake(run: Run) -> None:
    """It is added, and what is rounded is finite."""
    mask = np.zeros((40, 64), np.float32)
    mask[:, 60:] = -np.inf
    np.savez("c.npz", x=samples(), mask=mask)
    text = "x = input [64]\nmask = input [64]\n((x -> dense 64), mask) -> add -> softmax -> dense 3"
    done = run("-e", text, "-o", "m.onnx", "--quantize", "int8", "--calibration", "c.npz")
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "method", "said"),
    [
        ("input 3 -> relu", "int8", "there is nothing to quantize: the model has no product with weights"),
        ("input 3x8x8 -> conv 4 3", "int4", "there is nothing to quantize: int4 is for products of matrices"),
        ("input [T, 4] -> gru 3", "int8", "nothing was quantized"),
    ],
)
def test_nothing_to_quantize(run: Run, text: str, method: str, said: str) -> None:
    done = run("-e", text, "--quantize", method, "-o", "m.onnx")
    assert (done.exit_code, said in done.stderr) == (1, True)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("path", "said"), [("m.py", "PyTorch source cannot be quantized: --quantize is for `.onnx`"), ("/dev/null", "give the name of one")]
)
def test_other_outputs(run: Run, path: str, said: str) -> None:
    done = run("-e", TEXT, "--quantize", "int8", "-o", path, *(("--target", "onnx") if path == "/dev/null" else ()))
    assert (done.exit_code, said in done.stderr) == (2, True)


def test_what_is_there_stays_where_it_fails(run: Run) -> None:
    Path("m.onnx").write_bytes(b"before")
    assert run("-e", "input 3 -> relu", "--quantize", "int8", "-o", "m.onnx").exit_code == 1
    assert Path("m.onnx").read_bytes() == b"before"
    assert [path.name for path in Path().iterdir()] == ["m.onnx"]


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model that is quantized is on the disk too while that is done."""
    monkeypatch.setattr("netc.compiler.weights.free_space.shutil.disk_usage", lambda folder: SimpleNamespace(free=600_000))
    with pytest.raises(OSError, match=r"quantizing it takes 840\.0 kB, and the disk has 600\.0 kB left"):
        netc.compile("input 1000 -> dense 100 bias=false").save(tmp_path / "m.onnx", seed=0, quantize="int8")
    assert list(tmp_path.iterdir()) == []


def test_a_large_model_is_refused_before_it_is_made(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netc.compiler.weights.free_space._read_available_memory", lambda: iter([10**9]))
    done = run("-e", "input 20_000 -> dense 20_000", "--quantize", "int8", "-o", "m.onnx")
    assert done.exit_code == 1
    assert "there is not enough memory for this: ONNX Runtime's quantizer has the model in memory several times" in done.stderr
    assert not list(Path().iterdir())


@pytest.mark.parametrize("wrong", [8, "int7", None])
def test_other_methods(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"quantize must be one of int8, int4|`quantize` must be a str or None, not int"):
        netc.compile(TEXT).save(tmp_path / "m.onnx", quantize=wrong, calibration={"input": samples()})


@pytest.mark.parametrize("method", ["int8", "int4"])
def test_a_product_without_a_bias(run: Run, method: str) -> None:
    done = run("-e", "input 64 -> dense 9 bias=false", "--quantize", method, "-o", "m.onnx")
    assert (done.exit_code, "1 of 1 products with weights are quantized" in done.stderr) == (0, True)


def test_a_package_that_is_not_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith(("onnx_ir", "onnxruntime.quantization.matmul_nbits"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx_ir", None)
    done = run("-e", TEXT, "--quantize", "int4", "-o", "m.onnx")
    assert (
        done.exit_code,
        "error: int4 needs the package `onnx_ir`, which is not installed: run `pip install onnx-ir`" in done.stderr,
    ) == (1, True)
    assert not list(Path().iterdir())


def test_products_of_activations_are_none() -> None:
    model = netc.compile("x = input [T, 8]; y = (x @ (x -> transpose 1 2)) @ (x -> dense 8)").onnx()
    assert [product.name.partition("/")[0] for product in find_products(model)] == ["dense1"]


@pytest.mark.filterwarnings("error")
def test_a_number_that_is_infinite_in_float32_is_named() -> None:
    """NumPy's warning about it would only repeat the message."""
    arrays = {"small": np.ones((3, 2)), "large": np.array([[1.0, 2.0], [3.0, 1e300]])}
    batch = {name: np.zeros((1, 2), np.float32) for name in arrays}
    assert explain_infinite_scale(arrays, batch) == "the calibration has an infinity in `large`, sample 1"
    assert "whose numbers are finite" in explain_infinite_scale({"small": arrays["small"]}, batch)
    assert explain_infinite_scale({}, {}) == "a scale cannot be computed: numbers inside the model are NaN or infinite"


def test_products_inside_of_loops_and_branches_are_found() -> None:
    """The body is made by hand: one product with a weight of its own, and one with a weight of the graph around it."""
    from onnx import TensorProto, helper

    weight = helper.make_tensor("inner", TensorProto.FLOAT, [2, 2], [1.0] * 4)
    nodes = [helper.make_node("MatMul", ["x", "inner"], ["h"]), helper.make_node("MatMul", ["h", "outer"], ["y"])]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])
    body = helper.make_graph(nodes, "body", [], [result], [weight])
    branch = helper.make_node("If", ["c"], ["z"], then_branch=body, else_branch=body)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2]), helper.make_tensor_value_info("c", TensorProto.BOOL, [])]
    outer = helper.make_tensor("outer", TensorProto.FLOAT, [2, 2], [2.0] * 4)
    graph = helper.make_graph([branch], "g", inputs, [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2])], [outer])
    assert [product.weights for product in find_products(helper.make_model(graph))] == [("inner",), ("outer",)] * 2
