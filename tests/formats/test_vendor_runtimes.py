"""Written files in the vendors' own runtimes: the results of the PyTorch module, for sizes and values that are hard.

Each test runs where the converter of its format is installed: `make formats` has an environment for each.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import netc as api
from netc.compiler.backends.backend_registry import get_or_raise
from netc.compiler.backends.exported.export_module import choose_argument_names
from netc.errors import CompileError
from tests.formats.measure import SEED, difference
from tests.formats.vendor_runtimes import RUNTIMES, read_package
from tests.parity import arguments, flattened, inputs_for, tensor

FORMATS = {"executorch": "executorch", "litert": "litert_torch", "coreml": "coremltools"}
TEXTS = {
    "two inputs, two outputs": "a = input 8; b = input [5, 8]; y = a -> dense 4 -> gelu; z = b -> layer_norm -> softmax; out z, y",
    "image": "x = input 3x9x9; y = x -> conv 4 3 padding=1 -> batch_norm -> relu -> max_pool 3 -> global_avg_pool -> dense 2; out y",
    "list": "xs = input 6 for _ in 3; y = xs -> concat axis=1 -> dense 2; out y",
    "keyword": "lambda = input 4; y = lambda -> dense 3 as fc; out y",
    "cropped by negative padding": "x = input [6, 4]; y = x -> pad [-2, 0, 1, -1] -> pad [-1, 2] value=3 -> dense 3; out y",
    "lstm": "x = input [5, 4]; y = x -> lstm 3; out y",
    "attention": "x = input [6, 8]; y = x -> multihead_attention 2; out y",
}
TYPED = {
    "tokens": "tokens = input 7 int64; y = tokens -> embedding 11 4 -> mean axis=1 -> dense 2; out y",
    "integers": "x = input 5 int32; y = x * 3 - 1; b = x > 0; out y, b",
    "largest": "x = input 5; y = x -> argmax axis=1; out y",
    "bool": "x = input 5 bool; y = x -> cast float32; out y",
}


def needs(name: str) -> None:
    pytest.importorskip(FORMATS[name], reason=f"pip install {FORMATS[name].replace('_', '-')}")


def check(name: str, text: str, folder: Path, sizes: dict[str, int], dims: dict[str, int] | None = None, dtype: str | None = None) -> None:
    model = api.compile(text, dims=sizes if dims is None else dims, dtype=dtype)
    path = folder / f"m{get_or_raise(name).suffix}"
    model.save(path, seed=SEED)
    arrays = inputs_for(model, sizes)
    inputs = {port: tensor(arrays[port], type_) for port, type_ in model.inputs.items()}
    with torch.no_grad():
        module = model.module(seed=SEED).eval()
        wanted = [value.numpy() for value in flattened(module(*arguments(model, list(inputs.values()))))]
    named = dict(zip(choose_argument_names(inputs), inputs.values(), strict=True))
    found = RUNTIMES[name](path, named, list(model.outputs))
    assert [(one.shape, one.dtype) for one in found] == [(one.shape, one.dtype) for one in wanted]
    assert max(difference(one, other) for one, other in zip(found, wanted, strict=True)) < (2e-2 if dtype == "float16" else 2e-6)


@pytest.mark.long
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", RUNTIMES)
def test_results_are_those_of_the_module(name: str, text: str, batch: int, tmp_path: Path) -> None:
    needs(name)
    check(name, TEXTS[text], tmp_path, {"N": batch})


@pytest.mark.long
@pytest.mark.parametrize("text", TYPED)
@pytest.mark.parametrize("name", RUNTIMES)
def test_element_types_are_those_of_the_spec(name: str, text: str, tmp_path: Path) -> None:
    needs(name)
    check(name, TYPED[text], tmp_path, {"N": 2})


@pytest.mark.long
@pytest.mark.parametrize("sizes", [{"N": 1, "T": 1}, {"N": 4, "T": 9}, {"N": 1, "T": 7}])
def test_symbolic_sizes_in_executorch(sizes: dict[str, int], tmp_path: Path) -> None:
    needs("executorch")
    text = "x = input [T, 8] where N <= 4 and T <= 9; y = x -> dense 4 -> layer_norm -> softmax; out y"
    check("executorch", text, tmp_path, sizes, {})


@pytest.mark.long
@pytest.mark.parametrize(("name", "stage"), [("executorch", "relu"), ("litert", "tanh")])
def test_float16(name: str, stage: str, tmp_path: Path) -> None:
    needs(name)
    check(name, f"x = input 8; y = x -> dense 16 -> {stage} -> dense 4; out y", tmp_path, {"N": 2}, dtype="float16")


@pytest.mark.long
def test_litert_lacks_some_kernels_of_float16(tmp_path: Path) -> None:
    needs("litert")
    with pytest.raises(CompileError, match="`relu` cannot be converted to LiteRT"):
        api.compile("input 8 -> relu", dims={"N": 2}, dtype="float16").save(tmp_path / "m.tflite", seed=SEED)


@pytest.mark.long
def test_the_interface_of_a_core_ml_package(tmp_path: Path) -> None:
    needs("coreml")
    text = "a = input [2*T + 1, 8] where N <= 3 and T <= 5; b = input 4 int32; y = a -> dense 4 -> gelu; z = b + 1; out z, y"
    model = api.compile(text)
    model.save(tmp_path / "m.mlpackage", seed=SEED)
    inputs, outputs = read_package(tmp_path / "m.mlpackage")
    assert inputs == {"a": ("float32", ((1, 3), (3, 11), 8)), "b": ("int32", ((1, 3), 4))}
    assert {name: kind for name, (kind, _) in outputs.items()} == {"z": "int32", "y": "float32"}
    assert "gelu" in model.source("coreml")
    half = api.compile("x = input 8; y = x -> dense 4; out y", dims={"N": 1}, dtype="float16")
    half.save(tmp_path / "half.mlpackage", seed=SEED)
    assert read_package(tmp_path / "half.mlpackage")[0] == {"x": ("float16", (1, 8))}


@pytest.mark.long
@pytest.mark.parametrize(
    "stage", ["max_pool 2", "max_pool 2x3", "max_pool 2 padding=1", "avg_pool 2", "max_pool 3 stride=2 ceil_mode=true"]
)
def test_pools_in_core_ml(stage: str, tmp_path: Path) -> None:
    needs("coreml")
    model = api.compile(f"x = input 1x8x9; y = x -> {stage}; out y", dims={"N": 1})
    model.save(tmp_path / "m.mlpackage", seed=SEED)
    assert read_package(tmp_path / "m.mlpackage")[1]["y"][1] == model.outputs["y"].shape


@pytest.mark.long
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_model_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    needs(name)
    contents = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / f"m{get_or_raise(name).suffix}"
        words = ["compile", "-e", TEXTS["image"], "--dim", "N=1", "--seed", "1", "-o", str(path)]
        done = subprocess.run([sys.executable, "-m", "netc", *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        files = [path] if path.is_file() else [part for part in sorted(path.rglob("*")) if part.is_file()]
        contents.append({part.relative_to(path): part.read_bytes() for part in files})
    assert contents[0] == contents[1]


@pytest.mark.long
@pytest.mark.parametrize(("name", "stage"), [("executorch", "erfinv"), ("litert", "rfft"), ("coreml", "channel_shuffle 2")])
def test_a_stage_that_a_converter_lacks_is_named_where_it_is(name: str, stage: str, tmp_path: Path) -> None:
    needs(name)
    text = f"block part(n) {{ dense n -> {stage} }}; x = input [4, 6, 6]; y = x -> relu -> part 6; out y"
    with pytest.raises(CompileError) as caught:
        api.compile(text, dims={"N": 2}).save(tmp_path / f"m{get_or_raise(name).suffix}", seed=1)
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.span is not None) == ("format-unsupported", True)
    assert problem.message.startswith(f"`{stage.split()[0]}` cannot be converted to {get_or_raise(name).title}: ")
    assert list(tmp_path.iterdir()) == []
