"""Tuples of the spec, `(x, kept...)`, as tuples of the emitted PyTorch: one argument and one result, however many tensors they have."""

from __future__ import annotations

from textwrap import dedent

import pytest

import netc
from tests.parity import agree

U_NET = """
block unet(widths) {
  (deep, skips...) = in -> repeat w in widths as down {
    (x, skips...) = in
    h = x -> dense w relu as fc
    out h, skips, h
  }
  (deep, skips) -> repeat w in widths as up {
    (x, skips..., skip) = in
    out (x, skip) -> concat axis=-1 -> dense w as fc, skips
  }
}
input 6 -> unet [8, 6, 4, 4] as unet
"""
CACHED = """
block layer(x: [N, T, D], past: [N, P, D]) {
  keys = (past, x -> dense D as k_proj) -> concat axis=1
  query = x -> dense D as q_proj -> unsqueeze 1
  h = x + ((query, keys -> unsqueeze 1, keys -> unsqueeze 1) -> attention -> squeeze 1)
  out h -> dense D as proj, keys
}
tokens = input [T, 16]
past = input [P, 16]
(h, present...) = tokens -> repeat 8 as layers {
  (x, present...) = in
  (y, keys) = (x, past) -> layer as _
  out y, present, keys
}
out h -> dense 4 as head, present
"""
DENSE = """
(last, seen...) = input 3x8x8 -> repeat 4 as layers {
  (x, seen...) = in
  y = (x, seen) -> concat axis=1 -> conv 4 3x3 padding=1 relu as conv
  out y, x, seen
}
(last, seen) -> (concat axis=1 -> conv 2 1x1) as join
"""
MANY = """
block gathered {
  (last, kept...) = in -> repeat 3 as layers {
    (x, kept...) = in
    out x -> dense 4 as fc, kept, x
  }
  total = last -> (dense 4 + ((kept) -> concat axis=-1 -> dense 4)) as sum
  mixed = (last, kept) -> repeat 2 as mixers { (x, kept...) = in; out x + ((x, kept) -> concat axis=-1 -> dense 4), kept }
  chosen = (last, kept) -> each 2 as branches { (x, kept...) = in; (x, kept) -> concat axis=-1 -> dense 2 }
  out total, mixed, chosen
}
(all...) = input 5 -> gathered as gathered
(all) -> concat axis=-1
"""
OF_IFS = """
block more(x: [N, D], others..., wide=false) {
  (y...) = if wide { (others, x) } else { others }
  (x, y) -> concat axis=1 -> dense D as last
}
block down(x: [N, D], kept..., width, last=false) {
  h = x -> dense width as fc
  (h, kept) -> if not last {
    (y, more...) = in
    z = y -> dense width as again
    out z, more, z
  }
}
block passed(x: [N, D], others..., wide=false) { (y...) = if wide { (others, x) } else { others }; out x, y }
block after(x: [N, D], others..., wide=false) {
  (z, y...) = (x, others) -> passed wide=wide
  (z, y) -> concat axis=1 -> dense D as last
}
block cut(x: [N, D], others..., wide=false) {
  (y...) = if wide { (others, x, x) } else { (others, x) }
  (a, rest...) = (y)
  (x, rest, a) -> concat axis=1 -> dense D as last
}
a = input 3
b = input 4
c = (a, b) -> more as one
d = c -> more wide=true as two
e = (d, b, a) -> after wide=true as three -> after as four
(f, kept...) = (e, e) -> down 4 as five -> down 5 as six -> down 6 last=true as seven
g = (f, kept) -> cut as eight
(g, kept, b) -> cut wide=true as nine
"""
SPECS = {"a U-Net": U_NET, "a cache": CACHED, "dense connections": DENSE, "captured, in a group and in branches": MANY, "of ifs": OF_IFS}

