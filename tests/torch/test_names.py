"""Names: labels that are no attributes' names, what `nn.Module` has already, variables."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import netc
from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.python.identifiers import make_unique, singularize, to_camel_case
from netc.compiler.backends.torch.torch_framework import TORCH
from netc.compiler.frontends.imported_model import ImportFailed
from tests.parity import agree


def test_attributes_are_those_of_the_installed_pytorch() -> None:
    added = {n for n, value in vars(nn.Module).items() if not getattr(value, "__module__", "torch").startswith("torch")}  # by transformers
    own = {n for n in dir(nn.Module()) if not n.startswith("__")}
    assert own - added - TORCH.attributes == set()
    containers = {n for n in dir(nn.Sequential()) + dir(nn.ModuleDict()) if not n.startswith("__")}
    assert containers - own - TORCH.container_attributes == set()


AWKWARD = {
    "methods": "input 3 -> dense 4 as train -> dense 4 as forward -> (dense 4 -> relu) as type -> dense 2 as parameters",
    "words": "input 3 -> dense 4 as lambda -> dense 4 as class -> dense 2 as None",
    "private": "input 3 -> dense 4 as __hidden -> dense 2 as _private",
    "of containers": "input 3 -> (dense 4 as append -> dense 4 as keys) as items -> dense 2 as pop",
    "of containers, with a function": "input 3 -> (dense 4 as append -> sin -> dense 4 -> dense 4 as train) as items",
    "parameters": "x = input 3; a = param [3] as half; b = param [3] trainable=false as double; x * a + b",
    "parameters of sequences": "input 3 -> repeat 2 as layers { in * (param [3] as keys) + (param [3] trainable=false as train) "
    "-> dense 3 }",
    "tables": "x = input 3; t = table (i) [3] = i as float; u = table (i) [3] = i * 2; x + t + u",
    "tables by their tensors": "x = input 3; half = table (i) [3] = i; dense1 = table (i) [3] = i * 2; keys = table (i) [3] = i; "
    "steps = table (i) [3] = i * 3; x + half + dense1 + keys + steps -> dense 3 -> add 1 "
    "-> (if true { steps = table (i) [3] = i; in + steps }) -> add 2 -> dense 3",
    "arguments": "block b(h) { in -> reshape [N, h, -1] -> softmax axis=-1 -> flatten -> dense 12 as h "
    "-> dense 12 as h_ }; input 12 -> b 3 -> b 4",
    "arguments of underscores": "block b(_, __) { in * _ -> sin -> dense 4 -> reshape [N, __, -1] -> softmax axis=-1 -> flatten }; "
    "input 4 -> b 2 2 -> b 3 4",
    "labels that come later": "block b(n, f=relu) { in -> f -> if n > 2 { relu } -> dense 4 as relu1 -> relu -> dense 4 as relu2 "
    "-> f -> dense 4 as relu4 }; input 4 -> b 3 as sin1 -> sin -> b 2 as sin2 -> b 3 sin as b1",
    "imports": "F = input 3; nn = F -> dense 3 as torch; torch = nn -> sin; Tensor_ = torch * nn; Tensor_ + F",
}


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD.keys())
def test_labels(text: str) -> None:
    model = netc.compile(text)
    assert list(model.module().state_dict()) == list(collect_parameters(model.program))
    agree(model)


def test_constants_are_called_as_in_the_spec() -> None:
    """`keys` is reserved by containers, `table1` is free: it is no label of the state dict."""
    model = netc.compile("x = input 3; steps = table (i) [3] = i; keys = table (i) [3] = 2 * i; x + steps + keys -> dense 2")
    assert [n for n, _ in model.module().named_buffers()] == ["steps", "table2"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("basic_block", "BasicBlock"),
        ("resnet18", "Resnet18"),
        ("llama2_7b", "Llama2_7B"),
        ("resnext50_32x4d", "Resnext50_32X4D"),
        ("squeezenet1_0", "Squeezenet1_0"),
        ("wide_resnet50_2", "WideResnet50_2"),
        ("clip_large_14_336", "ClipLarge14_336"),
        ("swin_v2_t", "SwinV2T"),
        ("conv1x1", "Conv1x1"),
        ("conv_1x1", "Conv1x1"),
        ("block1_3x3", "Block1_3x3"),
        ("3d-net", "Net3DNet"),
        ("", "Block"),
        ("_", "Block"),
    ],
)
def test_names_of_classes(name: str, expected: str) -> None:
    assert to_camel_case(name) == expected


@pytest.mark.parametrize("name", ["net-v3.2-cpu", "resnext50_32x4d", "3d-net"])
def test_the_class_of_a_file_is_the_one_in_its_source(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.net"
    path.write_text("input 3 -> dense 2")
    model = netc.compile_file(path)
    assert f"class {type(model.module()).__name__}(" in model.source("torch")


def test_helpers() -> None:
    assert [TORCH.make_variable_name(n) for n in ("in", "input", "lambda", "print", "self", "F", "math", "main", "_", "___")] == [
        "x",
        "input",
        "lambda_",
        "print_",
        "self_",
        "F_",
        "math_",
        "main",
        "value",
        "value",
    ]
    assert [singularize(n) for n in ("layers", "branches", "boxes", "entries", "pass", "h", "encoder")] == [
        "layer",
        "branch",
        "box",
        "entry",
        "pass",
        "h",
        "encoder",
    ]
    assert [make_unique("x", {"x", "x2"}), make_unique("bn1", {"bn1"}), make_unique("y", set())] == ["x3", "bn1_2", "y"]
    assert [TORCH.is_attribute_name(n) for n in ("conv1", "0", "train", "in", "__a", "T")] == [True, False, False, False, False, True]


INPUTS = [
    "input 3 -> dense 4",
    "x = input 3 -> dense 4 -> relu\nx -> dense 2",
    "x = input 3 -> dense 4\nout x",
    "h = input 3 -> sin\nx = input 3\nh * x",
    "(input 3, input 4) -> concat axis=1 -> dense 2",
    "input 3 -> repeat 2 { dense 3 relu } -> (dense 3 -> tanh) as head",
    "image = input 3 -> sin\nimage + input 3",
    "input for i in [2, 3] -> concat axis=1".replace("input", "input 3"),
    "block b(x: [N, D]) { x -> dense 3 }\ninput 3 -> b as b",
]


@pytest.mark.parametrize("text", INPUTS)
def test_an_input_has_one_name(text: str) -> None:
    """In the description of the model, the module and its source, the ONNX file and the session."""
    model = netc.compile(text)
    names = [name.split(".")[0] for name in model.inputs]
    module = model.module(seed=0).eval()
    scope: dict[str, Any] = {}
    exec(model.source(), scope)
    for forward in (module.forward, scope["Net"]().forward):
        assert list(inspect.signature(forward).parameters) == list(dict.fromkeys(names))
    given = {name: torch.randn(2, *(int(n) for n in type_.shape[1:])) for name, type_ in model.inputs.items()}
    assert [i.name for i in model.onnx().graph.input] == list(given)
    passed: dict[str, Any] = {}
    for name, value in given.items():
        whole = name.split(".")[0]
        passed[whole] = value if name == whole else (*passed.get(whole, ()), value)
    results = module(**passed)
    judge = model.session(weights=module.state_dict())(**{name: value.numpy() for name, value in given.items()})
    for result, expected in zip(
        results if isinstance(results, tuple) else (results,), judge if isinstance(judge, tuple) else (judge,), strict=True
    ):
        np.testing.assert_allclose(result.detach().numpy(), expected, atol=1e-5)


def test_an_argument_that_is_kept_overwrites_no_attribute_of_modules() -> None:
    model = netc.compile("block b(half) { in -> dense (2 * half) as up -> reshape [N, 2, half] }\ninput 4 -> b 3 as b")
    module = model.module()
    assert module.half().b.half_ == 3


def test_labels_may_be_names_of_methods() -> None:
    """All attributes of `nn.Module` but `training`, each as the label of a stage; an import of such a module says what it cannot read."""
    # transformers adds a method of its own to `nn.Module` while it initializes a model.
    homes = {name: getattr(getattr(nn.Module, name, None), "__module__", None) or "torch" for name in dir(nn.Module())}
    methods = [name for name, home in homes.items() if home.startswith("torch")]
    names = [name for name in methods if not name.startswith("__") and name != "training"]
    model = netc.compile("input 3\n  -> " + "\n  -> ".join(f"dense 3 as {name}" for name in names))
    assert list(model.module().state_dict()) == [f"{name}.{key}" for name in names for key in ("weight", "bias")]
    agree(model)
    module = netc.compile("input 3 -> dense 4 as stem -> (dense 4 as forward -> sin) as head").module()
    with pytest.raises(ImportFailed, match=r"torch.export cannot read `forward`: `\w+` has an attribute of that name.*`head`.*rename it"):
        netc.from_torch(module, torch.randn(2, 3))
