"""Lines of imported texts: none is over 120 columns, and a step is a line. The judge of the numbers is the proof of the import."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import netc

pytestmark = pytest.mark.filterwarnings("ignore")


class Up(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3 * channels, channels, 3, padding=1)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        return self.conv(torch.cat([skip, nn.functional.interpolate(below, scale_factor=2.0)], 1)).relu()


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(c, 2 * c, 3, stride=2, padding=1) for c in (2, 4, 8))
        self.up = nn.ModuleList(Up(c) for c in (8, 4, 2))

    def forward(self, x: Tensor) -> Tensor:
        d1 = self.down[0](x)
        d2 = self.down[1](d1)
        return self.up[2](self.up[1](self.up[0](self.down[2](d2), d2), d1), x)


class Partition(nn.Module):
    """A block with many parameters: the sizes differ from use to use."""

    def __init__(self, a: int, b: int, c: int, width: int) -> None:
        super().__init__()
        self.sizes, self.scale = (a, b, c), 0.1234567890123 * a
        self.fc = nn.Linear(a * b * c, width)
        self.back = nn.Linear(width, 24)

    def forward(self, x: Tensor) -> Tensor:
        a, b, c = self.sizes
        y = self.fc((x.reshape(-1, a, b, c).permute(0, 3, 1, 2).reshape(-1, c, a * b) * self.scale).reshape(-1, 24))
        return x + self.back(nn.functional.leaky_relu(y, 0.0123456789 * b).clamp(-1.5 * a, 12345.678 * c))


class Partitions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first_of_the_partitions = Partition(2, 3, 4, 5)
        self.second_of_the_partitions = nn.Sequential(Partition(3, 2, 4, 7), nn.Tanh(), Partition(4, 3, 2, 9))

    def forward(self, x: Tensor) -> Tensor:
        return self.second_of_the_partitions(self.first_of_the_partitions(x)).sin()


@pytest.mark.parametrize(("module", "shape"), [(UNet(), (1, 2, 16, 16)), (Partitions(), (2, 24))], ids=["unet", "partitions"])
def test_lines_are_short(module: nn.Module, shape: tuple[int, ...]) -> None:
    text = netc.from_torch(module.eval(), torch.randn(shape)).spec()
    assert max(map(len, text.splitlines())) <= 120


def test_a_tuple_in_a_tuple_has_a_name() -> None:
    text = netc.from_torch(UNet().eval(), torch.randn(1, 2, 16, 16)).spec()
    assert not [line for line in text.splitlines() if line.count("-> up") > 1]
    assert "((" not in text


class ConditionedByTheEncoder(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(8, width), nn.Linear(8, width)

    def forward(self, hidden_states: Tensor, encoder_hidden_states_of_the_text: Tensor | None = None) -> Tensor:
        result = self.query(hidden_states).tanh().softmax(-1)
        if encoder_hidden_states_of_the_text is not None:
            result = result + encoder_hidden_states_of_the_text.mean()
        return torch.cat([result, self.key(hidden_states)], -1).sin()[..., :8]


class Conditioned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first_of_the_conditioned_layers_of_this_network = ConditionedByTheEncoder(6)
        self.second_of_the_conditioned_layers_of_this_network = ConditionedByTheEncoder(7)

    def forward(self, hidden_states: Tensor, encoder_hidden_states_of_the_text: Tensor) -> Tensor:
        y = self.first_of_the_conditioned_layers_of_this_network(hidden_states)
        return self.second_of_the_conditioned_layers_of_this_network(y, encoder_hidden_states_of_the_text)


def test_an_optional_tensor_with_a_long_name_makes_no_long_line() -> None:
    inputs = (torch.randn(2, 5, 8), torch.randn(2, 3, 8))
    text = netc.from_torch(Conditioned().eval(), inputs).spec()
    assert "given(" in text
    assert max(map(len, text.splitlines())) <= 120
