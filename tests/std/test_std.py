"""The standard library: every block can be used from anywhere, and its PyTorch and ONNX results agree."""

from __future__ import annotations

import re
from pathlib import Path

import onnx.numpy_helper
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.nn.utils import parametrizations

import netc
from tests.parity import agree

STD = Path(__file__).parents[2] / "specs" / "std"
USES = {
    "basic": 'use "std/residual.net"\ninput 8x8x8 -> basic 8 -> basic 12 stride=2',
    "bottleneck": 'use "std/residual.net": bottleneck\ninput 8x8x8 -> bottleneck 4 stride=2 -> bottleneck 4',
    "feed_forward": 'use "std/transformer.net"\ninput [T, 8] -> feed_forward ratio=2',
    "encoder_layer": 'use "std/transformer.net"\ninput [T, 8] -> repeat 2 as layers { encoder_layer 2 dropout=0.1 causal=true }',
    "decoder_layer": 'use "std/transformer.net"\nx = input [T, 8]\nmemory = input [S, 8]\n(x, memory) -> decoder_layer 2',
    "squeeze_excitation": 'use "std/attention.net"\ninput 8x6x6 -> repeat g in [sigmoid, hardsigmoid] { squeeze_excitation 2 gate=g }',
    "split_heads": 'use "std/attention.net"\ninput [T, 8] -> split_heads 2 -> relu',
    "merge_heads": 'use "std/attention.net"\ninput [2, T, 4] -> merge_heads -> relu',
    "projected_attention": 'use "std/attention.net"\nx = input [T, 8]\ny = input [S, 6]\n(x, y) -> projected_attention 2 key_bias=false',
    "mlp": 'use "std/mlp.net"\ninput [T, 8] -> mlp 16 -> mlp 12 activation=relu dropout=0.5',
    "gated_mlp": 'use "std/mlp.net"\ninput [T, 8] -> gated_mlp 16 -> gated_mlp 12 activation=gelu bias=true',
    "pixels": 'use "std/embedding.net"\ninput 3xHxW -> pixels -> relu',
    "patch_embedding": 'use "std/embedding.net"\ninput 3x8x12 -> patch_embedding 6 4',
    "positions": 'use "std/embedding.net"\nx = input [T, 8]\ny = input [5, 8]\nout x -> positions, y -> positions',
    "conv_norm": 'use "std/convolution.net"\ninput 3xHxW -> conv_norm round8(20) 3 2 -> conv_norm 24 groups=8 activation=identity',
    "rotate": 'use "std/rotary.net"\nx = input [2, T, 8]\nf = table (i) [4] float32 = 1 / (i + 1)\n(x, f) -> rotate scale=2',
    "linear_rotary": 'use "std/rotary.net"\ninput [2, T, 8] -> linear_rotary 2',
    "llama3_rotary": 'use "std/rotary.net"\ninput [2, T, 8] -> llama3_rotary 8 1 4 64',
    "yarn_rotary": 'use "std/rotary.net"\ninput [T, 8] -> yarn_rotary 4 32',
    "with_weight": 'use "std/parametrizations.net"\nx = input [T, 3]\nw = input [5, 3] batch=false\n(x, w) -> with_weight (dense 5)',
    "weight_norm": 'use "std/parametrizations.net"\ninput 3x8x8 -> weight_norm (conv 4 3x3) -> relu -> weight_norm (conv 5 1 bias=false)',
    "spectral_norm": 'use "std/parametrizations.net"\ninput 3x8x8 -> spectral_norm (conv 4 3x3)',
    "weight_standardization": 'use "std/parametrizations.net"\ninput 3x8x8 -> repeat 2 { weight_standardization (conv 3 3x3) }',
}


def test_every_block_is_used_here() -> None:
    defined = {name for path in STD.glob("*.net") for name in re.findall(r"^block (\w+)", path.read_text(encoding="utf-8"), re.M)}
    assert defined == set(USES)


@pytest.mark.parametrize("name", USES)
def test_targets_agree(name: str) -> None:
    model = netc.compile(USES[name])
    assert model.diagnostics == ()
    agree(model)


@pytest.mark.parametrize("causal", [False, True])
def test_encoder_layer_is_pytorchs(causal: bool) -> None:
    theirs = torch.nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True).eval()
    model = netc.compile(f'use "std/transformer.net"\ninput [T, 8] -> encoder_layer 2 causal={str(causal).lower()} as layer')
    ours = model.module({f"layer.{name}": value for name, value in theirs.state_dict().items()}).eval()
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.nn.Transformer.generate_square_subsequent_mask(5) if causal else None
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x, src_mask=mask, is_causal=causal), rtol=1e-5, atol=1e-5)


