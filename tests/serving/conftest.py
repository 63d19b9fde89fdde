"""Models that the tests serve, and clients of their applications."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netc

TREES = """measures = input 2
town = input [] int64
hidden = (measures -> batch_norm, town -> embedding 3 4) -> concat axis=1 -> dense 8 relu
scores = hidden -> dense 3

train {
  kind = input [] int64
  loss = (scores, kind) -> cross_entropy
  data csv "rows.csv" measures=[width, height] town=place
  epochs 1
  batch 8
}
"""
TEXTS = """tokens = input [T] int64
scores = tokens -> embedding 256 16 -> dense 256

train {
  next = input [T] int64
  loss = (scores -> transpose 1 2, next) -> cross_entropy
  data text "text.txt" length=8
  optimizer adamw lr=0.1
  epochs 5
  batch 4
}
"""
KINDS, TOWNS = ("ash", "<b>beech</b>", "oak"), ("Bonn", "Köln", "Ulm")


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is trained on a table with numbers and a category."""
    folder = tmp_path_factory.mktemp("trees")
    generator = np.random.default_rng(0)
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["width", "height", "place", "kind"])
        writer.writerows([f"{generator.normal():.3f}", f"{generator.normal():.1f}", TOWNS[i % 3], KINDS[i % 3]] for i in range(24))
    (folder / "trees.net").write_text(TREES, encoding="utf-8")
    netc.train(folder / "trees.net", output=folder / "run")
    return folder / "run"


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., Any]]:
    """Make the client of a model: `serve(path, max_batch=8)`."""
    from netc.serving.application import Draining, make_application
    from netc.serving.served_model import ServedModel
    from netc.serving.server_options import ServerOptions
    from serving.asgi_client import Client

    clients: list[Any] = []

    def make_client(path: Path, **options: Any) -> Any:
        model = ServedModel(netc.load(path), "trees", ServerOptions(**options))
        draining = Draining()
        client: Any = Client(make_application(model, draining))
        client.model, client.draining = model, draining
        clients.append(client)
        return client

    yield make_client
    for client in clients:
        client.run(client.model.close())
        client.close()


@pytest.fixture(scope="session")
def client(serve: Callable[..., Any], trees: Path) -> Any:
    """A client of the trees, with small limits."""
    return serve(trees, max_rows=50, max_body=20_000)


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is trained to predict the next byte."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "text.txt").write_text("abcdefgh" * 20, encoding="utf-8")
    (folder / "text.net").write_text(TEXTS, encoding="utf-8")
    netc.train(folder / "text.net", output=folder / "run")
    return folder / "run"
