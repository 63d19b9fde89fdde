"""The tables of names in other libraries: the names exist there, and what is suggested exists here."""

from __future__ import annotations

import inspect

import einops
import numpy as np
import onnx
import pytest
import torch

import netc
from netc.compiler.elaborate.names.name_errors import normalize_name
from netc.compiler.ops import Operator
from netc.dsl.diagnostics import apply_edits, select_safe_edits
from netc.dsl.record import replace
from netc.dsl.source import SourceFile
from netc.reference import foreign_names
from netc.training.optimizers import list_optimizers

STAGES = [(library, name, stage) for library, names in foreign_names.STAGES.items() for name, stage in names.items()]
ARGUMENTS = [
    (library, name, own) for library, names in foreign_names.SYNONYMS.items() for name, several in names.items() for own in several.split()
]
SCHEMAS = onnx.defs.get_all_schemas()


@pytest.mark.parametrize(("library", "name", "stage"), STAGES, ids=lambda v: str(v))
def test_stage(library: str, name: str, stage: str) -> None:
    assert stage.split()[0] in Operator.registry
    assert normalize_name(name) not in {normalize_name(one) for one in Operator.registry}
    assert foreign_names.advise_stage(name).help == f"use `{stage}`, which corresponds to {library}'s `{name}`" or normalize_name(
        name
    ) in others(library)


def others(library: str) -> set[str]:
    return {normalize_name(name) for other, name, _ in STAGES if other != library} | set(foreign_names._map_pytorch_targets())


@pytest.mark.parametrize("name", foreign_names.STAGES["PyTorch"])
def test_pytorch_has_it(name: str) -> None:
    assert any(hasattr(owner, name) for owner in (torch, torch.Tensor, torch.nn.functional))


@pytest.mark.parametrize("name", foreign_names.STAGES["NumPy"])
def test_numpy_has_it(name: str) -> None:
    assert hasattr(np, name)


@pytest.mark.parametrize("name", foreign_names.STAGES["einops"])
def test_einops_has_it(name: str) -> None:
    assert hasattr(einops, name)


@pytest.mark.parametrize("name", foreign_names.STAGES["ONNX"])
def test_onnx_has_it(name: str) -> None:
    assert normalize_name(name) in {normalize_name(schema.name) for schema in SCHEMAS}


LOSSES = [name for name in dir(torch.nn) if name.endswith("Loss") and not name.startswith("_")]
WITHOUT = ("AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss", "NLLLoss2d", "TripletMarginWithDistanceLoss")
"""Losses that are modules with parameters, take a function, or are old names."""


@pytest.mark.parametrize("name", LOSSES)
def test_modules_that_are_losses(name: str) -> None:
    help_ = foreign_names.advise_stage(name).help
    assert help_.startswith("losses are operators" if name in WITHOUT else "use `")


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in WITHOUT])
def test_losses_are_the_functions_of_that_name(name: str) -> None:
    """`L1Loss` is `l1_loss`, but some functions are called otherwise."""
    own = normalize_name(name).removesuffix("loss")
    others = {"bce": "binarycrossentropy", "bcewithlogits": "binarycrossentropywithlogits"}
    found = foreign_names.advise_stage(name).help.split("`")[1]
    assert hasattr(torch.nn.functional, found)
    assert normalize_name(found).removesuffix("loss") == others.get(own, own)


@pytest.mark.parametrize("name", [name for name, cls in vars(torch.optim).items() if inspect.isclass(cls) and name != "Optimizer"])
def test_optimizer(name: str) -> None:
    """A train section knows it by the name that is proposed, or the reason why it cannot be used is given."""
    help_ = foreign_names.advise_stage(name).help
    proposed = help_.partition("`optimizer ")[2].split()[0]
    assert list_optimizers()[proposed].__name__ == (name if proposed == name.lower() else "AdamW")
    assert (proposed != name.lower()) == (name.lower() in foreign_names.UNUSABLE)
    assert foreign_names.UNUSABLE.get(name.lower(), "") in help_


