"""Importing modules of kinds that few models have: cells in loops, complex numbers, parts with steps, long sequences of equal members."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from frontends.imported import agree, operators
from frontends.written import Of, batches
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.ir.graph import OpNode


@pytest.mark.parametrize("cell", [nn.GRUCell(4, 6), nn.RNNCell(4, 6), nn.RNNCell(4, 6, nonlinearity="relu", bias=False)])
def test_a_cell_in_a_loop(cell: nn.Module) -> None:
    def forward(m: Of, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[0], 6)
        for at in range(3):
            h = m.cell(x[:, at], h)
        return h

    found = agree(Of(forward, cell=cell), *batches(3, 4))
    assert list(found.weights) == [f"cell.{key}" for key in cell.state_dict()]


def test_a_cell_with_two_states() -> None:
    def forward(m: Of, x: Tensor) -> tuple[Tensor, Tensor]:
        h, c = m.cell(x[:, 0])
        h, c = m.cell(x[:, 1], (h, c))
        return h, c

    agree(Of(forward, cell=nn.LSTMCell(4, 6)), *batches(2, 4))


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: torch.view_as_real(torch.fft.rfft(x)),
        lambda m, x: torch.fft.irfft(torch.view_as_complex(torch.stack([x, x * 2], -1)), n=9, dim=1),
        lambda m, x: torch.fft.irfft(torch.fft.rfft(x, norm="ortho"), n=x.shape[-1], norm="ortho"),
        lambda m, x: torch.view_as_real(torch.fft.ifft(torch.fft.fft(torch.complex(x, -x), dim=1), n=5, dim=1)),
        lambda m, x: torch.fft.rfft(x).abs() + torch.fft.rfft(x * 2).angle().sin()[..., :1] + x.abs()[..., :1],
        lambda m, x: torch.fft.irfft(torch.polar(torch.fft.rfft(x).abs() * 0.5, torch.fft.rfft(x).angle()), n=8),
        lambda m, x: (torch.fft.irfft(torch.fft.rfft(x).conj()), torch.fft.rfft(x).conj().imag),
        lambda m, x: torch.fft.irfft(torch.fft.rfft(x).conj_physical()) + torch.conj_physical(x),
        lambda m, x: torch.fft.rfft(x, dim=1).imag + torch.fft.rfft(x, dim=1).real,
    ],
)
def test_complex_numbers_are_pairs(function: Callable[[Any, Tensor], Tensor]) -> None:
    agree(Of(function), *batches(6, 8))


@pytest.mark.parametrize(
    ("function", "centered"),
    [
        (lambda m, x: torch.stft(x, 16, 4, window=torch.hann_window(16), return_complex=True).abs() ** 2, True),
        (lambda m, x: torch.view_as_real(torch.stft(x, 16, 4, 12, m.rows.weight[0], normalized=True, return_complex=True)), True),
        (lambda m, x: torch.stft(x, 15, window=None, pad_mode="constant", onesided=False, return_complex=True).imag, True),
        (lambda m, x: torch.stft(x, 16, window=None, center=False, return_complex=True).real, False),
        (lambda m, x: torch.stft(x[0], 8, window=None, return_complex=True).abs(), True),
    ],
)
def test_windows_of_a_signal(function: Callable[[Any, Tensor], Tensor], centered: bool) -> None:
    signals = [torch.randn(n, length) for n, length in ((2, 128), (3, 81), (1, 40))]
    module = Of(function, rows=nn.Embedding(1, 12)).eval()
    # The whole import: torch.export excludes one sample where windows are not centered, and the import proves that it need not be.
    found = netc.from_torch(module, signals[0], {0: ["N", "T"]})
    computed = found.module()
    for signal in signals:
        torch.testing.assert_close(computed(signal), module(signal), atol=1e-4, rtol=1e-4)
    (stft,) = [node.op for node in found.program.main.nodes if isinstance(node, OpNode) and node.op.name == "stft"]
    assert stft.args["center"] == centered


def test_a_signal_of_windows() -> None:
    def forward(m: Of, x: Tensor) -> tuple[Tensor, Tensor]:
        weights = torch.hamming_window(12)
        windows = torch.stft(x, 16, 4, 12, weights, return_complex=True)
        return torch.istft(windows, 16, 4, 12, weights, length=61), torch.istft(windows, 16, 4, 12, weights, normalized=True)

    agree(Of(forward), *batches(64), close=1e-4)


@pytest.mark.parametrize(
    "part", [(slice(None), slice(0, None, 2)), (slice(None), slice(1, 6, 3)), (slice(None), slice(None), slice(2, None, 2))]
)
def test_every_few_elements_are_replaced(part: Any) -> None:
    def forward(m: Of, x: Tensor) -> Tensor:
        y = x * 2
        y[part] = -x[part]
        return y

    agree(Of(forward), *batches(7, 5))


def test_an_image_is_filled_by_every_second_row_and_column() -> None:
    def forward(m: Of, x: Tensor) -> Tensor:
        out = torch.zeros(x.shape[0], 1, 2 * x.shape[2], 2 * x.shape[3])
        for channel in range(4):
            out[:, :, channel % 2 :: 2, channel // 2 :: 2] = x[:, channel : channel + 1]
        return out

    images = [torch.randn(n, 4, h, w) for n, h, w in ((2, 6, 8), (1, 3, 5), (3, 7, 2))]
    found = agree(Of(forward), *images, dims={0: ["N", None, "H", "W"]})
    assert "index_select" not in operators(found.program)


def test_memory_that_every_second_element_fills() -> None:
    def forward(m: Of, x: Tensor) -> Tensor:
        turned = torch.empty_like(x)
        turned[..., ::2] = x[..., ::2] - 2 * x[..., 1::2]
        turned[..., 1::2] = x[..., 1::2] + turned[..., ::2]
        return turned

    agree(Of(forward), *batches(3, 6))


@pytest.mark.parametrize("part", [slice(0, None, 2), slice(2, None, 3), slice(3, None, 3), slice(1, 5, 2)])
def test_every_few_elements_are_changed_and_read_again(part: slice) -> None:
    def forward(m: Of, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x * 2
        y[:, part] += 1
        y[:, ::2] *= y[:, 1::2]
        return y, y[:, part]

    agree(Of(forward), *batches(6, 5))


def test_a_scripted_module_is_named() -> None:
    module = Of(lambda m, x: m.inner(x), inner=torch.jit.script(nn.Sequential(nn.Linear(3, 3), nn.Tanh())))
    with pytest.raises(ImportFailed, match=r"is TorchScript, which torch.export does not follow \(in `inner`\)"):
        netc.from_torch(module, torch.randn(2, 3))


@pytest.mark.filterwarnings("ignore:`torch.jit.trace` is deprecated")
def test_a_traced_module_is_refused_though_its_forward_has_no_signature() -> None:
    traced = torch.jit.trace(nn.Sequential(nn.Linear(3, 3), nn.Tanh()), torch.randn(2, 3))
    with pytest.raises(ImportFailed, match="the module is TorchScript, which torch"):
        netc.from_torch(traced, torch.randn(2, 3))


def test_a_transformer_looks_at_no_numbers_of_its_mask() -> None:
    def forward(m: Of, x: Tensor) -> Tensor:
        mask = torch.triu(torch.full((x.shape[1], x.shape[1]), -math.inf), 1)
        return m.body(x, x, tgt_mask=mask)

    body = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    found = agree(Of(forward, body=body), torch.randn(2, 5, 8), torch.randn(3, 7, 8), dims={0: ["N", "T", None]})
    assert operators(found.program).count("multihead_attention") == 3


def test_a_greatest_size_that_torch_export_takes_for_another_case_is_left_out() -> None:
    module = Of(lambda m, x: m.mask[: x.shape[1], : x.shape[1]] @ x, mask=None)  # type: ignore[arg-type]
    del module.mask
    module.register_buffer("mask", torch.rand(16, 16))
    model = netc.from_torch(module, torch.randn(2, 5, 3), {0: ["N", "T", None]})
    assert "T <= 1" in model.spec()
    assert "is left out" in model.spec() or "T <= 16" in model.spec()


def convolutions(*widths: int, norm: bool = False) -> nn.Sequential:
    """Convolutions as VGG has them: 0 is a pooling."""
    found: list[nn.Module] = []
    before = 3
    for width in widths:
        if not width:
            found.append(nn.MaxPool2d(2))
            continue
        found += [nn.Conv2d(before, width, 3, padding=1), *([nn.BatchNorm2d(width)] if norm else []), nn.ReLU()]
        before = width
    return nn.Sequential(*found)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize(
    ("widths", "loops"), [((4, 4, 0, 8, 8, 0, 16, 16, 16, 0), 2), ((4, 0, 8, 0, 8, 8, 0), 2), ((4, 0, 8, 0, 16, 0), 1)]
)
@pytest.mark.sample(2)
def test_members_that_come_again_are_loops(widths: tuple[int, ...], loops: int, norm: bool) -> None:
    module = Of(lambda m, x: m.features(x), features=convolutions(*widths, norm=norm))
    model = netc.from_torch(module, torch.randn(2, 3, 16, 16))
    text = model.spec()
    assert (text.count("repeat"), text.count("conv "), text.count("max_pool")) == (loops, 1, 1)
    assert list(model.parameters) == list(module.state_dict())


def test_members_that_do_not_come_again_stay() -> None:
    module = Of(lambda m, x: m.features(x), features=convolutions(4, 8, 0, 16))
    assert "repeat" not in netc.from_torch(module, torch.randn(2, 3, 16, 16)).spec()


def test_a_long_sequence_in_several_places_is_a_block() -> None:
    def unit(width: int, outer: int) -> nn.Sequential:
        return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outer), nn.GELU(), nn.Dropout(0.1), nn.Linear(outer, outer), nn.Tanh())

    units = {"first": unit(4, 8), "second": unit(8, 5), "last": unit(5, 3)}
    module = Of(lambda m, x: m.last(m.second(m.first(x))), **units)
    model = netc.from_torch(module, torch.randn(2, 4))
    assert model.spec().count("layer_norm") == 1
    assert list(model.parameters) == list(module.state_dict())


def test_shared_modules_of_a_module_that_uses_others_from_outside() -> None:
    """Its own ones are declared where it is written out, once for each of its uses."""

    def layer() -> Of:
        return Of(
            lambda m, a, b, outside: (m.shared(a) + outside(a), m.shared(outside(b))), shared=nn.Sequential(nn.Linear(4, 4), nn.Tanh())
        )

    def forward(m: Of, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return m.second(*m.first(a, b, m.outside), m.outside)

    made = netc.from_torch(
        Of(forward, first=layer(), second=layer(), outside=nn.Linear(4, 4)), (torch.randn(2, 5, 4), torch.randn(2, 9, 4))
    )
    again = netc.compile(made.spec())
    assert set(again.parameters) == {
        f"{path}.{key}" for path in ("first.shared.0", "second.shared.0", "outside") for key in ("weight", "bias")
    }


NUMBERS = {
    "added": lambda x, v: x + v,
    "multiplied": lambda x, v: v * x,
    "chosen": lambda x, v: torch.where(x > 0, x, v),
    "filled": lambda x, v: x.masked_fill(x > 0, v),
    "padded": lambda x, v: nn.functional.pad(x, (1, 1), value=v),
    "compared": lambda x, v: (x == v).float(),
    "a tensor": lambda x, v: torch.maximum(x, torch.tensor(v)),
    "a power": lambda x, v: x**v,
    "a weight": lambda x, v: torch.lerp(x, x + 1, v),
}


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("function", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.sample(3)
def test_numbers_that_are_not_finite(function: Callable[[Tensor, float], Tensor], value: float) -> None:
    agree(Of(lambda m, x: function(x, value)), *batches(4, 5))


@pytest.mark.parametrize("function", [lambda x: nn.functional.threshold(x, 0, -math.inf), lambda x: x.clamp(min=math.nan)])
def test_numbers_that_must_be_finite(function: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ImportFailed, match="is a number"):
        netc.from_torch(Of(lambda m, x: function(x)), torch.randn(2, 8))


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(4), nn.GRUCell(4, 4), nn.GRU(4, 3, batch_first=True)])
def test_a_layer_with_statistics_or_a_state_is_no_model(layer: nn.Module) -> None:
    """A spec has such layers under names only, and keys of a model's own layer have none."""
    x = torch.randn(2, 4) if not isinstance(layer, nn.GRU) else torch.randn(2, 3, 4)
    with pytest.raises(ImportFailed, match=r"has its parameters in the model itself.*; make it a layer of another module"):
        netc.from_torch(layer, (x,))
    agree(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), *batches(4))
