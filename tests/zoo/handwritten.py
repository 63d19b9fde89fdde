"""The references of the models that no library of the development environment has, written down from their papers and tutorials.

Each has the names of the implementation that its spec mentions in its header. They are written to be compared with it, not to be fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

# --- DCGAN -------------------------------------------------------------------------------------------------------------------


class Main(nn.Module):
    """Both modules of PyTorch's tutorial are one `nn.Sequential` called main."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.main = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x)


def generator(noise: int = 100, width: int = 64, channels: int = 3) -> Main:
    widths = [8 * width, 4 * width, 2 * width, width]
    layers: list[nn.Module] = [nn.ConvTranspose2d(noise, widths[0], 4, 1, 0, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(True)]
    for before, after in pairwise(widths):
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)]
    return Main(*layers, nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh())


def discriminator(width: int = 64, channels: int = 3) -> Main:
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for k in (1, 2, 4):
        layers += [nn.Conv2d(k * width, 2 * k * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * k * width), nn.LeakyReLU(0.2, inplace=True)]
    last = nn.Conv2d(8 * width, 1, 4, 1, 0, bias=False)
    with torch.no_grad():
        last.weight.mul_(30)  # as drawn, it gives one half to anything
    return Main(*layers, last, nn.Sigmoid())


# --- WaveNet, TCN ------------------------------------------------------------------------------------------------------------


def past(x: Tensor, conv: nn.Conv1d) -> Tensor:
    """The causal convolution, as the sum of the products with each of the kernel's matrices."""
    length, kernel = x.shape[-1], conv.kernel_size[0]
    total = conv.bias[:, None].expand(len(x), -1, length)
    for j in range(kernel):
        back = (kernel - 1 - j) * conv.dilation[0]
        total = total + conv.weight[..., j] @ F.pad(x, (back, 0))[..., :length]
    return total