TABLES = {
    "arange": torch.arange(5),
    "eye": torch.eye(4),
    "linspace": torch.linspace(0, 1, 5),
    "ones": torch.ones(5),
    "zeros": torch.zeros(5),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_are_proposed(name: str) -> None:
    """They are what PyTorch's function of that name gives."""
    table = foreign_names.advise_stage(name).help.split("`")[1]
    made = netc.compile(f"x = input 1\ny = {table}\nz = x * 2\nout y, z").module()(torch.zeros(4, 1))
    assert torch.equal(made[0], TABLES[name])


@pytest.mark.parametrize("short", foreign_names.ABBREVIATIONS)
def test_abbreviation(short: str) -> None:
    assert foreign_names.ABBREVIATIONS[short] in Operator.registry


@pytest.mark.parametrize(("library", "name", "own"), ARGUMENTS)
def test_argument(library: str, name: str, own: str) -> None:
    owners = [cls for cls in Operator.registry.values() if own in cls.signature and name not in cls.signature]
    assert owners
    assert own in foreign_names.advise_argument(owners[0], name).help


@pytest.mark.parametrize("name", foreign_names.SYNONYMS["ONNX"])
def test_onnx_has_the_attribute(name: str) -> None:
    assert any(name in schema.attributes for schema in SCHEMAS)


def mended(text: str) -> str:
    """The text after the edits of its first diagnostics."""
    source = SourceFile("<text>", text)
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text)
    found = [replace(one, edits=tuple(replace(e, safe=True) for e in one.edits)) for one in caught.value.diagnostics]
    return apply_edits(select_safe_edits(source, found))


MODULES = {
    "3": ("Linear(3, 2)", "Linear(in_features=3, out_features=2)", "Linear(3, 2, bias=False)", "ReLU(inplace=True)", "LayerNorm(3)"),
    "4x8x8": (
        "Conv2d(4, 6, 3)",
        "Conv2d(4, 6, kernel_size=3, padding=1)",
        "Conv2d(in_channels=4, out_channels=6, kernel_size=3, stride=2)",
        "BatchNorm2d(4)",
        "Upsample(scale_factor=2)",
        "Conv2d(4, 6, 3, 2, 1)",
        "ConvTranspose2d(4, 6, 2, 2)",
        "MaxPool2d(2, 1)",
        "AvgPool2d(3, 2, 1)",
        "MaxPool2d(kernel_size=2, stride=2)",
        "Dropout2d(p=0.5)",
        "Flatten()",
    ),
}


@pytest.mark.parametrize(("shape", "call"), [(shape, call) for shape, calls in MODULES.items() for call in calls])
@pytest.mark.parametrize("library", ["", "nn.", "torch.nn."])
def test_a_module_of_pytorch_is_one_edit(shape: str, call: str, library: str) -> None:
    """PyTorch itself says which parameters it has and what comes out."""
    made = netc.compile(mended(f"input {shape} -> {library}{call} as only"))
    module = eval(call, vars(torch.nn)).eval()
    found = {name.removeprefix("only."): tuple(value.shape) for name, value in made.module().state_dict().items()}
    x = torch.zeros(2, *map(int, shape.split("x")))
    assert found == {name: tuple(value.shape) for name, value in module.state_dict().items()}
    assert made.module().eval()(x).shape == module(x).shape


LAYERS = {
    'Dense(units=10, activation="relu")': "dense units=10 relu",
    'Dense(10, activation="relu", name="fc")': "dense 10 relu as fc",
    'layers.Conv2D(6, [3, 3], activation="relu")': "conv 6 [3, 3] relu",
    "tf.keras.layers.Flatten()": "flatten",
}


@pytest.mark.parametrize("call", LAYERS)
def test_a_layer_of_keras_is_one_edit(call: str) -> None:
    assert mended(f"input 4x8x8 -> {call}") == f"input 4x8x8 -> {LAYERS[call]}"


def test_arguments_of_another_meaning_are_left() -> None:
    """`moveaxis 1 2` is not `permute [1, 2]`."""
    assert mended("input 4x8 -> moveaxis 1 2") == "input 4x8 -> permute 1 2"


@pytest.mark.parametrize(
    ("operator", "module"),
    [("conv", "Conv2d"), ("conv_transpose", "ConvTranspose2d"), ("max_pool", "MaxPool2d"), ("avg_pool", "AvgPool2d")],
)
def test_pytorch_takes_arguments_in_this_order(operator: str, module: str) -> None:
    aliases = {arg.alias: arg.name for arg in Operator.registry[operator].signature.values() if arg.alias}
    names = [aliases.get(name, name) for name in inspect.signature(getattr(torch.nn, module)).parameters]
    skipped = len(foreign_names.get_input_size_axes(operator))
    order = foreign_names.get_argument_order(operator)
    assert tuple(names[skipped : skipped + len(order)]) == order
    assert set(order) <= set(Operator.registry[operator].signature)
