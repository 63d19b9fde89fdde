"""Names of the spec in `forward`: of tensors that a body unpacks or declares, and of sizes that its patterns and `let`s name."""

from __future__ import annotations

from textwrap import dedent

import pytest

import netc
from tests.parity import agree


def forward(text: str, name: str) -> str:
    """The `forward` of a class."""
    of_class = netc.compile(text).source().split(f"class {name}(")[1].split("\nclass ")[0]
    return dedent("    def forward" + of_class.split("    def forward", 1)[1]).strip()


SAMPLES = {
    "the unpacked input of a loop": (
        "Layer",
        "block means(x: [N, T, D]) { value = x -> dense D as v; (top, _) = (value, x -> exp) -> repeat 3 as layers { "
        "(top, bottom) = in; out top + bottom, bottom * top }; top }; input [T, 4] -> means -> relu",
        """
        def forward(self, top: Tensor, bottom: Tensor) -> tuple[Tensor, Tensor]:
            return top + bottom, bottom * top
        """,
    ),
    "the input by another name": (
        "Inner",
        "block inner { image = in; h = image -> dense 4 as a -> relu; image + h -> dense 2 as b }; input 4 -> inner as inner",
        """
        def forward(self, image: Tensor) -> Tensor:
            h = F.relu(self.a(image))
            return self.b(image + h)
        """,
    ),
    "what is left of the input is not its name": (
        "Residual",
        "block residual(width) { main = in -> dense width as a; skip = in -> if in.features != width { dense width as b }; main + skip }; "
        "input 4 -> residual 4 as block",
        """
        def forward(self, x: Tensor) -> Tensor:
            main = self.a(x)
            return main + x
        """,
    ),
    "a captured tensor, as the body calls it": (
        "Outer",
        "block outer(x: [N, D]) { scale = x; (dense D as fc -> relu) * scale }; input 4 -> outer as o",
        """
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.fc(x)) * x
        """,
    ),
    "sizes of a pattern": (
        "Attend",
        "block attend(x: [N, rows, columns, C]) { x -> reshape [N, rows * columns, C] -> dense C as fc -> reshape [N, rows, columns, C] };"
        "input 3xHxW -> permute [0, 2, 3, 1] -> attend as attn",
        """
        def forward(self, x: Tensor) -> Tensor:
            N, rows = x.shape[:2]
            return self.fc(x.reshape(N, -1, 3)).reshape(N, rows, -1, 3)
        """,
    ),
    "sizes of a pattern with `...`": (
        "Grid",
        "block grid(x: [..., height, width]) { x + (table (i, j) [height, width] = i + j) }; input [T, H, W] -> grid as grid",
        """
        def forward(self, x: Tensor) -> Tensor:
            height, width = x.shape[-2:]
            i = torch.arange(height, device=x.device)[:, None]
            j = torch.arange(width, device=x.device)
            return x + (i + j)
        """,
    ),
    "sizes apart": (
        "Pixels",
        "block pixels(x: [N, C, H, W]) { x -> flatten 2 -> abs -> reshape [N, C, H, W] }; input 3xRxS -> pixels as pixels",
        """
        def forward(self, x: Tensor) -> Tensor:
            N, _, H, _ = x.shape
            return torch.abs(x.flatten(2)).reshape(N, 3, H, -1)
        """,
    ),
    "sizes of a `let`": (
        "Positions",
        "block positions { let steps = in.shape[1]; in + (table (t, _) [steps, 1] = t) }; input [T, 4] -> positions as pos",
        """
        def forward(self, x: Tensor) -> Tensor:
            steps = x.shape[1]
            return x + torch.arange(steps, device=x.device)[:, None]
        """,
    ),
    "a formula that a `let` names": (
        "Windows",
        "block windows(x: [N, S, D]) { let half = S / 2; (x -> slice 1 stop=half) * (x -> slice 1 start=half) -> dense D as fc }; "
        "input [T, 8] where T % 4 == 0 -> windows as w",
        """
        def forward(self, x: Tensor) -> Tensor:
            S = x.shape[1]
            half = S // 2
            return self.fc(x[:, :half] * x[:, half:])
        """,
    ),
    "a size that the caller passes": (
        "Local",
        "block local(x: [N, S, C], rows) { x -> transpose 1 2 -> reshape [N, C, rows, S / rows] -> conv C 3x3 padding=1 as conv };"
        "image = input 2xHxW; image -> flatten 2 -> transpose 1 2 -> local H as local",
        """
        def forward(self, x: Tensor, rows: int) -> Tensor:
            N = x.shape[0]
            return self.conv(x.transpose(1, 2).reshape(N, 2, rows, -1))
        """,
    ),
}


@pytest.mark.parametrize(("name", "text", "expected"), SAMPLES.values(), ids=SAMPLES.keys())
def test_forward(name: str, text: str, expected: str) -> None:
    assert forward(text, name) == dedent(expected).strip()
    agree(netc.compile(text))


UNNAMED = {
    "what the stage that takes it calls it": (
        "(x, y) = input [T, 8] -> chunk 2 axis=-1; "
        "keys = (x, y) -> concat axis=1; h = x + ((x -> dense 4 as q_proj -> unsqueeze 1, keys -> unsqueeze 1, keys -> unsqueeze 1) "
        "-> attention -> squeeze 1); h * y",
        """
        x, y = input.chunk(2, dim=-1)
        keys = torch.cat((x, y), dim=1)
        q = self.q_proj(x).unsqueeze(1)
        keys = keys.unsqueeze(1)
        h = x + F.scaled_dot_product_attention(q, keys, keys).squeeze(1)
        return h * y
        """,
    ),
    "of a block too": (
        "block added(x: [N, D], source: [N, D]) { x + source -> dense D as fc }; "
        "h = input 4; y = (h, h -> dense 4 as a -> sin) -> added as add; y * h",
        """
        source = torch.sin(self.a(h))
        y = self.add(h, source)
        return y * h
        """,
    ),
    "of a loop": (
        "x = input 4; (h, _) = (x, x -> dense 4 as a) -> repeat 3 as layers { (h, mask) = in; out h * mask -> dense 4, mask + h }; h + x",
        """
        mask = self.a(x)
        h = x
        for layer in self.layers:
            h, mask = layer(h, mask)
        return h + x
        """,
    ),
    "what it was computed by, of several at once": (
        "x = input 4; ((x -> exp -> dense 4 as a) * (x -> cos -> dense 4 as b) -> sigmoid) + "
        "((x -> tanh -> dense 4 as c) * (x -> sin -> dense 4 as d) -> relu)",
        """
        y = torch.exp(x)
        cos = torch.cos(x)
        tanh = torch.tanh(x)
        x = torch.sin(x)
        x = F.relu(self.c(tanh) * self.d(x))
        return torch.sigmoid(self.a(y) * self.b(cos)) + x
        """,
    ),
}


@pytest.mark.parametrize(("text", "expected"), UNNAMED.values(), ids=UNNAMED.keys())
def test_unnamed(text: str, expected: str) -> None:
    assert dedent(netc.compile(text).source().rsplit("def forward", 1)[1].split("\n", 1)[1]).strip() == dedent(expected).strip()
    agree(netc.compile(text))
