"""Which nodes have a kernel. ONNX Runtime itself is the judge of the reader, on the CPU, where it really loads the models."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import onnx
import onnxruntime
import pytest
from kernel_pages.onnxruntime_page import read_kernels
from kernel_pages.tensorrt_page import read_operators
from kernel_pages.web_page import read_kernels as read_web_kernels
from onnx import TensorProto, defs, helper
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

import netc
from netc.compiler.backends.backend import BackendInput
from netc.compiler.backends.onnx.kernels.kernel_table import load_kernel_table
from netc.compiler.backends.onnx.kernels.missing_kernels import KernelReport, find_missing_kernels
from netc.compiler.backends.onnx.kernels.typed_nodes import list_typed_nodes
from netc.compiler.backends.onnx.kernels.web_limits import WEB_FAULTS
from netc.compiler.backends.onnx.onnx_model import build_graph
from netc.compiler.backends.onnx.onnx_types import element_code
from netc.compiler.errors.kernel_errors import DEVICE_TITLES
from netc.compiler.onnx_standard.operator_schemas import find_schema
from netc.compiler.ops import Operator
from netc.compiler.types.tensor_types import DTYPES
from netc.dsl.record import replace
from netc.errors import CompileError
from netc.proving.check_kernels import check_kernels
from tests.onnx_opsets import check

PAGE = """
## Operators implemented by CPUExecutionProvider

|**Operator Domain:** *ai.onnx*||||
|Abs|*in* X:**T**|13+|**T** = tensor(float)|
|Erf|*in* X:**T**|13+|**T** = tensor(float)|

## Operators implemented by CUDAExecutionProvider

