"""`POST /predict`: the same predictions as `netc predict`, and errors that name the row and the column."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netc

pytest.importorskip("starlette", reason="`netc serve` needs the extra `serve`")

from .conftest import KINDS, TOWNS

ROWS = [{"width": -2, "height": 1.5, "place": "Ulm"}, {"height": 0.25, "place": "Bonn", "width": 1e3, "id": {"any": ["thing"]}}]


@pytest.fixture(scope="module")
def expected(trees: Path) -> np.ndarray:
    """The probabilities that PyTorch computes."""
    module = netc.compile_file(trees.parent / "trees.net").module(weights=trees).eval()
    with torch.no_grad():
        scores = module(torch.tensor([[-2, 1.5], [1e3, 0.25]]), torch.tensor([TOWNS.index("Ulm"), TOWNS.index("Bonn")]))
    return torch.softmax(scores, 1).numpy()


def test_a_list_of_rows(client: Any, expected: np.ndarray) -> None:
    answer = client.post("/predict", ROWS)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    rows = answer.json()
    np.testing.assert_allclose([[row[f"probability_{kind}"] for kind in sorted(KINDS)] for row in rows], expected, atol=1e-6)
    assert [row["predicted_kind"] for row in rows] == [sorted(KINDS)[i] for i in expected.argmax(1)]


def test_one_row_is_answered_by_one_row(client: Any) -> None:
    assert client.post("/predict", ROWS[0]).json() == client.post("/predict", ROWS[:1]).json()[0]


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        ({**ROWS[0], "place": "Rom"}, 422, "row 0 of the column `place` is `Rom`, and training had no such category"),
        ([ROWS[0], {**ROWS[0], "width": "wide"}], 422, "row 1 of the column `width` is `wide`, which is not a number"),
        ([ROWS[0], {"width": 1, "height": 2}], 422, "row 1 of the column `place` is empty"),
        ({"widht": 1, "height": 2, "place": "Ulm"}, 422, "has no column `width`"),
        ("{}", 422, "has no column `width`"),
        ([{}, {}], 422, "has no column `width`"),
        ({**ROWS[0], "width": [1, 2]}, 422, "row 0 of the column `width` is a list, and must be one value"),
        ({**ROWS[0], "width": None}, 422, "row 0 of the column `width`"),
        ('{"width": 1e999, "height": 1, "place": "Ulm"}', 422, "row 0 of the column `width` is a number that does not fit into 64 bits"),
        ('{"width": NaN, "height": 1, "place": "Ulm"}', 400, "JSON has no NaN"),
        ('{"width": 1, "width": 2, "height": 1, "place": "Ulm"}', 400, 'an object has two values for `"width"`'),
        ("[1]", 400, "row 0 is `1`, not an object"),
        ("[]", 422, "the list has no rows"),
        ("3", 400, "the body must be an object"),
        ('{"width": ', 400, "the body is not JSON"),
        ("[" * 5000, 400, "the body is"),  # nested too deeply for Python 3.11, and incomplete for 3.13
        (b"\xff\xfe\xff", 400, "the body is not"),
        ([ROWS[0]] * 51, 413, "the request has 51 rows, and the limit is 50"),
        ({**ROWS[0], "id": "x" * 20_000}, 413, "the body has more than 20,000 bytes"),
    ],
)
def test_refused(client: Any, content: Any, status: int, message: str) -> None:
    answer = client.post("/predict", content)
    assert (answer.status, message in answer.json()["error"]) == (status, True), answer


def test_the_help_names_the_near_column(client: Any) -> None:
    (problem,) = client.post("/predict", {"widht": 1, "height": 2, "place": "Ulm"}).json()["problems"]
    assert problem["help"] == ["did you mean `widht`?"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/predict", {"Content-Type": "text/plain"}, 415),
        ("POST", "/predict", {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ("GET", "/predict", {}, 405),
        ("GET", "/nothing", {}, 404),
        ("GET", "/v2/models/others", {}, 404),
        ("GET", "/v2/models/trees/versions/2", {}, 404),
    ],
)
def test_refused_routes(client: Any, method: str, path: str, headers: dict[str, str], status: int) -> None:
    answer = client.ask(method, path, b"{}", headers)
    assert answer.status == status
    assert isinstance(answer.json()["error"], str)


MEANS = """x = input [T, 2]
y = input [3] int64
mean = x -> mean axis=1
total = y -> sum axis=1
guess = mean -> dense 1
out mean, total, guess
train {
  wanted = input 1
  loss = (guess, wanted) -> mse_loss
  batch 2
  epochs 1
}
"""


@pytest.fixture(scope="module")
def means(serve: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A client of a model that takes arrays: pairs of numbers, of which it gives the means, and a triple of integers, which it adds."""
    folder = tmp_path_factory.mktemp("means")
    (folder / "means.net").write_text(MEANS, encoding="utf-8")
    data = {"x": np.zeros((4, 5, 2), np.float32), "y": np.zeros((4, 3), np.int64), "wanted": np.zeros((4, 1), np.float32)}
    netc.train(folder / "means.net", data=data, output=folder / "run")
    return serve(folder / "run")


def test_rows_of_arrays(means: Any) -> None:
    rows = [{"x": [[1, 2], [3, 4]], "y": [1, 2, 3]}, {"x": [[5, 6.5], [7, 9.5]], "y": [0, 0, -4]}]
    answer = means.post("/predict", rows)
    assert answer.status == 200
    assert [[row[name] for name in ("mean_0", "mean_1", "total")] for row in answer.json()] == [[2, 3, 6], [6, 8, -4]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"x": [[1, 2]], "y": [1, 2, 3]}, {"x": [[1, 2], [3, 4]], "y": [1, 2, 3]}], "has the shape [2, 2] in row 1, and [1, 2] in row 0"),
        ([{"x": [[1, 2]], "y": [1, 2, 3]}, {"x": [[1, 2], [3]], "y": [1, 2, 3]}], "row 1 of the column `x`: "),
        ([{"x": [[1, "2"]], "y": [1, 2, 3]}], "row 0 of the column `x`: "),
        ([{"x": [[1, 2]], "y": "abc"}], "row 0 of the column `y`: "),
        ([{"x": [[1, 2]], "y": [1, 2]}], "`y`"),
    ],
)
def test_arrays_that_do_not_fit(means: Any, rows: Any, message: str) -> None:
    answer = means.post("/predict", rows)
    assert (answer.status, message in answer.json()["error"]) == (422, True), answer
