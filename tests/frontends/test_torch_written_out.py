"""What modules write out by hand is the operator that it is; from_torch proves that it computes the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontends.test_torch_training import Of
from torch import Tensor, nn

import netc


class Linear(nn.Module):
    """A dense layer by hand."""

    def __init__(self, inner: int, outer: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outer, inner))
        self.bias = nn.Parameter(torch.randn(outer)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        y = x @ self.weight.T
        return y if self.bias is None else y + self.bias


def body(module: nn.Module, x: Tensor, **options: Any) -> str:
    """The text of the imported spec without comments and inputs."""
    lines = netc.from_torch(module, x, **options).spec().splitlines()
    return "\n".join(line for line in lines if line and not line.startswith(("#", "x = input")))


def test_dense_layers() -> None:
    module = Of(lambda self, x: self.b(self.a(x).relu()), a=Linear(6, 8), b=Linear(8, 4, bias=False))
    assert body(module, torch.randn(2, 6)) == "x -> dense 8 relu as a -> dense 4 bias=false as b"
    other = Of(lambda self, x: x @ self.a.weight.T + self.b.bias, a=Linear(6, 6, bias=False), b=Linear(6, 6))
    assert body(other, torch.randn(2, 6)).endswith("(x -> dense 6 bias=false as a) + bias")


def test_what_is_no_dense_layer_stays() -> None:
    """A matrix that is used twice; parameters of a module that does more."""
    twice = Of(lambda self, x: x @ self.a.weight.T + self.a.weight.sum(), a=Linear(6, 6, bias=False))
    root = Linear(6, 6)
    root.forward = lambda x: x @ root.weight.T * 2 - root.bias.exp() * x  # type: ignore[method-assign, union-attr]
    for module in (twice, root):
        assert "dense" not in body(module, torch.randn(2, 6))


def test_unit_vectors() -> None:
    assert body(Of(lambda _, x: F.normalize(x, dim=-1)), torch.randn(2, 6)) == "x -> normalize (-1)"
    assert "p=1" in body(Of(lambda _, x: F.normalize(x, 1.0, dim=1)), torch.randn(2, 6))
    assert "normalize" not in body(Of(lambda _, x: x / (x * 2).norm(dim=1, keepdim=True).clamp(1e-12)), torch.randn(2, 6))


def test_shapes_that_are_undone() -> None:
    module = Of(lambda _, x: x.unsqueeze(1).squeeze(1).transpose(1, 2).transpose(1, 2).flatten(1).unflatten(1, (3, 4)).relu())
    assert body(module, torch.randn(2, 3, 4)) == "x -> relu"


def test_layouts_that_follow_each_other_are_one() -> None:
    """The last shape alone counts, and two orders of the axes are one. A tensor that something else reads keeps its shape."""
    function = Of(lambda _, x: x.flatten(1).reshape(-1, 2, 3, 2).permute(0, 3, 1, 2).permute(0, 3, 1, 2).relu())
    assert body(function, torch.randn(2, 3, 4)) == "x -> reshape [N, 2, 3, 2] -> permute [0, 2, 3, 1] -> relu"
    back = Of(lambda _, x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2).relu())
    assert body(back, torch.randn(2, 3, 4, 5)) == "x -> relu"

    def read_twice(_: Any, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        return flat.reshape(-1, 2, 6).transpose(1, 2).matmul(flat.reshape(-1, 2, 6)) + flat.sum()

    assert body(Of(read_twice), torch.randn(2, 3, 4)).startswith("flat = x -> flatten\n")


def test_equal_constants_are_one_table() -> None:
    """A helper makes its constant in each call. `[1]` and `[True]` are equal in Python, and stay two tables."""

    def smooth(x: torch.Tensor) -> torch.Tensor:
        return F.conv1d(x, torch.tensor([[[0.25, 0.5, 0.25]]]), padding=1)

    text = body(Of(lambda _, x: smooth(x) - smooth(x * x)), torch.randn(2, 1, 8))
    assert text.count("table") == 1
    ones, truths = torch.ones(4, dtype=torch.int64), torch.ones(4, dtype=torch.bool)
    assert body(Of(lambda _, x: (x + ones, x == truths)), torch.zeros(2, 1, dtype=torch.int64)).count("table") == 2


def test_constants_of_one_element_are_numbers() -> None:
    """In the fewest digits that float32 tells apart. A constant that gives the result its shape stays a tensor."""
    kept, one, shape = torch.tensor([0.7]), torch.ones(1), torch.ones(1, 1, 1)
    module = Of(lambda _, x: torch.where(x * one > 0.1 * one.view(1, 1), x * kept - one, torch.tensor([3.0])))
    assert body(module, torch.randn(2, 4)) == "(x > 0.1, x * 0.7 - 1.0) -> where 3.0"
    assert "table (i, j, k) [1, 1, 1]" in body(Of(lambda _, x: x * shape), torch.randn(2, 4))
    wide = Of(lambda _, x: x * torch.tensor(0.7))  # of float64, 0.7 is another number than float32's nearest one
    assert body(wide, torch.randn(2, 4).double()).endswith("x * 0.699999988079071")


class Turned(nn.Module):
    """Rotary embedding whose angles are constants, for a number of positions that is known."""

    def __init__(self, base: float, shift: int = 0) -> None:
        super().__init__()
        angles = torch.outer(torch.arange(9.0) + shift, base ** (-torch.arange(0, 8, 2) / 8))
        angles = torch.cat([angles, angles], -1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        a, b = x[..., :4], x[..., 4:]
        return x * self.cos + torch.cat([-b, a], -1) * self.sin


class Scaled(nn.Module):
    """A sum of products with learned scalars, as in the activation xIELU."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.tensor(-0.3))

    def forward(self, x: Tensor) -> Tensor:
        return self.a * x * x + self.b * x


