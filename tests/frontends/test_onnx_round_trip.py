"""What netc writes as ONNX comes back as the model that it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from frontends.onnx_parity import same
from zoo.small import SMALL

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.onnx import from_model

SPECS = Path(__file__).parents[2] / "specs"

REFUSED = {"mixtral": "whose size depends on data"}  # grouped_linear is many operators in ONNX
OTHER_KEYS = (
    *("mamba", "swin", "swin_v2", "vit", "clip", "gpt2", "llama", "mistral", "t5", "whisper", "hifigan"),
    *("ddpm", "maxvit", "wavenet", "nerf", "bahdanau", "pointnet", "kan"),
)
"""Those where ONNX has several operators or a number for what has a key, or where one is tied to another."""


@pytest.mark.parametrize("spec", ["seed/mlp.net", "seed/neuron.net"])
def test_the_first_models(spec: str) -> None:
    model = netc.compile_file(SPECS / spec)
    assert set(same(model.onnx(seed=1)).weights) == set(model.parameters)


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_the_zoo(name: str) -> None:
    small = SMALL[name]
    model = small.compiled()
    given = model.onnx(seed=1, optimize=False)
    if name in REFUSED:
        with pytest.raises(ImportFailed) as caught:
            from_model(given)
        assert any(REFUSED[name] in obstacle.why for obstacle in caught.value.obstacles)
        return
    limits = {key: limit if isinstance(limit, int) else limit[1] if isinstance(limit, tuple) else 2 for key, limit in small.below.items()}
    sizes = {key: (size, 2 * size if key in "HW" else size + 4) for key, size in small.sizes.items()}
    made = same(given, sizes=sizes, limits=limits)
    if name.split()[0] not in OTHER_KEYS:
        assert set(made.weights) == set(model.parameters)


@pytest.mark.parametrize(
    "text",
    [
        "x = input 6x6; seen = table (i, j) [6, 6] bool = j < i + 2; (x, seen) -> masked_fill 3",
        "x = input 6x8; order = table (i) [6] int64 = [3, 1, 0, 2, 4, 5][i]; (x, order) -> index_select 1",
        "x = input 6 int64; x -> bitwise_left_shift 1",
    ],
    ids=["mask", "list", "one boolean"],
)
def test_constants_that_nothing_learns_are_tables(text: str) -> None:
    made = same(netc.compile(text).onnx())
    assert not made.weights
    assert not made.notes


@pytest.mark.long
def test_gpt() -> None:
    model = netc.compile_file(SPECS / "gpt.net")
    made = same(model.onnx(seed=1), limits={"tokens": 200})
    assert [text for _, text in made.program.conditions] == ["T <= 128"]


@pytest.mark.parametrize(
    "text",
    [
        "x = input 4; x -> max axis=1", "x = input 4; x -> logsumexp axis=1", "x = input [T, 4]; x -> min axis=2 keepdim=true",
        "a = input [T, 3]; b = input [T, 3]; (a, b) -> cdist", "x = input [T, 4]; (o, h, c) = x -> lstm 3; out o, h, c",
        "x = input 4; where(x > 0, x, nan)", "x = input 4; x + (table (i) [4] = nan if i == 2 else i)",
    ],
)  # fmt: skip
@pytest.mark.sample(3)
def test_operators_that_pass_nan_on(text: str, tmp_path: Path) -> None:
    """ONNX has NaN as a constant for them; the text that comes back names it, and gives it where the module does."""
    model = netc.compile(text)
    model.save(tmp_path / "m.onnx", seed=1)
    imported = netc.from_onnx(tmp_path / "m.onnx")
    inputs = [torch.randn(2, *(3 if size == "T" else int(size) for size in map(str, type_.shape[1:]))) for type_ in model.inputs.values()]
    if "lstm" not in text:  # its page says that ONNX Runtime may differ there
        inputs[0].view(-1)[1] = torch.nan
    expected, actual = model.module(seed=1)(*inputs), imported.module()(*inputs)
    torch.testing.assert_close(actual, expected, equal_nan=True)


def test_the_extremes_need_nothing_for_nan(tmp_path: Path) -> None:
    netc.compile("x = input 4; x -> logsumexp axis=1").save(tmp_path / "m.onnx")
    assert netc.from_onnx(tmp_path / "m.onnx").source("net").splitlines()[-1] == "x -> logsumexp [1]"


@pytest.mark.parametrize("descending", ["true", "false"])
def test_equal_elements_stay_in_order(descending: str, tmp_path: Path) -> None:
    model = netc.compile(f"x = input 9; (values, places) = x -> sort descending={descending} stable=true; out values, places")
    model.save(tmp_path / "m.onnx")
    x = torch.tensor([[1.0, 0, 1, 1, 0, 0, 1, 0, 1]])
    expected = torch.sort(x, dim=1, descending=descending == "true", stable=True)
    torch.testing.assert_close(netc.from_onnx(tmp_path / "m.onnx").module()(x), tuple(expected))


def test_the_least_integer_comes_back(tmp_path: Path) -> None:
    """It is the start of `cummax` in ONNX, and an integer that int64 holds, though its positive counterpart is none."""
    model = netc.compile("x = input [2, T] int64; (values, places) = x -> cummax axis=-1; out values, places")
    model.save(tmp_path / "m.onnx")
    x = torch.tensor([[[-(2**63), 4, 2], [1, 1, 3]]])
    torch.testing.assert_close(netc.from_onnx(tmp_path / "m.onnx").module()(x), tuple(torch.cummax(x, -1)))


@pytest.mark.parametrize(
    "text",
    [
        "x = input [H, W]; x -> diagonal 1 axis1=1 axis2=2", "input 3xHxW -> unfold 3 padding=1 -> fold [H, W] 3 padding=1",
        "i = input [T] int64; i -> embedding 1 4", "i = input [T] int64; j = input [T] int64; (i -> embedding 1 4) + (j -> embedding 9 4)",
        "x = input [T] uint8 where T <= 255; x -> clamp max=T",
        "x = input 4 int64; x + (table (i) [4] int64 = -9223372036854775808)",
        "x = input [20] batch=false; x -> stft 8 2 -> istft 8 2", "input 3x8x9 -> conv 4 3 padding=[-1, 2] padding_mode=reflect stride=2",
        "x = input 4x6x7; at = input 16x3x4; m = input 8x3x4; (x, at * 3, m) -> deform_conv 6 2 stride=2 padding=[0, 1] groups=2 relu",
    ],
)  # fmt: skip
@pytest.mark.sample(3)
def test_operators_of_symbolic_sizes_and_least_numbers(text: str, tmp_path: Path) -> None:
    """The import is proved: ONNX Runtime gives for the file what PyTorch gives for the text."""
    model = netc.compile(text)
    model.save(tmp_path / "m.onnx", seed=1)
    imported = netc.from_onnx(tmp_path / "m.onnx")
    assert list(imported.inputs.values()) == list(model.inputs.values())
    assert list(imported.outputs.values()) == list(model.outputs.values())


def test_the_least_integer_is_a_number_of_a_table() -> None:
    x = torch.arange(4)
    for text in ("table (i) [4] int64 = -9223372036854775808", "table (i) [T] int64 = -9223372036854775808 + i"):
        model = netc.compile(f"x = input [{'T' if 'T' in text else 4}] int64; m = {text}; x + m")
        expected = x[None] - 2**63 + (x if "T" in text else 0)
        assert torch.equal(model.module()(x[None]), expected)
        assert torch.equal(torch.as_tensor(model.session()(x[None].numpy())), expected)
    for literal in ("9223372036854775808", "-9223372036854775809"):
        with pytest.raises(netc.CompileError, match="this number is too large"):
            netc.compile(f"x = input 4 int64; m = table (i) [4] int64 = {literal}; x + m")


CONDITIONS = [
    "S >= 0", "T <= 255", "S % 32 == 0", "S in [0, 8]", "S >= T + 1, S != 7", "S // 2 >= T", "S % T == 0", "S * T < 100",
]  # fmt: skip


def _with_conditions(conditions: str) -> netc.Model:
    return netc.compile(f"a = input [S]; b = input [T] where {conditions}; y = a -> relu; z = b + 1; out y, z")


@pytest.mark.parametrize("conditions", CONDITIONS)
@pytest.mark.sample(1)
def test_conditions_on_sizes_come_back(conditions: str, tmp_path: Path) -> None:
    """ONNX has no place for them but the metadata. The sizes that both texts take are the same."""
    model = _with_conditions(conditions)
    model.save(tmp_path / "m.onnx")
    text = netc.from_onnx(tmp_path / "m.onnx").spec()
    assert f"where {conditions}" in text
    assert [str(one) for one, _ in netc.compile(text).program.conditions] == [str(one) for one, _ in model.program.conditions]


def test_conditions_that_cannot_hold_are_refused(tmp_path: Path) -> None:
    _with_conditions("S <= 8, T >= S").save(tmp_path / "m.onnx")
    with pytest.raises(ImportFailed, match="states `S <= 8`, which cannot hold for these sizes"):
        netc.from_onnx(tmp_path / "m.onnx", fixed={"S": 9})
    assert "where T >= 7" in netc.from_onnx(tmp_path / "m.onnx", fixed={"S": 7}).spec()


@pytest.mark.parametrize("entry", ["S >", "import os", "Q >= 3", "S in [T]", "(" * 500, "S >= 2; " * 4000, "S % 0 == 1", "min(S, 2) == 7"])
def test_metadata_that_states_no_condition(entry: str) -> None:
    """Anybody may write the file."""
    proto = _with_conditions("S >= 0").onnx()
    next(one for one in proto.metadata_props if one.key == "where").value = entry
    conditions = [str(one) for one, _ in from_model(proto).program.conditions]
    assert set(conditions) <= {"S >= 2"}
    proto.producer_name = "another"
    assert not from_model(proto).program.conditions