|**Operator Domain:** *ai.onnx*||||
|Abs|*in* X:**T**<br> *out* Y:**T**|13+|**T** = tensor(double), tensor(float), tensor(float8e5m2)|
|||[6, 12]|**T** = tensor(float16)|
|If|*in* cond:**B**<br> *out* outputs:**V**|5|**B** = tensor(bool)<br/> **V** = seq(tensor(float)), tensor(int32)|
|**Operator Domain:** *com.microsoft*||||
|Attention|*in* input:**T**|1+|**T** = tensor(float)|
"""


def test_the_page_of_onnxruntime_is_read() -> None:
    assert read_kernels(PAGE, "CUDAExecutionProvider") == {
        "Abs": ["13+ T=float32,float64,float8e5m2", "6-12 T=float16"],
        "If": ["5 B=bool V=int32"],
    }
    assert list(read_kernels(PAGE, "CPUExecutionProvider")) == ["Abs", "Erf"]
    with pytest.raises(ValueError, match="no kernels of DmlExecutionProvider"):
        read_kernels(PAGE, "DmlExecutionProvider")


def test_the_page_of_tensorrt_is_read() -> None:
    page = "TensorRT 10.9 supports operators in the inclusive range of opset 9 to opset 22.\n| Erf | Y | FP32, INT4 | none |\n| Det | N |\n"
    assert read_operators(page) == {"version": "10.9", "opsets": [9, 22], "operators": {"Erf": "float32"}}
    with pytest.raises(ValueError, match="does not say which opsets"):
        read_operators("| Erf | Y | FP32 |")


def test_the_page_of_onnxruntime_web_is_read() -> None:
    page = "| Add | ai.onnx(7-12,13+) |  |\n| Conv | ai.onnx(11+); com.ms.internal.nhwc(11+) | need |\n| Gelu | com.microsoft(1+) |  |\n"
    sources = [
        "using Some = TypeList<float, uint32_t>; List& Types() { return Build<Some>(); }",
        """ONNX_OPERATOR_VERSIONED_TYPED_KERNEL_EX(Add, kOnnxDomain, 7, 12, float, kJs,
            (*KernelDefBuilder::Create()).TypeConstraint("T", DataTypeImpl::GetTensorType<MLFloat16>()).InputMemoryType(CPU, 1), Add);
        ONNX_OPERATOR_KERNEL_EX(Add, kOnnxDomain, 13, kJs, KernelDefBuilder().TypeConstraint("T", Types()), Add<float>);
        ONNX_OPERATOR_KERNEL_EX(Conv, kNhwcDomain, 11, kJs, KernelDefBuilder().TypeConstraint("T", Types()), Conv);
        ONNX_OPERATOR_KERNEL_EX(Conv, kOnnxDomain, 11, kJs, KernelDefBuilder().TypeConstraint("V", DataTypeImpl::All()), Conv);""",
    ]
    assert read_web_kernels(page, sources) == {"Add": ["13+ T=float32,uint32", "7-12 T=float16"], "Conv": ["11+"]}
    with pytest.raises(ValueError, match="no kernel of Erf"):
        read_web_kernels("| Erf | ai.onnx(9+) |", sources)


def list_unary_operators() -> list[str]:
    """List the standard operators that need no attributes and no second input."""
    names = []
    for schema in defs.get_all_schemas():
        is_needed = any(attribute.required for attribute in schema.attributes.values())
        one = len(schema.inputs) >= 1 and all(port.option.name == "Optional" for port in schema.inputs[1:]) and len(schema.outputs) == 1
        first = schema.inputs[0] if one else None
        if schema.domain == "" and not schema.deprecated and not is_needed and first is not None and first.option.name == "Single":
            names.append(schema.name)
    return sorted(names)


def list_uses(op_type: str, opset: int) -> Iterator[str]:
    """List the element types that onnx allows, without the half types: ONNX Runtime widens them on the CPU."""
    schema = find_schema(op_type, opset)
    allowed = {text for constraint in schema.type_constraints for text in constraint.allowed_type_strs}
    for name in DTYPES:
        text = f"tensor({ {'float32': 'float', 'float64': 'double'}.get(name, name) })"
        if name not in ("float16", "bfloat16") and text in allowed:
            yield name


def is_loaded(op_type: str, opset: int, dtype: str) -> bool | None:
    """Whether ONNX Runtime loads a model of one node. None if the node is not valid."""
    given = helper.make_tensor_value_info("x", element_code(DTYPES[dtype]), [2, 4, 4, 4])
    graph = helper.make_graph([helper.make_node(op_type, ["x"], ["y"])], "one", [given], [helper.make_empty_tensor_value_info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, check_type=True)
    except onnx.shape_inference.InferenceError:
        return None
    if inferred.graph.output[0].type.tensor_type.elem_type == TensorProto.UNDEFINED:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(inferred.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except NoKernel:
        return False
    except Exception:  # another reason than a missing kernel, such as a shape
        return None
    return True


@pytest.mark.parametrize("opset", [17, 21, 23])
def test_the_table_of_the_cpu_agrees_with_sessions(opset: int) -> None:
    table = load_kernel_table("cpu")
    if onnxruntime.__version__.split(".")[:2] != table.version.split(".")[:2]:
        pytest.skip(f"the table is of ONNX Runtime {table.version}")
    verdicts: dict[bool, int] = {True: 0, False: 0}
    for op_type in list_unary_operators():
        schema = find_schema(op_type, opset)
        if schema is None or schema.has_function or schema.has_context_dependent_function:
            continue
        for dtype in list_uses(op_type, opset):
            loaded = is_loaded(op_type, opset, dtype)
            if loaded is None:
                continue
            types = {schema.inputs[0].type_str: dtype}
            found = table.find_kernel(op_type, schema.since_version, types) is not None
            assert found == loaded, (op_type, dtype)
            verdicts[found] += 1
    assert min(verdicts.values()) > 20


def report(text: str, device: str = "cuda", opset: int = 23) -> KernelReport:
    return check_kernels(netc.compile(text).program, device, opset).report


def missing(text: str, device: str = "cuda", opset: int = 23) -> list[tuple[str, str]]:
    return [(kernel.op_type, kernel.form) for kernel in report(text, device, opset).missing]


def test_a_kernel_is_for_one_definition() -> None:
    assert missing("input 3x8x8 -> max_pool 2", opset=21) == []
    assert missing("input 3x8x8 -> max_pool 2", opset=22) == [("MaxPool", "up to opset 21")]


def test_attributes_count() -> None:
    assert missing("input [T, 8] -> rnn 8") == []
    assert missing("input [T, 8] -> rnn 8 nonlinearity=relu") == [("RNN", "with tanh")]


def test_nodes_in_loops_count() -> None:
    loop = "x = input [T, 4]; z = input 4; x -> scan (h = z) axis=1 { h = in + h -> tan }"
    assert missing(loop) == [("Tan", "")]


def test_a_definition_stands_for_its_operator() -> None:
    assert missing("input 8 -> mish") == []
    assert report("input 8 -> mish").nodes == 3
    loss = "logits = input 8 -> dense 10; label = input [] int64; (logits, label) -> cross_entropy"
    assert missing(loss) == []
    assert "LogSoftmax" in {op_type for op_type, _ in missing(loss, "web")}


def test_sizes_and_constants_are_not_counted() -> None:
    assert report("x = input [T, 4]; x * T").nodes == 1


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("input 8xT -> max_pool 2", ("MaxPool", "in two or three dimensions")),
        ("input 3x9x9 -> max_pool 2 dilation=2", ("MaxPool", "without dilation")),
        ("input [5000] int64 -> topk 4000 axis=1", ("TopK", "of fewer than 3840 elements")),
        ("input 8 float64 -> relu", ("Relu", "of float32, float16, bfloat16, int64, int32")),
        ("input [T] -> rfft", ("DFT", "")),
    ],
)
def test_tensorrt_has_restrictions(text: str, form: tuple[str, str]) -> None:
    assert form in missing(text, "tensorrt")


def test_webgpu_has_restrictions() -> None:
    assert missing("input 3x8x8 -> conv 4 3", "web", 21) == []
    assert missing("input 3x8x8x8 -> conv 4 3", "web", 21) == [("Conv", "in one or two dimensions")]
    assert missing("x = input 3 int64; -x", "web") == [("Neg", "of float32, float16, int32")]


def test_tensorrt_has_what_it_has() -> None:
    assert missing("input 3x32x32 -> conv 8 3 -> max_pool 2 -> flatten -> dense 10", "tensorrt") == []


@pytest.mark.parametrize(
    "text", ["x = input 5x3; x * 100 -> log_softmax", "input 5x3 -> log_softmax axis=1", "input [T, 4] -> log_softmax axis=2"]
)
def test_webgpu_gets_log_softmax_in_parts(text: str) -> None:
    model = netc.compile(text)
    assert [kernel.op_type for kernel in check_kernels(model.program, "web", 23).report.missing] == ["LogSoftmax"]
    assert check_kernels(model.program, "web", 23, converts=True).report.missing == ()
    check(model, 23, device="web")


@pytest.mark.parametrize(
    ("text", "dtype", "lacks"),
    [
        ("input 8 -> any axis=1", None, "ReduceMax"),
        ("input 8x32 -> max axis=1", None, "ReduceMax"),
        ("input 8 int16 -> threshold threshold=0 value=5", None, "LessOrEqual"),
        ("input 8 -> log", "bfloat16", "Log"),
        ("input 3x8x8 -> conv_transpose 2 2", "bfloat16", "ConvTranspose"),
        ("input 5 int64 -> argmax axis=1", None, "ArgMax"),
        ("input 2x5 int32 -> argmin axis=1 keepdim=true", None, "ArgMin"),
        ("input 5 int64 -> pad [2, 1] value=7", None, "Pad"),
        ("input 2x5 int64 -> pad [0, 2] value=-1", None, "Pad"),
        ("input 5 -> tan", None, "Tan"),
        ("input 5 -> tan", "float16", "Tan"),
    ],
)
def test_nodes_without_a_kernel_are_written_otherwise(text: str, dtype: str | None, lacks: str) -> None:
    """Under `--for`. ONNX Runtime on the CPU, and PyTorch, are the judges of the results."""
    model = netc.compile(text, dtype=dtype)
    assert lacks in {kernel.op_type for kernel in check_kernels(model.program, "cuda", 22).report.missing}
    assert check_kernels(model.program, "cuda", 22, converts=True).report.missing == ()
    check(model, 22, device="cuda")


def test_log_softmax_of_many_classes_in_float16() -> None:
    """The sum of their exponentials is beyond float16."""
    check(netc.compile("input 70000 -> log_softmax", dtype="float16"), 23, {"N": 1}, device="web")


@pytest.mark.parametrize(
    ("text", "dtype", "device"),
    [
        ("input 5 -> tan", None, "coreml"),
        ("input 5 int64 -> argmin axis=1", None, "coreml"),
        ("input 5 -> relu", "bfloat16", "coreml"),
        ("input 5x3 -> log_softmax", "bfloat16", "web"),
        ("input 5 -> dense 3 relu", "bfloat16", "web"),
        ("input 5 int64 -> pad [2, 1] value=7", None, "web"),
    ],
)
def test_no_replacement_lacks_more_kernels(text: str, dtype: str | None, device: str) -> None:
    program = netc.compile(text, dtype=dtype).program
    plain, converted = (check_kernels(program, device, 23, converts=converts).report.rank for converts in (False, True))
    assert converted == plain


@pytest.mark.long
@pytest.mark.parametrize("device", DEVICE_TITLES)
def test_no_operator_lacks_more_kernels_in_the_form_for_a_device(device: str) -> None:
    compared = 0
    for operator in Operator.registry.values():
        for text, dtype in product(operator.examples, (None, "float16", "bfloat16")):
            try:
                program = netc.compile(text, dtype=dtype, dims={"N": 2}).program
                plain, converted = (check_kernels(program, device, 22, converts=converts).report.rank for converts in (False, True))
            except CompileError:  # the operator has no such type, or ONNX has no such operator
                continue
            assert converted <= plain, (text, dtype)
            compared += 1
    assert compared > 300


@pytest.mark.parametrize(
    "text",
    [
        "input 3x7x7 -> max_pool 2 ceil_mode=true",
        "input 3x9x8 -> max_pool 3 stride=2 padding=1 ceil_mode=true",
        "input 3x12x12 -> max_pool 3 stride=2 dilation=2 ceil_mode=true",
        "input 3xHxW where H >= 3, W >= 3 -> max_pool 3 stride=2 ceil_mode=true",
        "input 3x7x7 -> avg_pool 2 ceil_mode=true",
        "input 3x8x8 -> avg_pool 3 stride=2 padding=1 ceil_mode=true count_include_pad=false",
    ],
)
def test_webgpu_gets_padding_in_place_of_ceil_mode(text: str) -> None:
    """Its pools fail with `ceil_mode`."""
    model = netc.compile(text)
    (fault,) = check_kernels(model.program, "web", 21).report.missing
    assert (fault.form, fault.is_wrong) == ("without `ceil_mode`", True)
    assert check_kernels(model.program, "web", 21, converts=True).report.missing == ()
    check(model, 21, {"H": 8, "W": 9}, device="web")
    check(model, 21, {"H": 4, "W": 3}, device="web")


@pytest.mark.parametrize("device", ["", "web"])
@pytest.mark.parametrize(
    "text",
    [
        "input 3x8x8 -> max_pool 2 ceil_mode=true",
        "input 3x10x11 -> max_pool 2 stride=3 ceil_mode=true",
        "input 3x10x11 -> max_pool [2, 3] stride=[4, 3] padding=1 ceil_mode=true",
    ],
)
def test_no_device_gets_a_needless_ceil_mode(text: str, device: str) -> None:
    """Windows that fit need none. Where one may start after the input, opsets before 22 have other windows with it."""
    model = netc.compile(text)
    assert check_kernels(model.program, "web", 21).report.missing == ()
    check(model, 21, device=device)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("input 3x12x12 -> max_pool 2 stride=3 dilation=3 ceil_mode=true", "without `ceil_mode`"),
        ("input 3x8x8 -> avg_pool 3 stride=2 padding=1 ceil_mode=true", "without `ceil_mode`"),
    ],
)
def test_webgpu_has_kernels_that_fail(text: str, form: str) -> None:
    (fault,) = check_kernels(netc.compile(text).program, "web", 21, converts=True).report.missing
    assert (fault.form, fault.is_wrong) == (form, True)


@pytest.mark.parametrize(
    ("shape", "axis", "sizes", "form"),
    [
        ([2, 4], 1, None, None),
        ([2, 4], 1, [1, 3], None),
        ([2, 4], 1, [4, 0], "into parts that are not empty"),
        ([2, 4], -1, None, "with sizes of the parts, or along a positive axis whose size is a number"),
        ([2, "T"], 1, None, "with sizes of the parts, or along a positive axis whose size is a number"),
    ],
)
def test_webgpu_has_a_split_that_fails(shape: list[int | str], axis: int, sizes: list[int] | None, form: str | None) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    parts = [helper.make_empty_tensor_value_info(name) for name in "ab"]
    stored = [] if sizes is None else [helper.make_tensor("sizes", TensorProto.INT64, [2], sizes)]
    count = {"num_outputs": 2} if sizes is None else {}
    split = helper.make_node("Split", ["x", *(tensor.name for tensor in stored)], ["a", "b"], axis=axis, **count)
    model = helper.make_model(helper.make_graph([split], "one", [x], parts, stored), opset_imports=[helper.make_opsetid("", 21)])
    (node,) = list_typed_nodes(model, 21, {})
    assert WEB_FAULTS["Split"](node) == form


def test_web_gets_a_split_with_computed_sizes() -> None:
    model = netc.compile("(a, b) = input [T, 3] where T % 2 == 0 -> chunk 2 axis=1; out a, b")
    assert [kernel.is_wrong for kernel in check_kernels(model.program, "web", 21).report.missing] == [True]
    assert check_kernels(model.program, "web", 21, converts=True).report.missing == ()
    check(model, 21, {"T": 6}, device="web")


def test_each_of_several_results_is_converted() -> None:
    model = netc.compile("(y, at) = input 3x8x8 -> max_pool 2; out y, at", dtype="bfloat16")
    assert check_kernels(model.program, "cuda", 21).report.missing == ()
    check(model, 21)


def test_no_weights_are_read() -> None:
    """The graph is enough: reading a large initializer would fail."""

    def fail() -> Any:
        raise AssertionError("a weight was read")

    program = netc.compile("input 512 -> dense 512 relu").program
    graph = build_graph(program, BackendInput(program, "net").open_arrays(), "net")
    unreadable = {name: replace(stored, read=fail) for name, stored in graph.tensors.items()}
    assert find_missing_kernels(replace(graph, tensors=unreadable), "cuda").missing == ()
