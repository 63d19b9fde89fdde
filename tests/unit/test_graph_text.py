"""The typed graph as text: tuples, whose tensors are not listed."""

from __future__ import annotations

import netc
from netc.display.graph_text import format_program

SPEC = """
(h, kept...) = input 4 -> repeat 2 as layers {
  (x, kept...) = in
  out x -> dense 4 relu, x, kept
}
(_, last, others...) = (h, kept)
(last, others, h) -> concat axis=1
"""
EXPECTED = """\
model net(input: [N, 4]) -> output: [N, 12]
  h: [N, 4], kept: a tuple of 2 = layers.1(input) as layers
  %3: [N, 12] = concat(kept[0], kept[1:]..., h) axis=1 as concat1
  out %3

sequence layers.1(in: [N, 4]) -> [N, 4], a tuple of 2
  %1: [N, 4], %2: a tuple of 1 = layers.3(in, ()) as 0
  %3: [N, 4], %4: a tuple of 2 = layers.2(%1, (%2...)) as 1
  out %3, %4...

sequence layers.2(x: [N, 4], kept: a tuple of 1) -> [N, 4], a tuple of 2
  %2: [N, 4] = dense(x) units=4 bias=True as 0
  %3: [N, 4] = relu(%2) as 1
  out %3, x, kept...

sequence layers.3(x: [N, 4], kept: a tuple of 0) -> [N, 4], a tuple of 1
  %2: [N, 4] = dense(x) units=4 bias=True as 0
  %3: [N, 4] = relu(%2) as 1
  out %3, x, kept...
"""


def test_tuples() -> None:
    assert format_program(netc.compile(SPEC).program) == EXPECTED


SCAN = """
x = input [T, 4]
z = input 4
(y, last) = x -> scan (h = z) axis=1 reverse=true { h = (in, h) -> gru_cell 4 as cell }
out y, last
"""
SCANNED = """\
model net(x: [N, T, 4], z: [N, 4]) -> y: [N, T, 4], last: [N, 4]
  last: [N, 4], y: [N, T, 4] = scan(z, x) axis=[1] reverse=True
  out y, last

scan scan(h: [N, 4], x_t: [N, 4]) -> [N, 4], [N, 4]
  %2: [N, 4] = gru_cell(x_t, h) hidden=4 bias=True as cell
  out %2, %2
"""


def test_scan() -> None:
    assert format_program(netc.compile(SCAN).program) == SCANNED