def test_encoder_layer_with_padding_is_pytorchs() -> None:
    theirs = torch.nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True).train()
    model = netc.compile('use "std/transformer.net"\nx = input [T, 8]\np = input [T] bool\nx -> encoder_layer 2 padding=p as layer')
    ours = model.module({f"layer.{name}": value for name, value in theirs.state_dict().items()}).eval()
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
    padding = torch.arange(5) >= torch.tensor([[5], [3], [1]])
    with torch.no_grad():
        torch.testing.assert_close(ours(x, padding), theirs(x, src_key_padding_mask=padding), rtol=1e-5, atol=1e-5)


def test_decoder_layer_with_padding_is_pytorchs() -> None:
    theirs = torch.nn.TransformerDecoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True).eval()
    text = 'use "std/transformer.net"\nx = input [T, 8]\nm = input [S, 8]\np = input [S] bool\n(x, m) -> decoder_layer 2 padding=p as layer'
    ours = netc.compile(text).module({f"layer.{name}": value for name, value in theirs.state_dict().items()}).eval()
    generator = torch.Generator().manual_seed(0)
    x, memory = torch.randn(3, 5, 8, generator=generator), torch.randn(3, 4, 8, generator=generator)
    padding = torch.arange(4) >= torch.tensor([[4], [3], [1]])
    mask = torch.nn.Transformer.generate_square_subsequent_mask(5)
    with torch.no_grad():
        wanted = theirs(x, memory, tgt_mask=mask, tgt_is_causal=True, memory_key_padding_mask=padding)
        torch.testing.assert_close(ours(x, memory, padding), wanted, rtol=1e-5, atol=1e-5)


def test_projected_attention_to_itself_is_attention_to_the_same() -> None:
    texts = ("x -> projected_attention 2 as a", "(x, x) -> projected_attention 2 as a", "x -> projected_attention 2 mask=m as a")
    models = [netc.compile(f'use "std/attention.net"\nx = input [T, 8]\nm = table (i, j) [T, T] = i == i\nout {text}, m') for text in texts]
    weights = models[0].module().state_dict()
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first, *others = (model.module(weights).eval()(x)[0] for model in models)
        for other in others:
            torch.testing.assert_close(other, first, rtol=1e-5, atol=1e-5)


def test_decoder_layer_is_pytorchs() -> None:
    theirs = torch.nn.TransformerDecoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True).eval()
    model = netc.compile('use "std/transformer.net"\nx = input [T, 8]\nm = input [S, 8]\n(x, m) -> decoder_layer 2 as layer')
    ours = model.module({f"layer.{name}": value for name, value in theirs.state_dict().items()}).eval()
    generator = torch.Generator().manual_seed(0)
    x, memory = torch.randn(3, 5, 8, generator=generator), torch.randn(3, 4, 8, generator=generator)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(5)
    with torch.no_grad():
        torch.testing.assert_close(ours(x, memory), theirs(x, memory, tgt_mask=mask, tgt_is_causal=True), rtol=1e-5, atol=1e-5)


def test_projected_attention_is_pytorchs() -> None:
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True, kdim=6, vdim=6).eval()
    model = netc.compile('use "std/attention.net"\nx = input [T, 8]\ny = input [S, 6]\n(x, y) -> projected_attention 2 last="out" as a')
    with torch.no_grad():
        theirs.in_proj_bias.normal_(generator=torch.Generator().manual_seed(1))
    weights = {f"a.{name}_proj.weight": theirs.get_parameter(f"{name}_proj_weight") for name in "qkv"}
    biases = {f"a.{name}_proj.bias": part for name, part in zip("qkv", theirs.in_proj_bias.chunk(3), strict=True)}
    ours = model.module({**weights, **biases, "a.out.weight": theirs.out_proj.weight, "a.out.bias": theirs.out_proj.bias}).eval()
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(3, 5, 8, generator=generator), torch.randn(3, 4, 6, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(ours(x, y), theirs(x, y, y, need_weights=False)[0], rtol=1e-5, atol=1e-5)


def test_patch_embedding_is_a_convolutions_places() -> None:
    theirs = torch.nn.Conv2d(3, 6, 4, 4)
    model = netc.compile('use "std/embedding.net": patch_embedding\ninput 3x8x12 -> patch_embedding 6 4 as patches')
    ours = model.module({f"patches.projection.{name}": value for name, value in theirs.state_dict().items()})
    x = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x).flatten(2).transpose(1, 2))


def test_heads_are_split_and_merged() -> None:
    model = netc.compile('use "std/attention.net"\nh = input [T, 6] -> split_heads 3\nout h, h -> merge_heads')
    x = torch.arange(2 * 4 * 6.0).reshape(2, 4, 6)
    heads, merged = model.module()(x)
    assert all(torch.equal(heads[:, i], x[..., 2 * i : 2 * i + 2]) for i in range(3))
    assert torch.equal(merged, x)


