"""Models of the zoo in ONNX Runtime Web. It is the judge of the table of kernels, and ONNX Runtime's CPU of the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from zoo.small import SMALL

import netc
from netc.compiler.backends.backend import GraphOptions
from netc.compiler.backends.onnx import BACKEND
from netc.compiler.backends.onnx.graph_and_tensors import GraphAndTensors
from netc.compiler.backends.onnx.kernels.kernel_table import load_kernel_table
from netc.compiler.backends.onnx.kernels.typed_nodes import list_nodes
from netc.compiler.backends.onnx.onnx_model import build_graph
from netc.proving.check_kernels import choose_opset
from tests.prediction.test_example_page import in_chromium
from tests.web.web_sessions import WebRun, run_cases, write_case

QUICK = ("resnet", "gpt2", "tagger", "mobilenet_v3", "roberta", "squeezenet", "vit")
"""Models with all kernels, with a recurrence, with arithmetic of int64 that WebGPU lacks, and with nodes whose kernels once failed."""


def list_known_nodes(graph: GraphAndTensors) -> set[tuple[str, str]]:
    """List the nodes of data whose operator some provider has: others are replaced by their definitions."""
    known = {*load_kernel_table("web").kernels, *load_kernel_table("cpu").kernels}
    return {(node.op_type, node.name) for node in list_nodes(graph) if node.role == "data" and node.op_type in known}


def run_small_models(folder: Path, names: Sequence[str], provider: str) -> dict[str, WebRun]:
    """Run small models of the zoo. Raises AssertionError unless WebGPU lacks what the table says, and the results are right."""
    cases, wanted, lacks, known = [], {}, {}, {}
    for name in names:
        model, file = SMALL[name].compiled(), name.replace(" ", "_")
        check = choose_opset(model.program, "web")
        given = model.backend_input(None, 0, GraphOptions(opset=check.opset, device="web"))
        data = BACKEND.proto(given).SerializeToString()
        (folder / f"{file}.onnx").write_bytes(data)
        known[file] = list_known_nodes(build_graph(given.program, given.open_arrays(), given.name, options=given.options))
        lacks[file] = {(missing.op_type, missing.node) for missing in check.report.missing if not missing.is_wrong} & known[file]
        arrays = [tensor.numpy() for tensor in SMALL[name].inputs(model)]
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        feeds = {port.name: array for port, array in zip(session.get_inputs(), arrays, strict=True)}
        wanted[file] = dict(zip([port.name for port in session.get_outputs()], session.run(None, feeds), strict=True))
        cases.append(write_case(folder, file, feeds))
    runs = run_cases(folder, cases, provider)
    for file, results in wanted.items():
        assert runs[file].problem == "", (file, runs[file].problem)
        if provider == "webgpu":
            assert runs[file].lacks & known[file] == lacks[file], file
        for key, array in results.items():
            scale = np.abs(array).max(initial=1e-6, where=np.isfinite(array))
            np.testing.assert_allclose(runs[file].outputs[key], array.ravel(), rtol=0, atol=1e-4 * scale, err_msg=file)
    return runs


@pytest.mark.long
@in_chromium
@pytest.mark.parametrize("provider", ["webgpu", "wasm"])
def test_models_run_in_the_browser(tmp_path: Path, provider: str) -> None:
    run_small_models(tmp_path, QUICK, provider)


def test_a_model_is_written_in_forms_that_have_kernels() -> None:
    program = netc.compile("x = input [T, 8]; y = input [T, 8]; x + y -> layer_norm -> dense 3 -> log_softmax").program
    check = choose_opset(program, "web")
    assert (check.report.missing, check.opset) == ((), 23)
