"""The functions by which the ONNX standard defines operators compute what ONNX Runtime computes for the operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from netc.compiler.onnx_standard.standard_functions import bind_attributes, find_function

X = np.array([[-4.0, -0.5, 0.0, 0.75, 3.0], [1.0, 2.0, -1.0, 0.1, 8.0]], np.float32)
SCALE = np.array([1.0, -2.0, 0.5, 3.0, 0.0], np.float32)
CALLS: list[tuple[str, dict[str, Any], list[np.ndarray]]] = [
    ("Elu", {}, [X]),
    ("Elu", {"alpha": 0.5}, [X]),
    ("HardSigmoid", {"beta": 0.25}, [X]),
    ("Selu", {}, [X]),
    ("Softmax", {"axis": 0}, [X]),
    ("LayerNormalization", {}, [X, SCALE]),
    ("LayerNormalization", {"epsilon": 0.5}, [X, SCALE]),
]


def compute(nodes: list[onnx.NodeProto], names: list[str], arrays: list[np.ndarray], output: str, opsets: Any) -> np.ndarray:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in zip(names, arrays, strict=True)]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    result: np.ndarray = session.run([output], dict(zip(names, arrays, strict=True)))[0]
    return result


@pytest.mark.parametrize(("op_type", "attributes", "arrays"), CALLS, ids=[f"{name} {options}" for name, options, _ in CALLS])
def test_a_function_with_the_attributes_of_a_call_is_the_operator(
    op_type: str, attributes: dict[str, Any], arrays: list[np.ndarray]
) -> None:
    names = ["a", "b"][: len(arrays)]
    node = helper.make_node(op_type, names, ["y"], **attributes)
    types = [helper.make_tensor_type_proto(TensorProto.FLOAT, array.shape) for array in arrays]
    function = find_function(node, types, 18)
    assert function is not None
    inputs = list(function.input)[: len(arrays)]
    expanded = compute(bind_attributes(function, node), inputs, arrays, function.output[0], function.opset_import)
    np.testing.assert_allclose(expanded, compute([node], names, arrays, "y", [helper.make_opsetid("", 18)]), rtol=1e-5, atol=1e-6)


def test_an_opset_has_no_function_of_later_operators() -> None:
    """The function of `Elu` has operators in the form of opset 18."""
    node, types = helper.make_node("Elu", ["x"], ["y"]), [helper.make_tensor_type_proto(TensorProto.FLOAT, [2])]
    assert find_function(node, types, 17) is None
    assert find_function(helper.make_node("Conv", ["x", "w"], ["y"]), types, 18) is None
    assert find_function(helper.make_node("NoOperator", ["x"], ["y"]), types, 18) is None
