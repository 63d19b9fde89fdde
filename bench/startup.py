"""How long `netc check` makes one wait: the one-liner, beside a Python that does nothing but import Lark."""

from __future__ import annotations

from collections.abc import Iterator

from bench.process import Place
from bench.table import Row, beside, middle

NETC = ("-m", "netc", "check", "-e", "input 3 -> dense 2 sigmoid -> dense 1 sigmoid")
PEER = ("-c", "import lark")
RUNS = 21
LIMIT = 2.5


def measure(place: Place) -> Iterator[Row]:
    beside(place, NETC, PEER, 1)
    pairs = beside(place, NETC, PEER, RUNS)
    netc, peer = middle(pairs, lambda netc, peer: netc.wall), middle(pairs, lambda netc, peer: peer.wall)
    cpu = middle(pairs, lambda netc, peer: netc.cpu / peer.cpu)
    figures = f"{netc * 1000:.0f} ms, importing lark {peer * 1000:.0f} ms; CPU ratio {cpu:.2f}"
    yield Row("check the one-liner", figures, middle(pairs, lambda netc, peer: netc.wall / peer.wall), LIMIT)
