"""Where nodes run, as ONNX Runtime says: on the CPU all are there; asked as if for CUDA, all nodes have fallen back
except the nodes that compute sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netc
from netc.compiler.backends.onnx.placement import Placement, find_placement
from netc.compiler.backends.onnx.runtime import OnnxSession

SIZES = "x = input [T, 4]; x * T"
"""Shape, what makes a number of it, and the product."""


def test_on_the_cpu() -> None:
    found = netc.compile("input 3 -> dense 2 -> softmax").session(seed=0).placement()
    assert (found.on_device, found.sizes, found.fallen_back) == (2, 0, ())
    assert found.format_sentence("cpu") == "all 2 nodes run on CPU"


def test_what_fell_back_is_named() -> None:
    session = netc.compile("input 3 -> dense 2 as head -> softmax").session(seed=0)
    found = find_placement(session._session, "cuda", *session._load_nodes())
    assert found.on_device == 0
    assert [one.split()[0] for one in found.fallen_back] == ["Gemm", "Softmax"]
    assert found.format_sentence("cuda").startswith("0 nodes run on CUDA, and 2 on the CPU: Gemm `head")


def test_nodes_of_sizes_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    netc.compile(SIZES).save(path, seed=0)
    for session in (netc.compile(SIZES).session(seed=0), OnnxSession(path)):
        found = find_placement(session._session, "cuda", *session._load_nodes())
        assert found.sizes == 3
        assert [one.split()[0] for one in found.fallen_back] == ["Mul"]
        assert f"{found.sizes} that compute sizes" in found.format_sentence("cuda")


def test_many_are_not_all_named() -> None:
    said = Placement(1, 0, tuple(f"Add `{n}`" for n in range(9))).format_sentence("cuda")
    assert said == "1 nodes run on CUDA, and 9 on the CPU: Add `0`, Add `1`, Add `2`, Add `3`, Add `4`, ..."


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_bound_inputs_take_every_type(dtype: str) -> None:
    """A run on inputs that are bound gives what a call gives; an input that does not fit is refused."""
    session = netc.compile(f"input 3 {dtype} -> reshape [N, 3, 1]").session()
    run = session.bound({"input": np.ones((2, 3), np.float32)})
    run()
    run()
    with pytest.raises(ValueError, match="the input `input` is"):
        session.bound({"input": np.ones((2, 4), np.float32)})


def test_threads_are_settings_of_the_session() -> None:
    model = netc.compile("input 3 -> dense 2")
    options: Any = OnnxSession(model.onnx(seed=0), threads=1)._session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
