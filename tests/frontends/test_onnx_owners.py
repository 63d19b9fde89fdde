"""Stages of ONNX files are named after the module that they are, also where an exporter made equal vectors of several modules one."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from frontends.onnx_parity import same
from torch import Tensor, nn

from netc.compiler.ir.graph import OpNode
from netc.compiler.ir.walk import collect_graphs


class Block(nn.Module):
    """A convolution whose bias comes from its normalization, which the exporter folds into it, and a normalization of its own."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, features, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(features)
        self.norm = nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.bn1(self.conv1(x)).relu())


class Net(nn.Module):
    """Two blocks, and layers after them whose vectors are equal to theirs: zeros and ones."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(3, 8), Block(8, 8)])
        self.norm = nn.LayerNorm(4)
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        return self.attn(tokens, tokens, tokens, need_weights=False)[0]


def test_equal_vectors_name_no_other_module(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "x.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Net().eval(), (torch.randn(2, 3, 4, 4),), path, dynamo=False, input_names=["x"])
    made = same(path)
    inner = {node.label for graph in collect_graphs(made.program.main) for node in graph.nodes if isinstance(node, OpNode) and node.specs}
    owners = {key.rpartition(".")[0] for key in made.weights}
    assert {f"blocks.{at}.{part}" for at in (0, 1) for part in ("conv1", "norm")} < owners
    assert {"norm", "attn.out_proj"} < owners
    assert not [label for label in inner | owners if label.split(".")[-1][-2:] == "_2"]
