"""Texts as windows, scikit-learn's sets, and what Python gives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import netc
from netc.training.data.data_source import DataError
from netc.training.data.prefetch import prefetch_results
from netc.training.data.python import make_source
from netc.training.data.text_windows import open_text
from tests.training.opened import arrays, numbers, said, spec

X, TARGET = numbers(7, 2), np.arange(7)
GPT = spec(
    'data text "book.txt" x=tokens target=next',
    x="8 int64",
    target="8 int64",
    model="cast float32",
    loss="y * (target -> cast float32) -> mean",
)


def test_a_text(tmp_path: Path) -> None:
    text = "Grüße, and nothing else but letters.\n" * 3
    (tmp_path / "book.txt").write_text(text, encoding="utf-8")
    found = arrays(GPT, path=tmp_path / "m.net")
    content = text.encode()
    assert [bytes(row.tolist()) for row in found["x"]] == [content[i : i + 8] for i in range(0, len(content) - 8, 8)]
    assert [bytes(row.tolist()) for row in found["target"]] == [content[i + 1 : i + 9] for i in range(0, len(content) - 8, 8)]


def test_tokens_of_ones_own(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(300, 320, dtype=np.uint16))
    source = open_text(str(tmp_path / "a.npy"), {}, length=5, stride=3)
    assert isinstance(source.tokens, np.memmap)
    assert source.read(("tokens", "next"), np.arange(len(source)))["next"].tolist() == [
        list(range(301 + i, 306 + i)) for i in range(0, 15, 3)
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it has 0 tokens, and a sample of the length 8 needs 9"),
        (b"12345678", "it has 8 tokens, and a sample of the length 8 needs 9"),
    ],
)
def test_a_short_text(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "book.txt").write_bytes(content)
    assert said(GPT, path=tmp_path / "m.net") == [("cannot-read-data", f"cannot read `book.txt`: {why}")]


def test_a_length_must_be_known(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("x" * 100)
    asked: dict[str, Any] = {"path": tmp_path / "m.net"}
    symbolic = GPT.replace("8 int64", "[T] int64")
    assert said(symbolic, **asked)[0][1].endswith("the length of a sample is not known")
    assert arrays(symbolic.replace("target=next", "target=next length=9"), **asked)["x"].shape == (11, 9)
    assert said(GPT.replace("target=next", "target=next length=9"), **asked)[0][0] == "column-shape"


def test_tokens_that_are_none(tmp_path: Path) -> None:
    for array in (np.zeros((3, 3), np.int64), np.zeros(30)):
        np.save(tmp_path / "a.npy", array)
        with pytest.raises(DataError, match="tokens are integers in one axis"):
            open_text(str(tmp_path / "a.npy"), {}, length=2)


def test_sklearn() -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    for name in ("digits", "iris", "wine", "breast_cancer", "diabetes"):
        data = getattr(datasets, f"load_{name}")()
        found = arrays(spec(x=str(data.data.shape[1])), f"sklearn:{name}", columns={"x": "features"})
        assert np.array_equal(found["x"], data.data.astype(np.float32))
        assert np.array_equal(found["target"], data.target.astype(np.float32))


def test_a_set_that_sklearn_does_not_have() -> None:
    assert said(spec(), "sklearn:mnist")[0][1].startswith("cannot read `mnist`: scikit-learn has no such set")


# --- Python ----------------------------------------------------------------------------------------------------------------

DATASET = [{"x": x, "target": t, "name": "text"} for x, t in zip(X, TARGET, strict=True)]


def samples() -> Iterator[dict[str, Any]]:
    yield from DATASET


OBJECTS = {
    "arrays": {"x": X, "target": TARGET},
    "tensors": {"x": torch.from_numpy(X), "target": torch.from_numpy(TARGET)},
    "lists": {"x": X.tolist(), "target": TARGET.tolist()},
    "dataset": DATASET,
    "iterable": samples(),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_objects(kind: str) -> None:
    found = arrays(spec(target="[] int64"), OBJECTS[kind])
    assert np.array_equal(found["x"], X)
    assert np.array_equal(found["target"], TARGET)


def test_tuples_have_columns_by_position() -> None:
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(TARGET))
    found = arrays(spec(), data, columns={"x": "0", "target": "1"})
    assert np.array_equal(found["x"], X)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (3, "a `int` is neither"),
        ([1, 2], "sample 0 is a `int`"),
        ([], "there are no samples"),
        (DataLoader(DATASET), "a DataLoader makes batches"),
        ([*DATASET[:3], {"x": X[0]}, *DATASET[3:]], "sample 3 has no `target`"),
        ([*DATASET[:3], {"x": X[0, :1], "target": 3}], r"`x` is [1] in sample 3, and [2] in sample"),
        ({"x": [[1], [1, 2]]}, "no column has numbers, texts or dates, each of the same shape; the first one is `x`"),
        ({"x": X, "target": TARGET[:2]}, "its columns differ in the number of samples"),
    ],
)
def test_objects_that_are_wrong(made: Any, why: str) -> None:
    ((code, message),) = said(spec(), made)
    assert code == "cannot-read-data"
    assert why in message


class Broken:
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index == 2:
            raise KeyError("lost")
        return {"x": X[index], "target": 1.0}


def test_a_dataset_that_fails() -> None:
    ((_, message),) = said(spec(), Broken())
    assert message == "cannot read `Broken`: sample 2 of the dataset: KeyError: 'lost'"


def test_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made_for_netc.py").write_text(
        "import numpy as np\ndef data():\n    return {'x': np.ones((3, 2)), 'target': np.ones(3)}\ndef bad():\n    1 / 0\n"
    )
    monkeypatch.chdir(tmp_path)
    assert arrays(spec(), "python:made_for_netc:data")["x"].tolist() == [[1, 1]] * 3
    assert said(spec(), "python:made_for_netc:bad")[0][1].endswith("ZeroDivisionError: division by zero")
    assert "No module named 'no_such_module'" in said(spec(), "python:no_such_module:data")[0][1]
    assert said(spec(), "python:made_for_netc")[0][1].endswith("it is no function")


def test_a_source_of_ones_own() -> None:
    source = make_source({"x": X, "target": TARGET})
    assert make_source(source) is source


# --- reading ahead ---------------------------------------------------------------------------------------------------------


def test_results_are_in_order_and_made_by_one_other_thread() -> None:
    threads = set()

    def make(key: int) -> int:
        threads.add(threading.get_ident())
        return key * key

    assert list(prefetch_results(make, range(50))) == [key * key for key in range(50)]
    assert len(threads - {threading.get_ident()}) == len(threads) == 1


def test_no_more_is_made_than_what_is_ahead() -> None:
    asked: list[int] = []
    made = prefetch_results(lambda key: key, (asked.append(i) or i for i in range(100)), depth=2)  # type: ignore[func-returns-value]
    assert next(made) == 0
    assert asked == [0, 1, 2]
    made.close()  # type: ignore[attr-defined]


def test_an_error_is_where_its_result_would_be() -> None:
    made = prefetch_results(lambda key: 1 // (2 - key), range(5))
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)


def test_a_compiled_model_is_trained(tmp_path: Path) -> None:
    """A model, its text in a file and the command line give the same weights, on arrays and on a table in memory."""
    text = "x = input 2\ny = x -> dense 3 -> dense 1 -> squeeze 1\ntrain { target = input []; loss = (y, target) -> mse_loss; steps 5 }\n"
    (tmp_path / "m.net").write_text(text)
    data = {"x": np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32), "target": np.arange(20.0)}
    frame = pd.DataFrame({"target": data["target"], "a": data["x"][:, 0], "b": data["x"][:, 1]})
    netc.train(tmp_path / "m.net", data=data, output=tmp_path / "file")
    netc.train(netc.compile(text), data=data, output=tmp_path / "text")
    netc.train(netc.compile_file(tmp_path / "m.net"), data=frame, columns={"x": "a,b"}, output=tmp_path / "frame")
    expected = (tmp_path / "file/last.safetensors").read_bytes()
    assert (tmp_path / "text/last.safetensors").read_bytes() == expected == (tmp_path / "frame/last.safetensors").read_bytes()
    with pytest.raises(ValueError, match=r"give `model`, .* to `netc.compile`"):
        netc.train(netc.compile(text), data=data, output=tmp_path / "run", dims={"T": 3})
    model = netc.compile_file(tmp_path / "m.net")
    (tmp_path / "m.net").write_text(text.replace("steps 5", "steps 6"))
    with pytest.raises(ValueError, match="has changed since the model was compiled"):
        netc.train(model, data=data, output=tmp_path / "run")
    with pytest.raises(ValueError, match="trained in float32"):
        netc.train(netc.compile(text, dtype="bfloat16"), data=data, output=tmp_path / "run")