def test_learned_scalars_are_no_rotary_embedding() -> None:
    assert body(Scaled(), torch.randn(2, 6)).endswith("a * x * x + b * x")


@pytest.mark.parametrize(("base", "shift", "text"), [(10000.0, 0, "rotary"), (500000.0, 0, "rotary base=500000"), (10000.0, 1, "")])
def test_rotary_embedding(base: float, shift: int, text: str) -> None:
    found = body(Turned(base, shift), torch.randn(2, 2, 9, 8))
    assert found.startswith(f"x -> {text}") if text else "rotary" not in found


class GatedNorm(nn.Module):
    """An RMSNorm by hand, next to a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(8))

    def forward(self, x: Tensor) -> Tensor:
        x = x * F.silu(x)
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


def test_a_weight_next_to_other_stages_is_a_parameter_of_their_block() -> None:
    """The key stays `norm.weight`, since no stage around the weight has a name."""
    found = body(Of(lambda self, x: self.norm(self.lin(x)), norm=GatedNorm(), lin=Linear(8, 8)), torch.randn(2, 8))
    assert "weight = param [8] init=ones as weight" in found
    assert "rms_norm eps=1e-6 weight=weight" in found


@pytest.mark.parametrize("shape", [(2, 9, 8), (2, 2, 3, 9, 8)])
def test_rotary_embedding_of_any_rank(shape: tuple[int, ...]) -> None:
    assert body(Turned(10000.0), torch.randn(shape)) == "x -> rotary"


class SwinDropPath(nn.Module):
    """Stochastic depth as the models of transformers have it, each in a class of its own."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.drop_prob = p

    def forward(self, x: Tensor) -> Tensor:
        if self.drop_prob == 0.0 or not self.training:
            return x
        keep = 1 - self.drop_prob
        return x.div(keep) * torch.floor(torch.rand((x.shape[0],) + (1,) * (x.ndim - 1)) + keep)


def test_stochastic_depth() -> None:
    module = Of(lambda self, x: x + self.drop(x * 2), drop=SwinDropPath(0.1))
    assert "drop_path 0.1" in body(module, torch.randn(2, 6), train=True)


def test_masks_of_attention_leave_something() -> None:
    """A mask that is drawn at random leaves nothing of some rows, which is NaN by one kernel of PyTorch and not by another."""

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Tensor, pad: Tensor) -> Tensor:
            seen = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
            found: Tensor = self.attention(x, x, x, key_padding_mask=pad, attn_mask=seen, need_weights=False)[0]
            return found

    made = netc.from_torch(Masked(), (torch.randn(2, 6, 8), torch.zeros(2, 6, dtype=torch.bool)), {0: ["N", "T"], 1: ["N", "T"]})
    assert "causal=true padding=pad" in made.spec()
