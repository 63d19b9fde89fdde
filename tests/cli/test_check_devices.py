"""`netc check --device`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

Netc = Callable[..., Any]
POOLED = "input 3x8x8 -> max_pool 2"


def test_a_model_with_all_kernels_is_one_line(netc: Netc) -> None:
    done = netc("check", "-e", POOLED, "--device", "cuda", "--opset", "21")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("no errors\nthe only node of `net` has a kernel on CUDA (ONNX Runtime 1.")


def test_a_stage_without_a_kernel_is_a_warning(netc: Netc) -> None:
    done = netc("check", "-e", POOLED, "--device", "cuda", "--format", "short")
    assert done.exit_code == 0
    assert done.stdout.startswith("<text>:1:16: warning[no-kernel]: `max_pool` has no kernel on CUDA")


def test_one_node_is_the_only_one(netc: Netc) -> None:
    assert "the only node of `net` has no kernel on CUDA (ONNX" in netc("check", "-e", POOLED, "--device", "cuda").stderr


def test_strict_fails_on_it(netc: Netc) -> None:
    assert netc("check", "-e", POOLED, "--device", "cuda", "--strict").exit_code == 1
    assert netc("check", "-e", POOLED, "--device", "cuda", "--strict", "--opset", "21").exit_code == 0


def test_the_element_type_decides(netc: Netc) -> None:
    for dtype, code in (("float16", 0), ("bfloat16", 1)):
        done = netc("check", "-e", "input 3 -> log", "--device", "cuda", "--strict", "--dtype", dtype)
        assert done.exit_code == code, dtype


def test_formats_for_tools_have_it(netc: Netc) -> None:
    done = netc("check", "-e", POOLED, "--device", "cuda", "--format", "sarif")
    (result,) = json.loads(done.stdout)["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("no-kernel", "warning")
    (problem,) = json.loads(netc("check", "-e", POOLED, "--device", "cuda", "--format", "json").stdout)
    assert (problem["code"], problem["column"]) == ("no-kernel", 16)
    command = netc("check", "-e", POOLED, "--device", "cuda", "--format", "github").stdout
    assert "`max_pool` has no kernel on CUDA%0AONNX Runtime" in command
    assert "has `MaxPool` only up to opset 21" in command


def test_webgpu_says_where_a_stage_runs(netc: Netc) -> None:
    done = netc("check", "-e", "input [T, 8] -> gru 4", "--device", "web")
    assert (done.exit_code, "`gru` has no kernel on WebGPU" in done.stdout, "runs it in WebAssembly" in done.stdout) == (0, True, True)


def test_a_kernel_that_fails_is_named(netc: Netc) -> None:
    text = netc("check", "-e", "input 3x7x7 -> max_pool 2 ceil_mode=true", "--device", "web", "--opset", "21").stdout
    assert "`max_pool` has no working kernel on WebGPU" in text
    assert 'unless you pass `executionProviders: ["wasm"]`' in text


def test_an_output_is_called_one(netc: Netc) -> None:
    done = netc("check", "-e", "x = input 4; y = x -> dropout 0.5", "--device", "web")
    assert "an output of the model has no kernel on WebGPU" in done.stdout


def test_tensorrt_reads_some_opsets(netc: Netc) -> None:
    done = netc("check", "-e", POOLED, "--device", "tensorrt", "--opset", "25")
    assert (done.exit_code, "TensorRT 10.15 reads opsets 9 to 24, not 25" in done.stderr) == (2, True)


def test_an_opset_needs_a_device(netc: Netc) -> None:
    done = netc("check", "-e", POOLED, "--opset", "21")
    assert (done.exit_code, "--opset is for --device" in done.stderr) == (2, True)


def test_a_stage_that_onnx_lacks_is_an_error(netc: Netc) -> None:
    done = netc("check", "-e", "cost = input [T, T]; cost -> match", "--device", "cuda", "--format", "short")
    assert (done.exit_code, "error[onnx-unsupported]" in done.stdout) == (1, True)


def test_compile_chooses_the_opset_for_a_device(netc: Netc, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    for words, opset, said in (
        (["-e", POOLED, "--for", "cuda"], 21, "note: the only node of `net` has a kernel on CUDA"),
        (["-e", POOLED, "--for", "cuda", "--opset", "24"], 24, "note: `max_pool` has no kernel on CUDA: ONNX Runtime 1."),
        (["-e", POOLED, "--for", "web"], 21, "note: the only node of `net` has a kernel on WebGPU (ONNX Runtime Web 1."),
        (["-e", "input 3 -> relu", "--for", "cuda"], 23, "note: the only node of `net` has a kernel on CUDA"),
        (["-e", "input [T, 8] -> multihead_attention 2", "--for", "tensorrt"], 22, "have a kernel on TensorRT"),
    ):
        done = netc("compile", *words, "-o", str(path))
        assert (done.exit_code, onnx.load(path).opset_import[0].version) == (0, opset), done.stderr
        assert said in done.stderr


def test_compile_converts_types_for_a_device(netc: Netc, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    done = netc("compile", "-e", "input 3 -> log", "--dtype", "bfloat16", "--for", "cuda", "-o", str(path))
    assert (done.exit_code, [node.op_type for node in onnx.load(path).graph.node]) == (0, ["Cast", "Log", "Cast"])
    assert "on a CPU" not in done.stderr


def test_compile_refuses_an_opset_that_a_device_does_not_read(netc: Netc, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    done = netc("compile", "-e", POOLED, "--for", "tensorrt", "--opset", "25", "-o", str(path))
    assert (done.exit_code, "TensorRT 10.15 reads opsets 9 to 24" in done.stderr, path.exists()) == (2, True, False)


def test_compile_for_a_device_names_few_stages(netc: Netc, tmp_path: Path) -> None:
    text = "x = input 3; " + "; ".join(f"y{index} = x -> sinh" for index in range(7)) + "; " + " + ".join(f"y{index}" for index in range(7))
    done = netc("compile", "-e", text, "--for", "cuda", "-o", str(tmp_path / "net.onnx"))
    assert done.stderr.count("`sinh` has no kernel on CUDA") == 5
    assert "`netc check --device cuda --opset 23` names 2 more" in done.stderr
