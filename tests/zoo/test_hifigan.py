"""specs/audio/hifigan.net against transformers, with its weight normalization; the third size, whose blocks transformers lacks, against the
authors' blocks written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from zoo.parity import Inputs, check

transformers = pytest.importorskip("transformers", reason="the reference of HiFi-GAN is transformers")

SPEC = "audio/hifigan.net"


def generator(width: int, rates: tuple[int, ...], kernels: tuple[int, ...], **sizes: object) -> nn.Module:
    config = transformers.SpeechT5HifiGanConfig(
        upsample_initial_channel=width, upsample_rates=rates, upsample_kernel_sizes=kernels, **sizes
    )
    return transformers.SpeechT5HifiGan(config)


def ready(module: nn.Module) -> nn.Module:
    """With weights that let something through, weight normalization, and statistics of the spectrogram that are not the trivial ones."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * parameter[0].numel() ** -0.5 / 2)
    module.apply_weight_norm()
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            if key in ("mean", "scale") or key.endswith("original0"):
                tensor.mul_(1 + torch.rand(tensor.shape, generator=generator)).add_(torch.rand(tensor.shape, generator=generator) / 8)
    return module.eval()


class ResBlock2(nn.Module):
    """The authors' smaller block."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(channels, channels, kernel, dilation=d, padding=(kernel * d - d) // 2) for d in dilations)

    def apply_weight_norm(self) -> None:
        for conv in self.convs:
            weight_norm(conv)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = conv(F.leaky_relu(x, 0.1)) + x
        return x


def third(width: int = 256) -> nn.Module:
    """Transformers' generator with these blocks."""
    kernels, dilations = (3, 5, 7), ((1, 2), (2, 6), (3, 12))
    module = generator(width, (8, 8, 4), (16, 16, 8), resblock_kernel_sizes=kernels, resblock_dilation_sizes=dilations)
    widths = [width // 2 ** (i + 1) for i in range(3)]
    module.resblocks = nn.ModuleList(ResBlock2(w, k, d) for w in widths for k, d in zip(kernels, dilations, strict=True))
    return module


def spectrograms(*sizes: tuple[int, int]) -> list[Inputs]:
    generator = torch.Generator().manual_seed(1)
    return [{"spectrogram": torch.randn(*size, 80, generator=generator)} for size in sizes]


REFERENCES = {
    "hifigan_v1": lambda: generator(512, (8, 8, 2, 2), (16, 16, 4, 4)),
    "hifigan_v2": lambda: generator(128, (8, 8, 2, 2), (16, 16, 4, 4)),
    "hifigan_v3": third,
}


@pytest.mark.parametrize("name", [pytest.param("hifigan_v1", marks=pytest.mark.zoo), "hifigan_v2", "hifigan_v3"])
def test_equals_reference(name: str, tmp_path: Path) -> None:
    check(SPEC, name, ready(REFERENCES[name]()), spectrograms((1, 5), (2, 3)), tmp_path)


def test_starts_as_the_reference() -> None:
    """Magnitudes start as the norms of PyTorch's weights, nearly."""
    from zoo.parity import SPECS

    import netc

    torch.manual_seed(0)
    theirs = generator(128, (8, 8, 2, 2), (16, 16, 4, 4))
    theirs.apply_weight_norm()
    ours = netc.compile_file(SPECS / SPEC, model="hifigan_v2").module(seed=1).state_dict()
    for key, wanted in theirs.state_dict().items():
        if key.endswith(("original0", "original1")):
            assert float(ours[key].square().mean().sqrt()) == pytest.approx(float(wanted.square().mean().sqrt()), rel=0.25), key
