"""What imports write in one operator where PyTorch modules write several: each is proved, and what only looks like it stays."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import netc
from netc.compiler.frontends.tidying.rearranged_tables import simplify_formula
from netc.compiler.ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, UnaryFormula, iterate_parts
from netc.compiler.ops.formula_values import evaluate_formula


class Of(nn.Module):
    """A function as a module; it is given the module."""

    def __init__(self, forward: Callable[[nn.Module, Tensor], Tensor], **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.call = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self, x)


def spec(module: nn.Module, *shape: int) -> str:
    """The text, which is proved."""
    return uncommented(netc.from_torch(module, torch.randn(2, *shape)).spec())


def uncommented(text: str) -> str:
    return text.partition("\n\n")[2]


class Norm(nn.Module):
    def __init__(self, width: int, eps: float, axis: int = -1, power: float = 2, keepdim: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps, self.axis, self.power, self.keepdim = eps, axis, power, keepdim

    def forward(self, x: Tensor) -> Tensor:
        variance = x.float().pow(self.power).mean(self.axis, keepdim=self.keepdim)
        return self.weight * (x * torch.rsqrt(variance + self.eps)).type_as(x)


def test_rms_norm() -> None:
    model = Of(lambda m, x: m.b(m.a(x) * 2), a=Norm(6, 1e-5), b=Norm(6, 0.25))
    text = spec(model, 5, 6)
    assert "-> rms_norm eps=1e-5 as a" in text
    assert "rms_norm eps=0.25 as b" in text
    assert "rsqrt" not in text


@pytest.mark.parametrize("norm", [Norm(6, 1e-5, axis=1), Norm(6, 1e-5, power=4), Norm(6, 1e-5, axis=0)])
def test_no_rms_norm(norm: Norm) -> None:
    text = netc.from_torch(Of(lambda m, x: m.a(x), a=norm), torch.randn(6, 6, 6), {0: [None, None, None]}).spec()
    assert "rsqrt" in text
    assert "rms_norm" not in text.replace("block", "")


def gelu(
    x: Tensor, half: float = 0.5, root: float = math.sqrt(2 / math.pi), cubic: float = 0.044715, power: float = 3.0, one: float = 1.0
) -> Tensor:
    return half * x * (one + torch.tanh(root * (x + cubic * torch.pow(x, power))))


@pytest.mark.parametrize("written", [gelu, lambda x: x * (torch.tanh((x * x * x * 0.044715 + x) * 0.7978845608) + 1) * 0.5])
def test_gelu(written: Callable[[Tensor], Tensor]) -> None:
    text = spec(Of(lambda m, x: written(m.a(x)), a=nn.Linear(4, 4)), 4)
    assert "gelu approximate=tanh" in text
    assert "tanh(" not in text


@pytest.mark.parametrize("other", [{"half": 0.25}, {"root": 0.79}, {"cubic": 0.0447}, {"power": 2.0}, {"one": 1.5}])
def test_no_gelu(other: dict[str, float]) -> None:
    assert "gelu" not in spec(Of(lambda m, x: gelu(x, **other)), 4)


def attended(q: Tensor, k: Tensor, v: Tensor, heads: int, groups: int) -> Tensor:
    q, k, v = (y.view(*y.shape[:2], -1, 4).transpose(1, 2) for y in (q, k, v))
    k, v = (y[:, :, None].expand(-1, -1, heads // groups, -1, -1).reshape(y.shape[0], heads, -1, 4) for y in (k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(q.shape[0], q.shape[2], -1)


@pytest.mark.skipif(torch.__version__ < "2.13", reason="torch.export of PyTorch 2.12 cannot prove that min(4 * T, 12 * T) is 4 * T")
def test_heads() -> None:
    layers = {"q": nn.Linear(8, 24), "k": nn.Linear(8, 8), "v": nn.Linear(8, 8)}
    model = Of(lambda m, x: attended(m.q(x), m.k(x), m.v(x), 6, 2), **layers)
    text = netc.from_torch(model, torch.randn(2, 5, 8), {0: ["N", "T"]}).spec()
    assert uncommented(text).splitlines() == [
        "x = input [T, 8]",
        'q = x -> dense 24 as q -> rearrange "n t (h d) -> n h t d" h=6',
        'k = x -> dense 8 as k -> rearrange "n t (h d) -> n h t d" h=2',
        'v = x -> dense 8 as v -> rearrange "n t (h d) -> n h t d" h=2',
        '(q, k, v) -> attention -> rearrange "n h t d -> n t (h d)"',
    ]


def test_heads_the_other_way_round() -> None:
    """Axes of one size are not taken for each other."""
    text = spec(Of(lambda m, x: m.a(x).view(-1, 4, 4, 4).transpose(1, 3)[:, :, 1:], a=nn.Linear(16, 16)), 4, 16)
    assert "rearrange" not in text


class Angles(nn.Module):
    def __init__(self, width: int, base: float, first: int = 0, scale: float = 1.0) -> None:
        super().__init__()
        self.first, self.scale = first, scale
        self.register_buffer("inv_freq", 1 / base ** (torch.arange(0, width, 2).float() / width), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        places = torch.arange(self.first, x.shape[2] + self.first)[None].float()
        freqs = places[:, :, None] * self.inv_freq[None, None]
        both = torch.cat((freqs, freqs), -1)
        return both.cos() * self.scale, both.sin() * self.scale


def turned(x: Tensor, sign: int = -1, swapped: bool = False) -> Tensor:
    low, high = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return torch.cat((low, sign * high) if swapped else ((-high) if sign < 0 else high, low), -1)


class Layer(nn.Module):
    def __init__(self, turn: Callable[[Tensor], Tensor] = turned) -> None:
        super().__init__()
        self.turn = turn
        self.lin = nn.Linear(8, 8)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = self.lin(x)
        return x * cos.unsqueeze(1) + self.turn(x) * sin.unsqueeze(1)


class Rotating(nn.Module):
    def __init__(self, angles: Angles, turn: Callable[[Tensor], Tensor] = turned) -> None:
        super().__init__()
        self.angles, self.layers = angles, nn.ModuleList(Layer(turn) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        cos, sin = self.angles(x)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return x


def rotating(angles: Angles, turn: Callable[[Tensor], Tensor] = turned) -> str:
    return uncommented(netc.from_torch(Rotating(angles, turn), torch.randn(2, 3, 7, 8), {0: ["N", None, "T"]}).spec())


@pytest.mark.parametrize(("base", "stage"), [(10000.0, "rotary"), (500000.0, "rotary base=500000"), (12.5, "rotary base=12.5")])
def test_rotary(base: float, stage: str) -> None:
    """Across modules: the angles are computed once, outside of the layers."""
    assert rotating(Angles(8, base)).splitlines() == [
        "block layer {",
        f"  in -> dense 8 as lin -> {stage}",
        "}",
        "",
        "x = input 3xTx8",
        "x -> repeat 3 as layers { layer }",
    ]


@pytest.mark.parametrize(
    ("angles", "turn"),
    [
        (Angles(8, 100.0, first=1), turned),
        (Angles(8, 100.0, scale=1.5), turned),
        (Angles(8, 100.0), lambda x: turned(x, sign=1)),
        (Angles(8, 100.0), lambda x: turned(x, swapped=True)),
    ],
)
@pytest.mark.sample(2)
def test_no_rotary(angles: Angles, turn: Callable[[Tensor], Tensor]) -> None:
    assert "rotary" not in rotating(angles, turn)


def test_what_nothing_reads_is_not_written() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin, self.other = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            return self.lin(x), torch.relu(self.other(y)) + 1

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.two = Two()

        def forward(self, x: Tensor) -> Tensor:
            return self.two(x, x.exp())[0]

    text = spec(Whole(), 4)
    assert "relu" not in text
    assert "as other" in text  # its keys stay


class Residual(nn.Module):
    def __init__(self, width: int, wider: int, drop: bool) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(width, wider), nn.Tanh(), nn.Linear(wider, wider))
        self.drop = nn.Dropout(0.25) if drop else nn.Identity()
        self.added = width == wider

    def forward(self, x: Tensor) -> Tensor:
        y = self.block(x)
        return self.drop(y) + x if self.added else y


@pytest.mark.parametrize("drop", [False, True])
def test_a_residual_that_some_have(drop: bool) -> None:
    text = "".join(spec(nn.Sequential(*(Residual(a, b, drop) for a, b in ((4, 8), (8, 8), (8, 6), (6, 6)))), 4).split())
    assert text.count("blockresidual") == 1
    assert ("->ifwith_dropout{(in->dropout0.25)+x}" if drop else "->ifwith_residual{in+x}") in text


# --- masks -------------------------------------------------------------------------------------------------------------------


def attending(mask: Callable[[int, Tensor], Tensor]) -> Callable[[nn.Module, Tensor], Tensor]:
    """Attention to itself of `[N, T, 4]`, with a mask that is made of T and of the input."""

    def forward(_: nn.Module, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None], attn_mask=mask(x.shape[1], x))[:, 0]

    return forward


def positions(size: int) -> Tensor:
    return torch.arange(size)


def packed(size: int, x: Tensor) -> Tensor:
    """The mask of several texts in a row, each of which begins where the positions do not count on: here there is one."""
    at = positions(size)[None].expand(x.shape[0], size)
    texts = (torch.diff(at, prepend=at[:, :1] - 1, dim=-1) != 1).cumsum(-1)
    later = at.view(x.shape[0], 1, 1, size) <= at.view(x.shape[0], 1, size, 1)
    return later & (texts.view(x.shape[0], 1, size, 1) == texts.view(x.shape[0], 1, 1, size))


def spec_of_attention(mask: Callable[[int, Tensor], Tensor]) -> str:
    return uncommented(netc.from_torch(Of(attending(mask)), torch.randn(2, 7, 4), {0: ["N", "T"]}).spec())


@pytest.mark.parametrize(
    "mask",
    [
        lambda t, x: positions(t)[None, :] <= positions(t)[:, None],
        lambda t, x: (positions(t)[:, None] >= positions(t)[None, :])[None, None].expand(x.shape[0], 1, t, t),
        lambda t, x: (positions(t) >= 0)[None, :] & (positions(t)[None, :] <= positions(t)[:, None]),
        lambda t, x: packed(t, x),
        lambda t, x: positions(t)[:, None] - positions(t)[None, :] > -1,
        lambda t, x: torch.maximum(positions(t)[:, None], positions(t)[None, :]) == positions(t)[:, None],
    ],
)
def test_a_causal_mask_is_an_argument(mask: Callable[[int, Tensor], Tensor]) -> None:
    text = spec_of_attention(mask)
    assert "causal=true" in text
    assert "table" not in text


@pytest.mark.parametrize(
    "mask",
    [
        lambda t, x: (positions(t) >= 0)[None, None, None].expand(x.shape[0], 1, t, t),
        lambda t, x: torch.zeros(t, t),
        lambda t, x: torch.where((positions(t) >= 0)[None, :], torch.zeros(t, t), -torch.inf),
    ],
)
def test_a_mask_that_hides_nothing_is_left_out(mask: Callable[[int, Tensor], Tensor]) -> None:
    text = spec_of_attention(mask)
    assert "mask" not in text
    assert "causal" not in text


@pytest.mark.parametrize(
    ("mask", "formula"),
    [
        (lambda t, x: positions(t)[None, :] >= positions(t)[:, None], "j >= i"),
        (lambda t, x: positions(t)[None, :] - positions(t)[:, None] < 3, "j - i < 3"),
        (lambda t, x: (positions(t)[None, :] - positions(t)[:, None]).abs() <= 2, "abs(j - i) <= 2"),
        (lambda t, x: ~(positions(t)[None, :] * 2 > positions(t)[:, None] + 5), "not j * 2 > i + 5"),
        (lambda t, x: 4 - positions(t)[None, :] <= torch.minimum(positions(t)[:, None], positions(t)[None, :]), "4 - j <= min(i, j)"),
    ],
)
@pytest.mark.sample(2)
def test_another_mask_is_one_table(mask: Callable[[int, Tensor], Tensor], formula: str) -> None:
    text = spec_of_attention(lambda t, x: mask(t, x) | (positions(t)[None, :] == positions(t)[:, None]))
    assert formula in text
    assert text.count("table") == 1
    assert "causal" not in text


def test_tables_of_floats_are_computed_as_they_were() -> None:
    text = spec(Of(lambda _, x: x + torch.arange(4).float().div(3).log1p()), 4)
    assert "j" not in text


def test_a_mask_that_differs_between_calls_stays() -> None:
    class Layer(nn.Module):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(x, x, x, attn_mask=mask)

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = Layer()

        def forward(self, x: Tensor) -> Tensor:
            at = positions(x.shape[1])
            y = self.layer(x, at[None, :] <= at[:, None])
            return self.layer(y, at[None, :] >= at[:, None])

    netc.from_torch(Two(), torch.randn(2, 7, 4), {0: ["N", "T"]})


INDICES = st.recursive(
    st.one_of(st.integers(-9, 9).map(Const), st.integers(0, 1).map(IndexFormula)),
    lambda inner: st.one_of(
        inner.map(lambda one: UnaryFormula("-", one)),
        st.builds(BinaryFormula, st.sampled_from("+-*"), inner, inner),
        inner.map(lambda one: CallFormula("abs", (one,))),
    ),
    max_leaves=8,
)


@given(INDICES)
def test_simple_formulas_have_the_same_values(formula: Formula) -> None:
    shorter = simplify_formula(formula)
    assert np.array_equal(
        np.broadcast_to(evaluate_formula(formula, (3, 4)), (3, 4)), np.broadcast_to(evaluate_formula(shorter, (3, 4)), (3, 4))
    )
    assert len(list(iterate_parts(shorter))) <= len(list(iterate_parts(formula)))


def test_differences_of_indices_are_numbers() -> None:
    index = IndexFormula(0)
    assert simplify_formula(BinaryFormula("-", BinaryFormula("+", index, Const(1)), index)) == Const(1)


@pytest.mark.parametrize(
    "made",
    [
        lambda at: torch.cat([at[:1] - 1, at]),
        lambda at: torch.cat([at[:1] + 5, at]),
        lambda at: torch.diff(at * at),
        lambda at: (at[2:] * 2).cumsum(0),
        lambda at: at[None, :].reshape(-1, 1) - at[1:],
        lambda at: at[1:] - at[:-1] + at[:1],
    ],
)
@pytest.mark.sample(3)
def test_integers_that_are_made_of_positions(made: Callable[[Tensor], Tensor]) -> None:
    netc.from_torch(Of(lambda _, x: x.sum() + made(torch.arange(x.shape[1]))), torch.randn(2, 7), {0: [None, "T"]})


@pytest.mark.parametrize("first", [0.0, 1.5])
def test_a_choice_of_two_numbers_is_one_table(first: float) -> None:
    def masked(module: nn.Module, x: Tensor) -> Tensor:
        positions = torch.arange(x.shape[1])
        return x[:, :, None] + torch.where(positions[:, None] >= positions, torch.tensor(first), float("-inf"))

    text = uncommented(netc.from_torch(Of(masked), torch.randn(2, 5), {0: ["N", "T"]}).spec())
    assert text.count("table") == 1


@pytest.mark.parametrize("cast", [Tensor.float, Tensor.double], ids=["float32", "float64"])
def test_a_mask_of_two_numbers_is_one_table(cast: Callable[[Tensor], Tensor]) -> None:
    """The proof compares the numbers. In float64 the table would be one of float32, so the operators stay."""

    def masked(module: nn.Module, x: Tensor) -> Tensor:
        positions = torch.arange(x.shape[1])
        return x[:, :, None] + (cast(positions[:, None] >= positions) * 3 - 0.7)

    text = uncommented(netc.from_torch(Of(masked), torch.randn(2, 5), {0: ["N", "T"]}).spec())
    assert ("cast" in text) == (cast is Tensor.double)
    assert text.count("table") == 1
