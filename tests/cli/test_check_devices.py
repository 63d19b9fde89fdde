"""`netc check --device`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Netc = Callable[..., Any]
POOLED = "input 3x8x8 -> max_pool 2"


def test_a_model_with_all_kernels_is_one_line(netc: Netc) -> None:
    done = netc("check", "-e", POOLED, "--device", "cuda", "--opset", "21")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("no errors\nall 1 nodes of `net` have a kernel on CUDA (ONNX Runtime 1.")


def test_a_stage_without_a_kernel_is_a_warning(netc: Netc) -> None:
    done = netc("check", "-e", POOLED, "--device", "cuda", "--format", "short")
    assert done.exit_code == 0
    assert done.stdout.startswith("<text>:1:16: warning[no-kernel]: `max_pool` has no kernel on CUDA")


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


def test_tensorrt_reads_some_opsets(netc: Netc) -> None:
    done = netc("check", "-e", POOLED, "--device", "tensorrt", "--opset", "25")
    assert (done.exit_code, "TensorRT 10.15 reads opsets 9 to 24, not 25" in done.stderr) == (2, True)


def test_an_opset_needs_a_device(netc: Netc) -> None:
    done = netc("check", "-e", POOLED, "--opset", "21")
    assert (done.exit_code, "--opset is for --device" in done.stderr) == (2, True)


def test_a_stage_that_onnx_lacks_is_an_error(netc: Netc) -> None:
    done = netc("check", "-e", "cost = input [T, T]; cost -> match", "--device", "cuda", "--format", "short")
    assert (done.exit_code, "error[onnx-unsupported]" in done.stdout) == (1, True)
