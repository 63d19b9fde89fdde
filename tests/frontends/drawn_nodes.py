"""ONNX nodes whose attributes, shapes and constants are drawn at random. ONNX Runtime says what they compute.

A family draws nodes that read `x`, and `y` if there is a second tensor, and make the results `a`, `b` and `c`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from random import Random
from typing import Any, NamedTuple

import numpy as np
import onnx
from frontends.onnx_models import node
from onnx import TensorProto

FLOAT, DOUBLE, BOOL = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BOOL
INT32, INT64, UINT8, INT8 = TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8, TensorProto.INT8
EQUATIONS = (
    *("ij,jk->ik", "bij,bjk->bik", "ij->ji", "ii->i", "ii", "ij,ij->"),
    *("bhid,bhjd->bhij", "i,j->ij", "ij->j", "abc,cd->abd", "ij,kj->ik"),
)
FAMILIES: dict[str, Callable[[Draw], DrawnNode]] = {}


class DrawnNode(NamedTuple):
    """`fed` are the inputs whose values matter, such as indices; the others are drawn. `is_fixed`: no axis may be symbolic."""

    node: onnx.NodeProto
    shapes: Mapping[str, list[int]]
    constants: Mapping[str, Any] = {}
    type: int = FLOAT
    opset: int = 13
    fed: Mapping[str, Any] = {}
    is_fixed: bool = False


class Draw(Random):
    """Draws what nodes have."""

    def shape(self, rank: int, least: int = 1, most: int = 5) -> list[int]:
        return [self.randint(least, most) for _ in range(rank)]

    def axis(self, rank: int) -> int:
        """Counts from the front or from the end."""
        return self.randint(-rank, rank - 1)

    def axes(self, rank: int, count: int) -> list[int]:
        return [self.choice([axis, axis - rank]) for axis in self.sample(range(rank), count)]

    def maybe(self, **attributes: Any) -> dict[str, Any]:
        """Keep each with a probability of one half."""
        return {name: value for name, value in attributes.items() if self.random() < 0.5}

    def array(self, shape: list[int], type: int = FLOAT) -> Any:
        """Numbers of mean 0 and deviation 1, or small integers."""
        generator = np.random.default_rng(self.randrange(1 << 31))
        if type in (FLOAT, DOUBLE):
            return generator.standard_normal(shape).astype(np.float32 if type == FLOAT else np.float64)
        return generator.integers(0 if type in (BOOL, UINT8) else -5, 2 if type == BOOL else 6, shape).astype(
            onnx.helper.tensor_dtype_to_np_dtype(type)
        )

    def indices(self, size: int, shape: list[int]) -> Any:
        """Positions of an axis, which count from the front or from the end."""
        return np.random.default_rng(self.randrange(1 << 31)).integers(-size, size, shape)


def family(draw: Callable[[Draw], DrawnNode]) -> Callable[[Draw], DrawnNode]:
    FAMILIES[draw.__name__.removeprefix("draw_")] = draw
    return draw


@family
def draw_reduction(r: Draw) -> DrawnNode:
    rank = r.randint(1, 4)
    op = r.choice(
        ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"]
    )
    axes, attributes = r.axes(rank, r.randint(0, rank)), r.maybe(keepdims=r.randint(0, 1))
    kind = r.choice([FLOAT, FLOAT, DOUBLE, *([INT32] if op not in ("ReduceMean", "ReduceLogSumExp", "ReduceL2") else [])])
    if op == "ReduceSum" or r.random() < 0.5:
        attributes |= r.maybe(noop_with_empty_axes=r.randint(0, 1))
        constants = {"axes": np.array(axes)} if axes else {}
        return DrawnNode(node(op, ["x", *constants], ["a"], **attributes), {"x": r.shape(rank)}, constants, kind, 18)
    return DrawnNode(node(op, ["x"], ["a"], **attributes | ({"axes": axes} if axes else {})), {"x": r.shape(rank)}, {}, kind)


@family
def draw_extreme(r: Draw) -> DrawnNode:
    rank = r.randint(1, 4)
    attributes = r.maybe(axis=r.axis(rank), keepdims=r.randint(0, 1), select_last_index=r.randint(0, 1))
    return DrawnNode(node(r.choice(["ArgMax", "ArgMin"]), ["x"], ["a"], **attributes), {"x": r.shape(rank)}, {}, r.choice([FLOAT, INT32]))


@family
def draw_sums_along(r: Draw) -> DrawnNode:
    rank = r.randint(1, 4)
    made = node("CumSum", ["x", "axis"], ["a"], **r.maybe(exclusive=r.randint(0, 1), reverse=r.randint(0, 1)))
    return DrawnNode(made, {"x": r.shape(rank)}, {"axis": np.array(r.axis(rank))}, r.choice([FLOAT, INT64]), 14)


@family
def draw_triangle(r: Draw) -> DrawnNode:
    constants = r.maybe(k=np.array(r.randint(-6, 6)))
    return DrawnNode(
        node("Trilu", ["x", *constants], ["a"], **r.maybe(upper=r.randint(0, 1))), {"x": r.shape(r.randint(2, 4))}, constants, opset=14
    )


@family
def draw_padding(r: Draw) -> DrawnNode:
    rank, mode = r.randint(1, 4), r.choice(["constant", "reflect", "edge", "wrap"])
    shape = r.shape(rank, 3)
    axes = r.axes(rank, r.randint(1, min(rank, 2)))
    constants = {"amounts": np.array([r.randint(-(mode == "constant"), 2) for _ in 2 * axes])}
    constants |= {"value": np.array(r.choice([1.5, -2.0]), np.float32), "axes": np.array(axes)}
    return DrawnNode(node("Pad", ["x", *constants], ["a"], mode=mode), {"x": shape}, constants, opset=19)


@family
def draw_parts(r: Draw) -> DrawnNode:
    rank = r.randint(1, 3)
    shape, axis, count = r.shape(rank, 3, 7), r.axis(rank), r.randint(1, 3)
    cuts = sorted(r.sample(range(1, shape[axis]), count - 1))
    sizes = [end - start for start, end in zip([0, *cuts], [*cuts, shape[axis]], strict=True)]
    return DrawnNode(
        node("Split", ["x", "sizes"], ["a", "b", "c"][:count], axis=axis), {"x": shape}, {"sizes": np.array(sizes)}, is_fixed=True
    )


@family
def draw_gathering(r: Draw) -> DrawnNode:
    rank = r.randint(1, 4)
    shape, axis = r.shape(rank), r.axis(rank)
    index = r.indices(shape[axis], r.shape(r.randint(0, 2), 1, 3))
    made = node("Gather", ["x", "y"], ["a"], axis=axis)
    if r.random() < 0.5:
        return DrawnNode(made, {"x": shape}, {"y": index}, is_fixed=True)
    return DrawnNode(made, {"x": shape, "y": list(index.shape)}, fed={"y": index})


@family
def draw_gathering_of_slices(r: Draw) -> DrawnNode:
    rank = r.randint(1, 4)
    shape, batch = r.shape(rank), r.randint(0, rank - 1)
    depth, loose = r.randint(1, rank - batch), r.shape(r.randint(0, 2), 1, 3)
    index = np.stack([r.indices(shape[batch + n], [*shape[:batch], *loose]) for n in range(depth)], -1)
    return DrawnNode(node("GatherND", ["x", "y"], ["a"], batch_dims=batch), {"x": shape}, {"y": index}, is_fixed=True)


@family
def draw_gathering_of_elements(r: Draw) -> DrawnNode:
    rank = r.randint(1, 3)
    shape, axis = r.shape(rank), r.axis(rank)
    wanted = [r.randint(1, 4) if n == axis % rank else r.randint(1, size) for n, size in enumerate(shape)]
    return DrawnNode(
        node("GatherElements", ["x", "y"], ["a"], axis=axis), {"x": shape, "y": wanted}, fed={"y": r.indices(shape[axis], wanted)}
    )


@family
def draw_scattering(r: Draw) -> DrawnNode:
    rank = r.randint(1, 3)
    shape, axis = r.shape(rank, 2), r.axis(rank)
    index = r.indices(shape[axis], [r.randint(1, size) for size in shape])
    constants = {"index": index, "updates": r.array(list(index.shape))}
    reduction = r.choice(["add", "mul", "max", "min"])
    made = node("ScatterElements", ["x", *constants], ["a"], axis=axis, reduction=reduction)
    return DrawnNode(made, {"x": shape}, constants, opset=18, is_fixed=True)


@family
def draw_classes(r: Draw) -> DrawnNode:
    shape = r.shape(r.randint(1, 3))
    constants = {"depth": np.array(r.randint(1, 5)), "values": np.array([r.choice([0, -1]), r.choice([1, 3])], np.float32)}
    return DrawnNode(node("OneHot", ["x", *constants], ["a"], axis=r.axis(len(shape) + 1)), {"x": shape}, constants, INT64)


@family
def draw_largest(r: Draw) -> DrawnNode:
    rank = r.randint(1, 3)
    shape, axis = r.shape(rank, 2, 6), r.axis(rank)
    made = node("TopK", ["x", "k"], ["a", "b"], axis=axis, largest=r.randint(0, 1))
    return DrawnNode(made, {"x": shape}, {"k": np.array([r.randint(1, shape[axis])])}, is_fixed=True)


@family
def draw_shape(r: Draw) -> DrawnNode:
    shape = r.shape(r.randint(1, 4), 1, 4)
    wanted, left = [], prod(shape)
    for _ in range(r.randint(0, 3)):
        wanted.append(r.choice([size for size in range(1, left + 1) if left % size == 0]))
        left //= wanted[-1]
    wanted.insert(r.randint(0, len(wanted)), -1)
    wanted = [0 if n < len(shape) and size == shape[n] and r.random() < 0.5 else size for n, size in enumerate(wanted)]
    return DrawnNode(node("Reshape", ["x", "shape"], ["a"]), {"x": shape}, {"shape": np.array(wanted)})


@family
def draw_expansion(r: Draw) -> DrawnNode:
    """Sizes of 1 are in the tensor, in the shape, or in both."""
    shape = [r.choice([1, 1, 3]) for _ in range(r.randint(1, 4))]
    wanted = [r.choice([1, size]) if size > 1 else r.randint(1, 4) for size in shape]
    wanted = wanted[r.randint(0, len(wanted) - 1) :] if r.random() < 0.3 else r.shape(r.randint(0, 2)) + wanted
    return DrawnNode(
        node("Expand", ["x", "shape"], ["a"]), {"x": shape}, {"shape": np.array(wanted)}, r.choice([FLOAT, BOOL]), is_fixed=True
    )


@family
def draw_axes(r: Draw) -> DrawnNode:
    """Axes of size 1 come and go, and others trade places or merge."""
    rank, count = r.randint(1, 4), r.randint(1, 2)
    order = r.sample(range(rank), rank)
    ones = {n: r.choice([n, n - rank]) for n in r.sample(range(rank), r.randint(1, rank))}
    shape = r.shape(rank)
    made = {
        "Transpose": DrawnNode(node("Transpose", ["x"], ["a"], **r.maybe(perm=order)), {"x": shape}),
        "Flatten": DrawnNode(node("Flatten", ["x"], ["a"], axis=r.randint(-rank, rank)), {"x": shape}),
        "Unsqueeze": DrawnNode(node("Unsqueeze", ["x", "n"], ["a"]), {"x": shape}, {"n": np.array(r.axes(rank + count, count))}),
        "Squeeze": DrawnNode(
            node("Squeeze", ["x", "n"], ["a"]),
            {"x": [1 if n in ones else size for n, size in enumerate(shape)]},
            {"n": np.array(list(ones.values()))},
            is_fixed=True,
        ),
        "Tile": DrawnNode(node("Tile", ["x", "n"], ["a"]), {"x": shape}, {"n": np.array(r.shape(rank, 1, 3))}),
    }
    return r.choice(list(made.values()))


@family
def draw_probabilities(r: Draw) -> DrawnNode:
    """Before opset 13, they are of all axes from one on."""
    rank, op = r.randint(1, 4), r.choice(["Softmax", "LogSoftmax"])
    return DrawnNode(node(op, ["x"], ["a"], axis=r.axis(rank)), {"x": r.shape(rank)}, opset=r.choice([11, 13]))


@family
def draw_remainder(r: Draw) -> DrawnNode:
    shape, kind = r.shape(r.randint(1, 3)), r.choice([INT32, INT64, INT8])
    divisor = np.array([r.choice([1, 2, 3, -2, -3, 7]) for _ in range(prod(shape))]).reshape(shape)
    op = r.choice(["Mod", "Div"])
    made = node(op, ["x", "y"], ["a"], **({"fmod": r.randint(0, 1)} if op == "Mod" else {}))
    return DrawnNode(made, {"x": shape, "y": shape}, {}, kind, 14, {"y": divisor.astype(onnx.helper.tensor_dtype_to_np_dtype(kind))})


@family
def draw_pool(r: Draw) -> DrawnNode:
    rank, op = r.randint(1, 3), r.choice(["MaxPool", "AveragePool", "LpPool"])
    kernel = r.shape(rank, 1, 3)
    attributes: dict[str, Any] = {"kernel_shape": kernel}
    if r.random() < 0.3:
        # ONNX Runtime begins after the first element if the stride is longer than the window.
        attributes |= {"auto_pad": r.choice(["SAME_UPPER", "SAME_LOWER", "VALID"]), **r.maybe(strides=kernel)}
    else:
        attributes["pads"] = [r.randint(0, size // 2) for size in kernel] * 2
        attributes |= r.maybe(ceil_mode=1, dilations=r.shape(rank, 1, 2), strides=r.shape(rank, 1, 3))
    attributes |= {"MaxPool": {}, "AveragePool": r.maybe(count_include_pad=1), "LpPool": r.maybe(p=r.choice([1, 3]))}[op]
    return DrawnNode(node(op, ["x"], ["a"], **attributes), {"x": [*r.shape(2, 1, 3), *r.shape(rank, 5, 9)]}, opset=19)


@family
def draw_convolution(r: Draw) -> DrawnNode:
    rank, groups = r.randint(1, 3), r.randint(1, 2)
    kernel, width = r.shape(rank, 1, 3), groups * r.randint(1, 2)
    attributes: dict[str, Any] = {"group": groups, **r.maybe(strides=r.shape(rank, 1, 3))}
    if r.random() < 0.3:
        attributes["auto_pad"] = r.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
    else:
        attributes |= r.maybe(pads=[r.randint(0, 2) for _ in 2 * kernel], dilations=r.shape(rank, 1, 2))
    constants = {"w": r.array([groups * 2, width // groups, *kernel]), **r.maybe(bias=r.array([groups * 2]))}
    shapes = {"x": [r.randint(1, 2), width, *r.shape(rank, 6, 9)]}
    return DrawnNode(node("Conv", ["x", *constants], ["a"], **attributes), shapes, constants, is_fixed=r.random() < 0.5)


@family
def draw_transposed_convolution(r: Draw) -> DrawnNode:
    rank, groups = r.randint(1, 2), r.randint(1, 2)
    kernel, strides, sizes = r.shape(rank, 1, 3), r.shape(rank, 1, 3), r.shape(rank, 2, 5)
    attributes: dict[str, Any] = {"group": groups, "strides": strides}
    kind = r.randint(0, 3)
    if kind == 0:
        attributes["auto_pad"] = r.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
    elif kind == 1:
        attributes["output_shape"] = [(n - 1) * s + k + r.randint(-1, s - 1) for n, s, k in zip(sizes, strides, kernel, strict=True)]
    else:
        attributes["pads"] = [r.randint(0, 1) for _ in 2 * kernel]
        attributes |= r.maybe(output_padding=[r.randint(0, stride - 1) for stride in strides], dilations=r.shape(rank, 1, 2))
    constants = {"w": r.array([groups, 2, *kernel]), **r.maybe(bias=r.array([groups * 2]))}
    made = node("ConvTranspose", ["x", *constants], ["a"], **attributes)
    return DrawnNode(made, {"x": [r.randint(1, 2), groups, *sizes]}, constants, is_fixed=True)


@family
def draw_normalization(r: Draw) -> DrawnNode:
    shape = r.shape(r.randint(3, 4), 2)
    width, rank = shape[1], len(shape)
    first = r.randint(1, rank - 1)
    scale = {"scale": r.array([width]), "bias": r.array([width])}
    whole = {"scale": r.array(shape[first:]), **r.maybe(bias=r.array(shape[first:]))}
    running = {**scale, "mean": r.array([width]), "var": np.abs(r.array([width]))}
    x, along = {"x": shape}, r.choice([first, first - rank])
    return r.choice(
        [
            DrawnNode(node("InstanceNormalization", ["x", *scale], ["a"], **r.maybe(epsilon=1e-2)), x, scale, is_fixed=True),
            DrawnNode(node("BatchNormalization", ["x", *running], ["a"], **r.maybe(epsilon=1e-2)), x, running, opset=15, is_fixed=True),
            DrawnNode(node("LayerNormalization", ["x", *whole], ["a"], axis=along), x, whole, opset=17, is_fixed=True),
            DrawnNode(node("LpNormalization", ["x"], ["a"], axis=r.axis(rank), p=r.randint(1, 2)), x),
            DrawnNode(node("MeanVarianceNormalization", ["x"], ["a"], axes=r.sample(range(rank), 2)), x),
            DrawnNode(node("LRN", ["x"], ["a"], size=r.choice([1, 3, 5]), alpha=0.1, beta=0.7, bias=1.5), x),
        ]
    )


@family
def draw_resizing(r: Draw) -> DrawnNode:
    rank = r.randint(1, 2)
    coordinates = r.choice(["half_pixel", "align_corners", "asymmetric"])
    attributes: dict[str, Any] = {
        "mode": "linear" if coordinates != "asymmetric" else "nearest",
        "coordinate_transformation_mode": coordinates,
    }
    attributes |= r.maybe(nearest_mode=r.choice(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]))
    constants = {"n": np.array([1, 1, *(r.choice([0.5, 2, 3, 1.5]) for _ in range(rank))], np.float32)}
    return DrawnNode(node("Resize", ["x", "", "n"], ["a"], **attributes), {"x": [1, 2, *r.shape(rank, 2, 6)]}, constants, is_fixed=True)


@family
def draw_product(r: Draw) -> DrawnNode:
    m, k, n = r.shape(3, 1, 4)
    a, b = r.randint(0, 1), r.randint(0, 1)
    constants = {"w": r.array([n, k] if b else [k, n]), **r.maybe(bias=r.array(r.choice([[n], [1], [1, n], [m, 1], [m, n], []])))}
    gemm = node("Gemm", ["x", *constants], ["a"], alpha=r.choice([1.0, 0.5]), beta=r.choice([1.0, 0.0]), transA=a, transB=b)
    batch = r.shape(r.randint(0, 2))
    left, right = r.choice([[k], [*batch, m, k]]), r.choice([[k], [*batch, k, n], [k, n]])
    product = DrawnNode(node("MatMul", ["x", "y"], ["a"]), {"x": left, "y": right}, is_fixed=True)
    return r.choice([product, DrawnNode(gemm, {"x": [k, m] if a else [m, k]}, constants, is_fixed=True)])


@family
def draw_subscripts(r: Draw) -> DrawnNode:
    sizes = {letter: r.randint(1, 4) for letter in "abcdhijk"}
    equation = r.choice(EQUATIONS)
    operands = equation.partition("->")[0].split(",")
    shapes = {name: [sizes[letter] for letter in letters] for name, letters in zip("xy", operands, strict=False)}
    return DrawnNode(node("Einsum", list(shapes), ["a"], equation=equation), shapes, is_fixed="ii" in equation)


@family
def draw_blocks(r: Draw) -> DrawnNode:
    size, (c, h, w) = r.randint(1, 3), r.shape(3, 1, 3)
    shapes = {"SpaceToDepth": [1, c, h * size, w * size], "DepthToSpace": [1, c * size * size, h, w]}
    op = r.choice(list(shapes))
    mode = r.maybe(mode=r.choice(["DCR", "CRD"])) if op == "DepthToSpace" else {}
    return DrawnNode(node(op, ["x"], ["a"], blocksize=size, **mode), {"x": shapes[op]}, is_fixed=True)


@family
def draw_recurrence(r: Draw) -> DrawnNode:
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}
    op, direction = r.choice(list(gates)), r.choice(["forward", "reverse", "bidirectional"])
    ways, (steps, batch, width, hidden) = 1 + (direction == "bidirectional"), r.shape(4, 1, 3)
    rows = gates[op] * hidden
    constants = {"w": r.array([ways, rows, width]), "u": r.array([ways, rows, hidden]), **r.maybe(bias=r.array([ways, 2 * rows]))}
    attributes = {"hidden_size": hidden, "direction": direction, **(r.maybe(linear_before_reset=1) if op == "GRU" else {})}
    shapes = {"x": [steps, batch, width]}
    states = ["y"] if op != "LSTM" and r.random() < 0.5 else []
    shapes |= {"y": [ways, batch, hidden]} if states else {}
    inputs = ["x", "w", "u", "bias" if "bias" in constants else "", "", *states]
    while not inputs[-1]:
        inputs.pop()
    return DrawnNode(node(op, inputs, r.choice([["a"], ["a", "b"], ["", "b"]]), **attributes), shapes, constants, opset=14, is_fixed=True)