class WaveNetLayer(nn.Module):
    def __init__(self, width: int, skip: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.filter = nn.Conv1d(width, width, kernel, dilation=dilation)
        self.gate = nn.Conv1d(width, width, kernel, dilation=dilation)
        self.residual = nn.Conv1d(width, width, 1)
        self.skip = nn.Conv1d(width, skip, 1)


class WaveNet(nn.Module):
    def __init__(self, levels: int = 256, width: int = 32, skip: int = 256, stacks: int = 4, depth: int = 10, kernel: int = 2) -> None:
        super().__init__()
        self.first = nn.Conv1d(levels, width, kernel)
        dilations = [2**i for _ in range(stacks) for i in range(depth)]
        self.layers = nn.ModuleList(WaveNetLayer(width, skip, kernel, dilation) for dilation in dilations)
        self.end1 = nn.Conv1d(skip, skip, 1)
        self.end2 = nn.Conv1d(skip, levels, 1)

    def forward(self, samples: Tensor) -> Tensor:
        h = past(F.one_hot(samples, self.end2.out_channels).float().mT, self.first)
        skips = []
        for layer in self.layers:
            gated = past(h, layer.filter).tanh() * past(h, layer.gate).sigmoid()
            skips.append(layer.skip(gated))
            h = h + layer.residual(gated)
        return self.end2(F.relu(self.end1(F.relu(sum(skips)))))


class TemporalBlock(nn.Module):
    def __init__(self, before: int, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(before, width, kernel, dilation=dilation)
        self.conv2 = nn.Conv1d(width, width, kernel, dilation=dilation)
        self.downsample = nn.Conv1d(before, width, 1) if before != width else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        h = self.dropout(F.relu(past(x, self.conv1)))
        h = self.dropout(F.relu(past(h, self.conv2)))
        return F.relu(h + (x if self.downsample is None else self.downsample(x)))


class TCN(nn.Module):
    def __init__(self, features: int, widths: Sequence[int], classes: int, kernel: int, dropout: float = 0.05) -> None:
        super().__init__()
        sizes = [features, *widths]
        blocks = [TemporalBlock(a, b, kernel, 2**i, dropout) for i, (a, b) in enumerate(pairwise(sizes))]
        self.tcn = nn.Module()
        self.tcn.network = nn.Sequential(*blocks)
        self.linear = nn.Linear(sizes[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.tcn.network(x).mT)


# --- recurrent networks -------------------------------------------------------------------------------------------------------


class Tagger(nn.Module):
    def __init__(self, vocabulary: int = 9, tags: int = 3, width: int = 6, hidden: int = 6, bidirectional: bool = False) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, hidden, bidirectional=bidirectional)
        self.hidden2tag = nn.Linear(hidden * (1 + bidirectional), tags)

    def forward(self, words: Tensor) -> Tensor:
        outputs, _ = self.lstm(self.word_embeddings(words).transpose(0, 1))
        return F.log_softmax(self.hidden2tag(outputs.transpose(0, 1)), dim=-1)


class Encoder(nn.Module):
    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.dropout = nn.Dropout(0.1)

    def forward(self, text: Tensor) -> tuple[Tensor, Tensor]:
        return self.gru(self.dropout(self.embedding(text)))


class BahdanauAttention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.Wa, self.Ua, self.Va = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 1)

    def forward(self, query: Tensor, keys: Tensor, states: Tensor) -> Tensor:
        scores = self.Va(torch.tanh(self.Wa(query) + keys)).squeeze(2)
        return torch.bmm(F.softmax(scores, dim=-1).unsqueeze(1), states)


class Decoder(nn.Module):
    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.attention = BahdanauAttention(width)
        self.gru = nn.GRU(2 * width, width, batch_first=True)
        self.out = nn.Linear(width, vocabulary)

    def forward(self, states: Tensor, state: Tensor, target: Tensor) -> Tensor:
        """Teacher forcing: the input of each step is the target word of the previous step, and word 0 in the first step."""
        word = torch.zeros_like(target[:, :1])
        keys = self.attention.Ua(states)
        outputs = []
        for t in range(target.shape[1]):
            context = self.attention(state.permute(1, 0, 2), keys, states)
            y, state = self.gru(torch.cat((self.embedding(word), context), dim=2), state)
            outputs.append(self.out(y))
            word = target[:, t : t + 1]
        return F.log_softmax(torch.cat(outputs, dim=1), dim=-1)


class Bahdanau(nn.Module):
    def __init__(self, source: int, target: int, width: int) -> None:
        super().__init__()
        self.encoder = Encoder(source, width)
        self.decoder = Decoder(target, width)

    def forward(self, text: Tensor, target: Tensor) -> Tensor:
        return self.decoder(*self.encoder(text), target)


class Luong(nn.Module):
    """Global attention with the general score: `h_t W h_s` for each state of the decoder and each of the encoder."""

    def __init__(self, source: int, target: int, width: int) -> None:
        super().__init__()
        self.encoder = Encoder(source, width)
        self.embedding = nn.Embedding(target, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.score = nn.Linear(width, width, bias=False)
        self.combine = nn.Linear(2 * width, width, bias=False)
        self.out = nn.Linear(width, target)

    def forward(self, text: Tensor, target: Tensor) -> Tensor:
        states, state = self.encoder(text)
        words = torch.cat((torch.zeros_like(target[:, :1]), target[:, :-1]), dim=1)
        outputs, _ = self.gru(self.embedding(words), state)
        weights = torch.einsum("ntd,nsd->nts", outputs, self.score(states)).softmax(dim=-1)
        context = torch.einsum("nts,nsd->ntd", weights, states)
        return F.log_softmax(self.out(torch.tanh(self.combine(torch.cat((context, outputs), dim=-1)))), dim=-1)


# --- fields and sets -------------------------------------------------------------------------------------------------------------


class NeRF(nn.Module):
    def __init__(self, width: int = 256, depth: int = 8, skips: Sequence[int] = (4,), position: int = 10, direction: int = 4) -> None:
        super().__init__()
        self.octaves, self.skips = (position, direction), skips
        encoded, viewed = 3 + 6 * position, 3 + 6 * direction
        sizes = [encoded, *(width + (encoded if i in skips else 0) for i in range(depth))]
        self.pts_linears = nn.ModuleList(nn.Linear(size, width) for size in sizes[:-1])
        self.views_linears = nn.ModuleList([nn.Linear(viewed + width, width // 2)])
        self.feature_linear = nn.Linear(sizes[-1], width)
        self.alpha_linear = nn.Linear(sizes[-1], 1)
        self.rgb_linear = nn.Linear(width // 2, 3)

    def forward(self, position: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
        encoded, viewed = (self.encode(x, octaves) for x, octaves in zip((position, direction), self.octaves, strict=True))
        h = encoded
        for i, linear in enumerate(self.pts_linears):
            h = F.relu(linear(h))
            if i in self.skips:
                h = torch.cat((encoded, h), dim=-1)
        color = F.relu(self.views_linears[0](torch.cat((self.feature_linear(h), viewed), dim=-1)))
        return self.rgb_linear(color), self.alpha_linear(h)

    @staticmethod
    def encode(x: Tensor, octaves: int) -> Tensor:
        return torch.cat([x, *(wave(x * 2.0**i) for i in range(octaves) for wave in (torch.sin, torch.cos))], dim=-1)


class TransformNet(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        widths = [size, 64, 128, 1024, 512, 256]
        for i in (1, 2, 3):
            setattr(self, f"conv{i}", nn.Conv1d(widths[i - 1], widths[i], 1))
        self.fc1, self.fc2, self.fc3 = nn.Linear(1024, 512), nn.Linear(512, 256), nn.Linear(256, size * size)
        for i in range(1, 6):
            setattr(self, f"bn{i}", nn.BatchNorm1d(widths[i]))

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[1]
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.relu(self.bn3(self.conv3(x))).max(dim=2).values
        x = F.relu(self.bn4(self.fc1(x)))
        x = self.fc3(F.relu(self.bn5(self.fc2(x))))
        return x.view(-1, size, size) + torch.eye(size)


class PointNetFeatures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stn, self.fstn = TransformNet(3), TransformNet(64)
        self.conv1, self.conv2, self.conv3 = nn.Conv1d(3, 64, 1), nn.Conv1d(64, 128, 1), nn.Conv1d(128, 1024, 1)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm1d(64), nn.BatchNorm1d(128), nn.BatchNorm1d(1024)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        turn = self.stn(x)
        x = F.relu(self.bn1(self.conv1(torch.bmm(x.mT, turn).mT)))
        turn_features = self.fstn(x)
        x = F.relu(self.bn2(self.conv2(torch.bmm(x.mT, turn_features).mT)))
        return self.bn3(self.conv3(x)).max(dim=2).values, turn, turn_features


class PointNet(nn.Module):
    def __init__(self, classes: int = 40) -> None:
        super().__init__()
        self.feat = PointNetFeatures()
        self.fc1, self.fc2, self.fc3 = nn.Linear(1024, 512), nn.Linear(512, 256), nn.Linear(256, classes)
        self.bn1, self.bn2 = nn.BatchNorm1d(512), nn.BatchNorm1d(256)
        self.dropout = nn.Dropout(0.3)

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, turn, turn_features = self.feat(points)
        x = F.relu(self.bn1(self.fc1(x)))
        x = F.relu(self.bn2(self.dropout(self.fc2(x))))
        return F.log_softmax(self.fc3(x), dim=1), turn, turn_features


# --- others ----------------------------------------------------------------------------------------------------------------------


class Mlp(nn.Module):
    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(size, hidden), nn.Linear(hidden, size)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class MixerBlock(nn.Module):
    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.mlp_tokens, self.mlp_channels = Mlp(tokens, width // 2), Mlp(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mlp_tokens(self.norm1(x).mT).mT
        return x + self.mlp_channels(self.norm2(x))


class MlpMixer(nn.Module):
    def __init__(self, width: int, depth: int, patch: int, classes: int = 1000, size: int = 224) -> None:
        super().__init__()
        self.stem = nn.Module()
        self.stem.proj = nn.Conv2d(3, width, patch, patch)
        self.blocks = nn.Sequential(*(MixerBlock((size // patch) ** 2, width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.stem.proj(image).flatten(2).mT)).mean(dim=1))


class Tower(nn.Module):
    def __init__(self, size: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise([size, *widths]))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return F.normalize(self.layers[-1](x), dim=1)


class TwoTower(nn.Module):
    def __init__(self, people: int, items: int, genres: int, width: int, widths: Sequence[int], temperature: float = 0.05) -> None:
        super().__init__()
        self.temperature = temperature
        self.people, self.genres = nn.Embedding(people, width), nn.Embedding(genres, width)
        self.items = nn.Embedding(items, width, padding_idx=0)
        self.user_tower, self.item_tower = Tower(2 * width, widths), Tower(2 * width, widths)

    def forward(self, person: Tensor, history: Tensor, item: Tensor, genre: Tensor, frequency: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean = torch.stack([self.items(one[one != 0]).sum(dim=0) / max(1, int((one != 0).sum())) for one in history])
        user = self.user_tower(torch.cat((self.people(person), mean), dim=1))
        thing = self.item_tower(torch.cat((self.items(item), self.genres(genre)), dim=1))
        return user @ thing.T / self.temperature - frequency.log(), user, thing


class KanLinear(nn.Module):
    def __init__(self, size: int, units: int, cells: int, order: int) -> None:
        super().__init__()
        self.order = order
        knots = torch.arange(-order, cells + order + 1) * (2 / cells) - 1
        self.register_buffer("grid", knots.repeat(size, 1))
        self.base_weight = nn.Parameter(torch.randn(units, size) / math.sqrt(size))
        self.spline_weight = nn.Parameter(torch.randn(units, size, cells + order) / math.sqrt(size))
        self.spline_scaler = nn.Parameter(torch.randn(units, size))

    def forward(self, x: Tensor) -> Tensor:
        heights = self.spline_weight * self.spline_scaler[..., None]
        return F.linear(F.silu(x), self.base_weight) + torch.einsum("ndk,udk->nu", self.splines(x), heights)

    def splines(self, x: Tensor) -> Tensor:
        """Cox and de Boor's definition, one spline at a time."""
        knots = self.grid.T
        bases = [((low <= x) & (x < high)).float() for low, high in pairwise(knots)]
        for k in range(1, self.order + 1):
            rising = [(x - knots[i]) / (knots[i + k] - knots[i]) for i in range(len(bases))]
            bases = [up * a + (1 - after) * b for up, after, a, b in zip(rising, rising[1:], bases, bases[1:], strict=False)]
        return torch.stack(bases, dim=-1)


class KAN(nn.Module):
    def __init__(self, widths: Sequence[int], cells: int = 5, order: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList(KanLinear(a, b, cells, order) for a, b in pairwise(widths))

    def forward(self, image: Tensor) -> Tensor:
        for layer in self.layers:
            image = layer(image)
        return image
