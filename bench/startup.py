"""The start-up time of `netc check`: a one-line model, compared with a Python process that only imports Lark."""

from __future__ import annotations

from collections.abc import Iterator

from bench.process import Sandbox
from bench.result_table import Row, middle, side_by_side

NETC = ("-m", "netc", "check", "-e", "input 3 -> dense 2 sigmoid -> dense 1 sigmoid")
PEER = ("-c", "import lark")
RUNS = 21
LIMIT = 1.25


def measure(sandbox: Sandbox) -> Iterator[Row]:
    side_by_side(sandbox, NETC, PEER, 1)
    pairs = side_by_side(sandbox, NETC, PEER, RUNS)
    netc, peer = middle(pairs, lambda netc, peer: netc.wall), middle(pairs, lambda netc, peer: peer.wall)
    cpu = middle(pairs, lambda netc, peer: netc.cpu / peer.cpu)
    figures = f"{netc * 1000:.0f} ms, importing lark {peer * 1000:.0f} ms; CPU ratio {cpu:.2f}"
    yield Row("check the one-liner", figures, middle(pairs, lambda netc, peer: netc.wall / peer.wall), LIMIT)
