"""Attention that a PyTorch module or an ONNX file writes out is the operator. The import proves that it computes the same as the module."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

import netc
from netc.compiler.frontends.graph_view import GraphView
from netc.compiler.ir.graph import OpNode
from netc.compiler.ops.reduction import Sum

Computed = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor | tuple[Tensor, ...]]


class Attending(nn.Module):
    def __init__(self, compute: Computed) -> None:
        super().__init__()
        self.compute = compute

    def forward(self, q: Tensor, k: Tensor, v: Tensor, m: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.compute(q, k, v, m)


SIZES = {"q": (2, 3, 5, 4), "k": (2, 3, 5, 4), "v": (2, 3, 5, 6), "m": (2, 1, 5, 5)}


def example(**sizes: tuple[int, ...]) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    return tuple(torch.randn(size) for size in {**SIZES, **sizes}.values())


def stages(compute: Computed, *, train: bool = False, **sizes: tuple[int, ...]) -> str:
    """The imported text without its inputs, in one line."""
    lines = netc.from_torch(Attending(compute), example(**sizes), train=train).spec().splitlines()
    return " ".join(" ".join(line for line in lines if line and not re.match(r"#|\w+ = input", line)).split())


def turned(k: Tensor) -> Tensor:
    return k.transpose(-2, -1)


FORMS: dict[str, tuple[Computed, str]] = {
    "scaled as usual": (lambda q, k, v, m: (q @ turned(k) / 2).softmax(-1) @ v, "(q, k, v) -> attention"),
    "not scaled": (lambda q, k, v, m: (q @ turned(k)).softmax(-1) @ v, "(q, k, v) -> attention scale=1"),
    "scaled twice": (lambda q, k, v, m: ((q * 0.3) @ turned(k * 2.0)).softmax(-1) @ v, "(q, k, v) -> attention scale=0.6"),
    "a large scale and a mask": (lambda q, k, v, m: (m + q @ turned(k) * 3).softmax(-1) @ v, "(q, k, v) -> attention scale=3 mask=m"),
    "a mask of a number": (
        lambda q, k, v, m: (q @ turned(k) * 0.17677669 + (1.0 - m) * -1e4).softmax(-1) @ v,
        "(q, k, v) -> attention scale=0.17677669 mask=((1.0 - m) * -10000.0)",
    ),
    "dropout": (
        lambda q, k, v, m: torch.dropout((q @ turned(k) / 2 + m).softmax(-1), 0.25, train=False) @ v,
        "(q, k, v) -> attention dropout=0.25 mask=m",
    ),
    "another order of factors": (
        lambda q, k, v, m: (0.25 * (turned(k).mul(2.0).transpose(-2, -1) @ turned(q))).softmax(3) @ v,
        "(k, q, v) -> attention",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str) -> None:
    compute, text = FORMS[name]
    assert stages(compute) == text


def test_queries_that_are_a_difference() -> None:
    """The difference is no multiple of another tensor of the module."""
    assert stages(lambda q, k, v, m: ((2.0 * q - k) @ turned(k)).softmax(-1) @ v) == "(q * 2.0 - k, k, v) -> attention scale=1"


def test_keys_whose_heads_move_in_the_same_step() -> None:
    keys = (2, 5, 3, 4)
    found = stages(lambda q, k, v, m: (q @ k.permute(0, 2, 3, 1) / 2).softmax(-1) @ v, k=keys)
    assert found == "(q, k -> transpose 1 2, v) -> attention"
    found = stages(lambda q, k, v, m: (q @ k.permute(0, 2, 1, 3) / 2).softmax(-1) @ v, k=(2, 4, 3, 5))
    assert found == "(q, k -> permute [0, 2, 3, 1], v) -> attention"


def test_keys_without_a_batch() -> None:
    found = stages(lambda q, k, v, m: (q @ turned(k) / 2).softmax(-1) @ v, k=(3, 5, 4), v=(3, 5, 6))
    assert found == "(q, k, v) -> attention"


def test_heads_that_share_keys() -> None:
    def repeated(x: Tensor) -> Tensor:
        return x[:, :, None].expand(2, 2, 3, 5, x.shape[-1]).reshape(2, 6, 5, x.shape[-1])

    found = stages(
        lambda q, k, v, m: (q @ turned(repeated(k)) / 2).softmax(-1) @ repeated(v), q=(2, 6, 5, 4), k=(2, 2, 5, 4), v=(2, 2, 5, 6)
    )
    assert found == "(q, k, v) -> attention"


OTHERS: dict[str, Computed] = {
    "over the queries": lambda q, k, v, m: (q @ turned(k) / 2).softmax(-2) @ v,
    "scores that are read": lambda q, k, v, m: ((s := q @ turned(k) / 2).softmax(-1) @ v, s.sum()),
    "weights that are read": lambda q, k, v, m: ((w := (q @ turned(k) / 2).softmax(-1)) @ v, w),
    "an infinite scale": lambda q, k, v, m: (q @ turned(k) * math.inf).softmax(-1) @ v,
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_attention_stays(name: str) -> None:
    program = netc.from_torch(Attending(OTHERS[name]), example(), verify=False).program
    names = [node.op.name for node in program.main.nodes if hasattr(node, "op")]
    assert names.count("matmul") == 2
    assert "attention" not in names


def test_an_onnx_file_computes_scores_that_it_returns_once(tmp_path: Path) -> None:
    declared = "q = input 3x5x4; k = input 3x5x4; v = input 3x5x6; w = q @ (k -> transpose 2 3) / 2 -> softmax axis=-1; "
    for outputs, is_operator in (("out w @ v", True), ("out w @ v, w", False)):
        netc.compile(declared + outputs).save(tmp_path / "x.onnx")
        assert ("attention" in netc.from_onnx(tmp_path / "x.onnx").spec()) == is_operator


def test_a_permutation_is_in_the_block_of_its_attention(tmp_path: Path) -> None:
    text = """
    block heads {
      (q, k, v) = in -> dense 24 as qkv -> unflatten 2 [6, 4] -> chunk 3 axis=2
      weights = (q -> transpose 1 2) @ (k -> permute [0, 2, 3, 1]) / 2 -> softmax axis=-1
      weights @ (v -> transpose 1 2) -> transpose 1 2 -> flatten 2
    }
    input [T, 8] -> heads as a -> heads as b
    """
    onnx.save(netc.compile(text).onnx(seed=1), tmp_path / "x.onnx")
    (block,) = (part for part in netc.from_onnx(tmp_path / "x.onnx").spec().split("}") if "attention" in part)
    assert "-> transpose 1 2, " in block
    assert "as qkv" in block


def test_two_draws_are_two_tensors() -> None:
    """`x * sigmoid(x)` of one draw is `silu`. Of two draws it is not, and the proof in inference cannot tell them apart."""

    class Drawing(nn.Module):
        def __init__(self, *, twice: bool) -> None:
            super().__init__()
            self.a, self.b = nn.Dropout(0.5), nn.Dropout(0.5)
            self.twice = twice

        def forward(self, x: Tensor) -> Tensor:
            first = self.a(x)
            return first * torch.sigmoid(self.b(x) if self.twice else first)

    for twice in (False, True):
        text = netc.from_torch(Drawing(twice=twice), torch.randn(2, 6), train=True).spec()
        assert ("silu" in text) != twice
        assert text.count("dropout") == 1 + twice


class Of(nn.Module):
    def __init__(self, compute: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.compute = compute

    def forward(self, x: Tensor) -> Tensor:
        return self.compute(x)


def test_a_number_of_an_input_is_part_of_it() -> None:
    found = netc.from_torch(Of(lambda x: (y := x * 2.0) - torch.tanh(y)), torch.randn(3, 4)).spec()
    assert "x * 2.0 -> tanhshrink" in found
    found = netc.from_torch(Of(lambda x: (x * 4.0) / torch.sqrt((4.0 * x * x).mean(-1, keepdim=True) + 1e-3)), torch.randn(3, 4)).spec()
    assert "rms_norm" not in found


def test_norms_that_share_a_weight(tmp_path: Path) -> None:
    netc.compile("x = input [T, 8]; w = param [8]; (x -> rms_norm weight=w) + (exp(x) -> rms_norm weight=w)").save(
        tmp_path / "x.onnx", opset=17
    )
    assert netc.from_onnx(tmp_path / "x.onnx").spec().count("param [8]") == 1


@pytest.mark.parametrize("outputs", ["v", "v, i"])
def test_a_second_result_that_is_read_keeps_its_operator(outputs: str) -> None:
    program = netc.compile(f"(v, i) = input 4 -> max axis=1; out {outputs}").program
    (node,) = program.main.nodes
    assert isinstance(node, OpNode)
    assert GraphView(program.main, program.facts).replace_operator(node, Sum(axis=(1,)), node.inputs) == (outputs == "v")


def test_a_norm_of_expanded_elements_counts_each() -> None:
    class Normal(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / x.expand(-1, 4).norm(dim=-1, keepdim=True).clamp(min=1e-12)

    assert "normalize" not in netc.from_torch(Normal(), torch.randn(3, 1)).spec()


@pytest.mark.parametrize(("form", "noted"), [("scaled as usual", False), ("a large scale and a mask", True)])
def test_only_attention_with_a_mask_has_a_note_about_masks(form: str, noted: bool) -> None:
    """A row whose keys are all hidden is NaN in PyTorch's softmax. Without a mask there is none."""
    text = netc.from_torch(Attending(FORMS[form][0]), example()).spec()
    assert ("leaves a query no key" in text) is noted
