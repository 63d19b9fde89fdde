"""`scan` as ONNX's Scan: what is in its body, and what is outside."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto

import netc

Z = "z = table (n, i) [N, 4] float32 = 0\n"


def written(text: str) -> ModelProto:
    proto = netc.compile(text).onnx(seed=0)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def scans(graph: GraphProto) -> list[NodeProto]:
    return [node for node in graph.node if node.op_type == "Scan"]


def body(node: NodeProto) -> GraphProto:
    return next(a.g for a in node.attribute if a.name == "body")


def attribute(node: NodeProto, name: str) -> object:
    return next((onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)


def test_weights_are_outside() -> None:
    """Initializers of the model, under their own names; and the body has nodes for what changes from step to step only."""
    step = "h = (in -> dense 4 as a) + (h -> dense 4 as b) + exp(z) -> tanh"
    proto = written(f"x = input [T, 4]\n{Z}x -> scan (h = z) axis=1 {{ {step} }}")
    (node,) = scans(proto.graph)
    inner = body(node)
    assert not inner.initializer
    assert {"a.weight", "a.bias", "b.weight", "b.bias"} <= {t.name for t in proto.graph.initializer}
    assert "Exp" not in {n.op_type for n in inner.node}
    assert "Exp" in {n.op_type for n in proto.graph.node}


def test_a_weight_of_a_matrix_in_each_step_is_turned_once() -> None:
    """The turned weight is an initializer of the model, and the body multiplies by it."""
    zeros = "z = table (n, s, i) [N, 2, 4] float32 = 0\n"
    model = netc.compile(f"x = input [T, 2, 4]\n{zeros}x -> scan (h = z) axis=1 {{ h = h / 2 + (in -> dense 4 as a) }}")
    module = model.module(seed=0)
    (node,) = scans(model.onnx(seed=0).graph)
    assert "Transpose" not in {n.op_type for n in body(node).node}
    x = torch.randn(3, 5, 2, 4, generator=torch.Generator().manual_seed(0))
    found = model.session(module.state_dict())(x.numpy())
    h, steps = torch.zeros(3, 2, 4), []
    for step in x.unbind(1):
        h = h / 2 + torch.nn.functional.linear(step, module.state_dict()["a.weight"], module.state_dict()["a.bias"])
        steps.append(h)
    np.testing.assert_allclose(found, torch.stack(steps, 1).numpy(), atol=1e-5)


def test_attributes() -> None:
    (node,) = scans(written(f"x = input [4, T]\n{Z}x -> scan (h = z) axis=2 reverse=true {{ h = h + in }}").graph)
    assert attribute(node, "num_scan_inputs") == 1
    assert attribute(node, "scan_input_axes") == attribute(node, "scan_output_axes") == [2]
    assert attribute(node, "scan_input_directions") == attribute(node, "scan_output_directions") == [1]


def test_what_is_not_taken() -> None:
    """Results of the steps that nothing takes are not stacked; the last states are results in any case."""
    text = f"x = input [T, 4]\n{Z}(a, _, last) = x -> scan (h = z) axis=1 {{ h = h + in; out h, h * 2 }}\n"
    (node,) = scans(written(text + "out a, last").graph)
    assert len(node.output) == 2
    assert {n.op_type for n in body(node).node} == {"Add", "Identity"}
    (node,) = scans(written(text + "out last").graph)
    assert len(node.output) == len(body(node).output) == 1


def test_sizes() -> None:
    """Sizes are computed once, from the model's inputs, even where a step alone needs them."""
    text = f"x = input [T, 4]\n{Z}x -> scan (h = z) axis=1 {{ h = h + in / T }}"
    (node,) = scans(written(text).graph)
    assert "Shape" not in {n.op_type for n in body(node).node}


def test_within() -> None:
    """A loop in a loop, with a weight of the model and a tensor of the outer step."""
    step = "row = in -> scan (g = h) axis=1 { g = g + in -> dense 4 as a }\n h = h + 1\n out row"
    proto = written(f"x = input [T, S, 4]\n{Z}x -> scan (h = z) axis=1 {{ {step} }}")
    (outer,) = scans(proto.graph)
    (inner,) = scans(body(outer))
    assert body(inner).node
    assert "a.weight" in {t.name for t in proto.graph.initializer}
