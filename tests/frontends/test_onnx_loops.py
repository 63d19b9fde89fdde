"""Scan, Loop, If, and recurrent layers that netc has no operator for: ONNX Runtime is the judge, at two sizes of each axis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from frontends.onnx_models import model, node
from frontends.onnx_parity import same
from onnx import TensorProto, helper

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.onnx import from_model
from netc.compiler.ir.graph import CallNode

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
WEIGHT = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)


def info(name: str, kind: int = TensorProto.FLOAT, shape: Sequence[int | None] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def scan(**attributes: Any) -> onnx.ModelProto:
    nodes = [node("MatMul", ["h", "W"], ["hw"]), node("Add", ["hw", "xt"], ["s"]), node("Tanh", ["s"], ["h2"])]
    given = [info("h", shape=[None, 4]), info("xt", shape=[None, 4])]
    body = helper.make_graph([*nodes, node("Mul", ["h2", "xt"], ["o"])], "body", given, [info("h2"), info("o")])
    outer = [node("Scan", ["h0", "x"], ["last", "ys"], body=body, num_scan_inputs=1, **attributes), node("Relu", ["ys"], ["y"])]
    return model(outer, {"h0": ["N", 4], "x": ["N", "T", 4]}, ["y", "last"], {"W": WEIGHT})


@pytest.mark.parametrize(
    "attributes",
    [
        {"scan_input_axes": [1], "scan_output_axes": [1]},
        {"scan_input_axes": [1]},
        {"scan_input_axes": [1], "scan_output_axes": [-2], "scan_input_directions": [1], "scan_output_directions": [1]},
        {"scan_input_axes": [-2], "scan_input_directions": [1]},
    ],
    ids=["along", "stacked elsewhere", "backwards", "backwards in"],
)
def test_scan(attributes: dict[str, Any]) -> None:
    made = same(scan(**attributes))
    assert [type(n) for n in made.program.main.nodes].count(CallNode) == 1
    assert "scan (" in netc.Model(made.program).spec()


def loop(count: int | None, *, grows: bool = False, goes: str = "c") -> onnx.ModelProto:
    """`count` steps, or as many as an axis has; two tensors are carried, and a third that gets longer."""
    nodes = [node("MatMul", ["a", "W"], ["aw"]), node("Add", ["aw", "b"], ["a2"]), node("Cast", ["i"], ["f"], to=TensorProto.FLOAT)]
    nodes += [node("Mul", ["b", "f"], ["b2"]), node("ReduceSum", ["b2"], ["sum"], keepdims=0), node("Greater", ["sum", "zero"], ["data"])]
    nodes += [node("Identity", [goes], ["c2"])] + ([node("Concat", ["g", "a2"], ["g2"], axis=1)] if grows else [])
    states = ["a", "b", *(["g"] if grows else [])]
    given = [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), *(info(s) for s in states)]
    body = helper.make_graph(nodes, "body", given, [info("c2", TensorProto.BOOL, []), *(info(f"{s}2") for s in states), info("a2")])
    results = ["p", "q", *(["r"] if grows else []), "stacked"]
    outer = [node("Loop", ["M", "", "x", "z", *(["x"] if grows else [])], results, body=body)]
    numbers: dict[str, Any] = {"W": WEIGHT, "zero": np.float32(0)}
    inputs: dict[str, Any] = {"x": ["N", 4], "z": ["N", 4]}
    if count is None:
        outer = [node("Shape", ["w"], ["sizes"]), node("Gather", ["sizes", "one"], ["M"]), *outer]
        return model(outer, {**inputs, "w": ["N", "T"]}, results, {**numbers, "one": np.array(1)})
    return model(outer, inputs, results, {**numbers, "M": np.array(count)})


@pytest.mark.parametrize("count", [1, 3, None])
def test_loop_of_two_tensors(count: int | None) -> None:
    made = same(loop(count))
    assert any(isinstance(n, CallNode) and n.scan is not None and n.scan.states == 2 for n in made.program.main.nodes)
    assert set(made.weights) == {"dense1.weight"}


def states_only(count: int | None) -> onnx.ModelProto:
    """Each step makes the second tensor the first, and the sum of both the second; nothing is stacked."""
    given = [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("a"), info("b")]
    nodes = [node("Identity", ["c"], ["c2"]), node("Identity", ["b"], ["a2"]), node("Add", ["a", "b"], ["b2"])]
    body = helper.make_graph(nodes, "body", given, [info("c2", TensorProto.BOOL, []), info("a2"), info("b2")])
    outer = [node("Loop", ["M", "", "x", "z"], ["p", "q"], body=body)]
    if count is None:
        sizes = [node("Shape", ["w"], ["sizes"]), node("Gather", ["sizes", "one"], ["M"])]
        inputs: dict[str, Any] = {"x": ["N", 4], "z": ["N", 4], "w": ["N", "T"]}
        return model([*sizes, *outer], inputs, ["p", "q"], {"one": np.array(1)})
    return model(outer, {"x": ["N", 4], "z": ["N", 4]}, ["p", "q"], {"M": np.array(count)})


@pytest.mark.parametrize("count", [6, 3000, None])
def test_loops_of_which_only_the_last_states_are_used(count: int | None) -> None:
    """As a script of PyTorch exports `for _ in range(n)`. The text gives its states what the file gives them."""
    given = states_only(count)
    if count == 3000:  # sums of 3,000 steps overflow, means do not
        given.graph.node[0].attribute[0].g.node[2].op_type = "Mean"
    text = netc.Model(same(given).program).spec()
    assert "(_, p, q) = " in text
    again = netc.compile(text)
    x, z = (np.random.default_rng(k).standard_normal((2, 4)).astype(np.float32) for k in range(2))
    if count == 6:
        found = again.session({})(x, z, *([np.zeros((2, 5), np.float32)] if count is None else []))
        np.testing.assert_allclose(found["p"], 5 * x + 8 * z, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found["q"], 8 * x + 13 * z, rtol=1e-5, atol=1e-5)


def test_a_scan_of_which_only_the_last_state_is_used() -> None:
    """Its state has fewer axes than the one before the axis that is scanned."""
    nodes = [node("ReduceSum", ["xt"], ["s"], keepdims=0), node("Add", ["h", "s"], ["h2"])]
    body = helper.make_graph(nodes, "body", [info("h", shape=[]), info("xt", shape=[None, 3])], [info("h2", shape=[])])
    outer = [node("Scan", ["h0", "x"], ["y"], body=body, num_scan_inputs=1, scan_input_axes=[1])]
    made = same(model(outer, {"x": ["N", "T", 3]}, ["y"], {"h0": np.float32(0)}))
    netc.compile(netc.Model(made.program).spec())


@pytest.mark.parametrize("count", [0, -1])
def test_a_loop_without_a_step_gives_what_its_states_start_with(count: int) -> None:
    same(states_only(count))


def test_loop_whose_state_grows_is_written_step_by_step() -> None:
    made = same(loop(3, grows=True))
    assert not any(isinstance(n, CallNode) for n in made.program.main.nodes)
    assert set(made.weights) == {"dense1.weight"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (loop(None, grows=True), "before a step"),
        (loop(3, goes="data"), "stops when data say so"),
        (loop(100, grows=True), "before a step"),
        (loop(2**50), "more than"),
    ],
    ids=["grows by an axis", "stops", "grows long", "gigantic"],
)
def test_loops_that_are_refused(given: onnx.ModelProto, why: str) -> None:
    with pytest.raises(ImportFailed) as caught:
        from_model(given)
    (obstacle,) = caught.value.obstacles
    assert why in obstacle.why


def counted(
    bound: int | str = "T", start: int = 0, step: int = 1, op: str = "Less", trips: str = "", *, both: bool = False
) -> onnx.ModelProto:
    """`while i < n`, as converters from TensorFlow write recurrent layers: `i` begins at `start`, `n` is an axis of `x`."""
    pair = ["i2", "n"] if op.startswith("Less") else ["n", "i2"]
    nodes = [node("Add", ["i", "step"], ["i2"]), node(op, pair, ["l"]), node("Gather", ["x", "i"], ["xi"], axis=1)]
    nodes += [node("Less", ["k", "n"], ["lk"]), node("And", ["l", "lk"], ["c2"])] if both else [node("Identity", ["l"], ["c2"])]
    nodes += [node("Add", ["h", "xi"], ["h2"]), node("Identity", ["h2"], ["o"])]
    given = [info("k", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("i", TensorProto.INT64, []), info("h")]
    made = [info("c2", TensorProto.BOOL, []), info("i2", TensorProto.INT64, []), info("h2"), info("o")]
    outer = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "one"], ["n"]), node("Less", ["i0", "n"], ["c0"])]
    outer.append(node("Loop", [trips, "c0", "i0", "h0"], ["last", "h", "ys"], body=helper.make_graph(nodes, "body", given, made)))
    numbers = {"one": np.array(1), "i0": np.array(start), "step": np.array(step), "most": np.array(2**62), "three": np.array(3)}
    return model(outer, {"x": ["N", bound, 3], "h0": ["N", 3]}, ["h", "ys"], numbers)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"step": 2},
        {"op": "Greater"},
        {"both": True},
        {"trips": "most"},
        {"bound": 5},
        {"bound": 5, "step": 2},
        {"bound": 6, "start": 1, "step": 2},
        {"bound": 5, "start": 4},
        {"bound": 5, "trips": "three"},
        {"bound": 2, "trips": "three"},
    ],
    ids=str,
)
def test_a_loop_that_counts_to_a_size(options: dict[str, Any]) -> None:
    """ONNX Runtime looks at the condition after each step; here the number of steps is known before."""
    made = same(counted(**options))
    assert any(isinstance(n, CallNode) and n.scan is not None for n in made.program.main.nodes)


@pytest.mark.parametrize("wrong", ["step", "product", "data"])
def test_a_loop_that_does_not_count_is_refused(wrong: str) -> None:
    """Its number stays, doubles, or is made of the data."""
    given = counted(step=0 if wrong == "step" else 1, start=1)
    add = given.graph.node[-1].attribute[0].g.node[0]
    if wrong == "product":
        add.op_type = "Mul"
    elif wrong == "data":
        del given.graph.initializer[1]
        given.graph.input.append(info("i0", TensorProto.INT64, []))
        del given.graph.node[2]
        given.graph.node[-1].input[1] = ""
    with pytest.raises(ImportFailed):
        from_model(given)


def test_a_loop_that_runs_as_long_as_an_input_says() -> None:
    given = loop(3)
    del given.graph.initializer[-1]
    given.graph.input.append(info("M", TensorProto.INT64, []))
    with pytest.raises(ImportFailed) as caught:
        from_model(given)
    assert "`--set M=...`" in caught.value.format_lines()[0]
    same(given, fixed={"M": 2})


def test_an_obstacle_inside_is_reported_once() -> None:
    body = helper.make_graph([node("NonZero", ["xt"], ["o"])], "body", [info("xt", shape=[4])], [info("o")])
    given = model([node("Scan", ["x"], ["y"], body=body, num_scan_inputs=1)], {"x": ["T", 4]}, ["y"])
    with pytest.raises(ImportFailed) as caught:
        from_model(given)
    assert [o.what for o in caught.value.obstacles] == ["NonZero"]


def branches(*, other: str = "Neg") -> onnx.ModelProto:
    """`If` of whether the mean is positive."""
    graphs = {
        f"{name}_branch": helper.make_graph([node(op, ["x"], [name])], name, [], [info(name)])
        for name, op in (("then", "Relu"), ("else", other))
    }
    nodes = [node("ReduceMean", ["x"], ["m"], keepdims=0), node("Greater", ["m", "zero"], ["b"]), node("If", ["b"], ["y"], **graphs)]
    return model(nodes, {"x": ["N", 4]}, ["y"], {"zero": np.float32(0)})


def test_both_branches_of_a_condition_on_data() -> None:
    made = same(branches())
    assert [n.op.name for n in made.program.main.nodes][-1] == "where"  # type: ignore[union-attr]
    with pytest.raises(ImportFailed) as caught:
        from_model(branches(other="Transpose"))
    assert "one type here" in caught.value.format_lines()[0]


def recurrent(kind: str, direction: str, *, starts: bool, **options: Any) -> onnx.ModelProto:
    generator = np.random.default_rng(1)
    ways, hidden, features = 2 if direction == "bidirectional" else 1, 4, 3
    sizes = {"W": (GATES[kind] * hidden, features), "R": (GATES[kind] * hidden, hidden), "B": (2 * GATES[kind] * hidden,)}
    if options.pop("peepholes", False):
        sizes["P"] = (3 * hidden,)
    numbers = {name: generator.standard_normal((ways, *size)).astype(np.float32) for name, size in sizes.items()}
    inputs: dict[str, Any] = {"x": ["T", "N", features]}
    states = {"LSTM": ("h0", "c0")}.get(kind, ("h0",)) if starts else ()
    lengths = options.pop("lengths", False)
    given = ["x", "W", "R", "B", "lengths" if lengths else "", *states]
    if "P" in numbers:
        given += [*[""] * (7 - len(given)), "P"]
    inputs |= {"lengths": ["N"]} if lengths else {}
    inputs |= {name: [ways, "N", hidden] for name in states}
    while not given[-1]:
        given.pop()
    names = ["x", *(n for n in given if n in inputs and n != "x")]
    outputs = ["y", "h", *(["c"] if kind == "LSTM" else [])]
    made = node(kind, given, outputs, hidden_size=hidden, direction=direction, **options)
    return model([made], {n: inputs[n] for n in names}, outputs, numbers, types={"lengths": TensorProto.INT32})


def options_of(kind: str, ways: int) -> list[dict[str, Any]]:
    shared: list[dict[str, Any]] = [{"clip": 0.5}, {"lengths": True}]
    return (
        shared
        + {
            "LSTM": [
                {"peepholes": True},
                {"peepholes": True, "input_forget": 1},
                {"activations": ["HardSigmoid", "Softsign", "Elu"] * ways},
            ],
            "GRU": [{}, {"linear_before_reset": 1, "clip": 0.3}, {"activations": ["HardSigmoid", "Relu"] * ways}],
            "RNN": [{"activations": ["LeakyRelu"] * ways, "activation_alpha": [0.3] * ways}],
        }[kind]
    )


CASES = [
    pytest.param(kind, direction, starts, options, id=f"{kind}-{direction}-{starts}-{'-'.join(options) or 'usual'}")
    for kind in GATES
    for direction in ("forward", "reverse", "bidirectional")
    for starts in (False, True)
    for options in options_of(kind, 2 if direction == "bidirectional" else 1)
]


@pytest.mark.share(4)
@pytest.mark.parametrize(("kind", "direction", "starts", "options"), CASES)
def test_recurrent_layers_that_are_written_out(kind: str, direction: str, starts: bool, options: dict[str, Any]) -> None:
    made = same(recurrent(kind, direction, starts=starts, **options), limits={"lengths": 5}, sizes={"T": (4, 7)})
    assert any(isinstance(n, CallNode) and n.scan is not None for n in made.program.main.nodes)


def test_a_cell_of_two_loops_is_refused(tmp_path: Path) -> None:
    """The message names the weight."""
    zeros = "zeros = table (n, i) [N, 4] float32 = 0"
    loop = "scan (h = zeros) axis=1 { h = (in, h) -> cell }"
    spec = netc.compile(f"shared cell = gru_cell 4 as cell\nx = input [T, 4]\n{zeros}\nx -> {loop} -> {loop}")
    spec.save(tmp_path / "m.onnx", seed=1)
    with pytest.raises(ImportFailed, match=r"shares the weight `cell.\w+` with a stage outside of this loop.*copy the weights before"):
        netc.from_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 0), (1, 1), (0, 0), (2, 1)])
def test_a_body_without_the_values_of_a_loop(inputs: int, outputs: int) -> None:
    """The body has the step and the condition as inputs, and the condition and all states as outputs."""
    given = [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("h")][:inputs]
    body = helper.make_graph([], "body", given, [info("c", TensorProto.BOOL, [])][:outputs])
    nodes = [node("Loop", ["count", "", "x"], ["y"], body=body)]
    with pytest.raises(ImportFailed, match="does not have the inputs and outputs of a loop"):
        from_model(model(nodes, {"x": ["N", 4]}, ["y"], {"count": np.array(3)}))