LAYERS = {
    "conv": (lambda: nn.Conv2d(4, 6, 3, padding=1, stride=2), "conv 6 3x3 padding=1 stride=2", "4x8x8", (4, 8, 8)),
    "grouped": (lambda: nn.Conv1d(4, 6, 5, groups=2, bias=False), "conv 6 5 groups=2 bias=false", "4xT where T > 5", (4, 9)),
    "dense": (lambda: nn.Linear(5, 3), "dense 3", "[T, 5]", (7, 5)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), "conv_transpose 6 3 stride=2", "4x5x5", (4, 5, 5)),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_parametrizations_are_pytorchs(name: str, layer: str) -> None:
    make, text, shape, sizes = LAYERS[layer]
    torch.manual_seed(0)
    theirs = nn.Sequential(getattr(parametrizations, name)(make())).eval()
    axis = " axis=1" if (name, layer) == ("spectral_norm", "transposed") else ""
    model = netc.compile(f'use "std/parametrizations.net": {name}\ninput {shape} -> ({name} ({text}){axis}) as net')
    state = {f"net.{key}": value.clone() for key, value in theirs.state_dict().items()}
    assert set(model.parameters) == set(state)
    ours = model.module(state).eval()
    x = torch.randn(2, *sizes)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(torch.from_numpy(model.session(state)(x.numpy())), theirs(x).detach(), atol=1e-5, rtol=1e-4)
    for _ in range(2):  # in training, the vectors of spectral norms change
        (theirs.train()(x) * x.mean()).sum().backward()
        (ours.train()(x) * x.mean()).sum().backward()
    for key, value in theirs.named_parameters():
        torch.testing.assert_close(ours.get_parameter(f"net.{key}").grad, value.grad, atol=1e-5, rtol=1e-4)
    for key, value in theirs.named_buffers():
        torch.testing.assert_close(ours.get_buffer(f"net.{key}"), value)


def test_weight_standardization_is_timms() -> None:
    model = netc.compile('use "std/parametrizations.net"\ninput 4x8x8 -> weight_standardization (conv 6 3x3) as conv')
    module = model.module(seed=3)
    assert set(model.parameters) == {"conv.weight", "conv.bias"}
    weight = module.conv.weight
    normed = F.batch_norm(weight.reshape(1, 6, -1), None, None, training=True, eps=1e-5).reshape_as(weight)
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(module(x), F.conv2d(x, normed, module.conv.bias))


@pytest.mark.parametrize("layer", LAYERS)
def test_spectral_norm_starts_as_pytorchs(layer: str) -> None:
    """Of positive weights, fifteen steps from any vectors lead to the same ones, up to rounding."""
    make, text, shape, _ = LAYERS[layer]
    axis = int(layer == "transposed")
    model = netc.compile(f"""
        use "std/parametrizations.net": spectral_norm
        input {shape} -> spectral_norm ({text} init=uniform(0.5, 1)) axis={axis} as layer""")
    source: dict[str, type[nn.Module]] = {}
    exec(model.source(), source)
    for module in (model.module(seed=5), model.module(), source["Net"]()):
        weight, u, v = (
            module.get_submodule("layer").state_dict()[f"parametrizations.weight.{key}"] for key in ("original", "0._u", "0._v")
        )
        theirs = make()
        theirs.weight.data = weight.clone()
        theirs = parametrizations.spectral_norm(theirs).eval()
        matrix = weight.movedim(axis, 0).flatten(1)
        torch.testing.assert_close(weight / torch.dot(u, matrix @ v), theirs.weight)
        side = torch.sign(torch.dot(u, theirs.parametrizations.weight[0]._u))
        torch.testing.assert_close(side * v, theirs.parametrizations.weight[0]._v)


@pytest.mark.parametrize("layer", LAYERS)
def test_weight_norm_starts_as_pytorchs(layer: str) -> None:
    """As the layer with the weight that was drawn: magnitudes are the norms of its rows."""
    make, text, shape, _ = LAYERS[layer]
    model = netc.compile(f"""
        use "std/parametrizations.net": weight_norm
        input {shape} -> weight_norm ({text} init=normal(0.3)) as layer""")
    source: dict[str, type[nn.Module]] = {}
    exec(model.source(), source)
    key = "layer.parametrizations.weight.original"
    drawn = {i.name: torch.from_numpy(onnx.numpy_helper.to_array(i)) for i in model.onnx(seed=5).graph.initializer}
    states = [model.module(seed=5).state_dict(), model.module().state_dict(), source["Net"]().state_dict(), drawn]
    for state in states:
        theirs = make()
        theirs.weight.data = state[f"{key}1"].clone()
        theirs = parametrizations.weight_norm(theirs)
        torch.testing.assert_close(state[f"{key}0"], theirs.parametrizations.weight.original0.detach())
        assert state[f"{key}0"].std() > 0