CLASSES = {
    ("a U-Net", "DownLayer"): """
        def forward(self, x: Tensor, skips: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
            h = F.relu(self.fc(x))
            return h, (*skips, h)
        """,
    ("a U-Net", "UpLayer"): """
        def forward(self, x: Tensor, skips: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
            return self.fc(torch.cat((x, skips[-1]), dim=-1)), skips[:-1]
        """,
    ("a U-Net", "Unet"): """
        def forward(self, x: Tensor) -> Tensor:
            skips = ()
            deep = x
            for layer in self.down:
                deep, skips = layer(deep, skips)
            x = deep
            for layer in self.up:
                x, skips = layer(x, skips)
            return x
        """,
    ("a cache", "Layer"): """
        def forward(self, x: Tensor, present: tuple[Tensor, ...], past: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            keys = torch.cat((past, self.k_proj(x)), dim=1)
            query = self.q_proj(x).unsqueeze(1)
            k = keys.unsqueeze(1)
            h = x + F.scaled_dot_product_attention(query, k, k).squeeze(1)
            y = self.proj(h)
            return y, (*present, keys)
        """,
    ("a cache", "Net"): """
        def forward(self, tokens: Tensor, past: Tensor) -> tuple[Tensor, ...]:
            present = ()
            h = tokens
            for layer in self.layers:
                h, present = layer(h, present, past)
            return self.head(h), *present
        """,
    ("dense connections", "Layer"): """
        def forward(self, x: Tensor, seen: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
            y = F.relu(self.conv(torch.cat((x, *seen), dim=1)))
            return y, (x, *seen)
        """,
    ("dense connections", "Join"): """
        def forward(self, last: Tensor, seen: tuple[Tensor, ...]) -> Tensor:
            return self["1"](torch.cat((last, *seen), dim=1))
        """,
    ("captured, in a group and in branches", "Sum"): """
        def forward(self, x: Tensor, kept: tuple[Tensor, ...]) -> Tensor:
            return self["0"](x) + self["2"](torch.cat(kept, dim=-1))
        """,
    ("captured, in a group and in branches", "Branch"): """
        def forward(self, x: Tensor, kept: tuple[Tensor, ...]) -> Tensor:
            return self["1"](torch.cat((x, *kept), dim=-1))
        """,
    ("of ifs", "More"): """
        def forward(self, x: Tensor, others: tuple[Tensor, ...]) -> Tensor:
            y = (*others, x) if self.wide else others
            return self.last(torch.cat((x, *y), dim=1))
        """,
    ("captured, in a group and in branches", "Net"): """
        def forward(self, input: Tensor) -> Tensor:
            x, y, z = self.gathered(input)
            return torch.cat((x, y, *z), dim=-1)
        """,
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_agrees(spec: str) -> None:
    agree(netc.compile(spec))


@pytest.mark.parametrize(("spec", "name", "expected"), [(*k, v) for k, v in CLASSES.items()], ids=["-".join(k) for k in CLASSES])
def test_forward(spec: str, name: str, expected: str) -> None:
    of_class = netc.compile(SPECS[spec]).source().split(f"class {name}(")[1].split("\nclass ")[0]
    assert dedent("    def forward" + of_class.split("    def forward", 1)[1]).strip() == dedent(expected).strip()


def test_one_class_for_tuples_of_all_lengths() -> None:
    text = netc.compile(U_NET).source()
    assert text.count("class DownLayer") == text.count("class UpLayer") == 1
    assert "self.fc = nn.Linear(in_features + in_features2, out_features)" in text


def test_docstrings() -> None:
    text = netc.compile(CACHED).source()
    assert '"""x: [N, T, 16], present: tuple of [N, T2, 16], past: [N, P, 16] -> [N, T, 16], tuple of [N, T2, 16]."""' in text
    assert "-> output1: [N, T, 4], output2 to output9: [N, P + T, 16]." in text


def test_a_tuple_that_is_only_passed_through_is_no_argument() -> None:
    text = "(h, kept...) = input 4 -> chunk 4 axis=-1 -> repeat 3 as layers { (x, kept...) = in; out x -> dense 1, kept }; h"
    assert "self.layers = nn.Sequential(*(nn.Sequential(nn.Linear(1, 1)) for _ in range(3)))" in netc.compile(text).source()
