"""What the columns of a prediction mean, compared with PyTorch's module on the same rows, and with arithmetic by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import netc
from netc.prediction.model_signature import BINARY, CLASSES, VALUE, ModelSignature, OutputSignature
from netc.prediction.predictions import make_columns
from netc.prediction.unfit_data import UnfitData
from tests.prediction.trained_rows import KINDS, ROWS, train, write_rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("tasks"))


def compute(module: torch.nn.Module) -> np.ndarray:
    with torch.no_grad():
        return module(torch.tensor([*zip(*ROWS.values(), strict=True)], dtype=torch.float32)).double().numpy()


def compute_softmax(scores: np.ndarray) -> np.ndarray:
    return torch.softmax(torch.tensor(scores), 1).numpy()


@pytest.mark.parametrize(
    ("body", "loss", "probabilities"),
    [
        ("scores = x -> dense 3", "(scores, kind) -> cross_entropy", compute_softmax),
        ("scores = x -> dense 3\nout scores -> softmax axis=1", "(scores, kind) -> cross_entropy", lambda out: out),
        ("p = x -> dense 3 -> softmax axis=-1", "(p -> log, kind) -> nll_loss", lambda out: out),
        ("logp = x -> dense 3 -> log_softmax axis=1", "(logp, kind) -> nll_loss", np.exp),
        (
            "scores = x -> dense 3",
            "(scores -> log_softmax axis=1, kind) -> nll_loss",
            compute_softmax,
        ),
    ],
    ids=["scores", "softmax of scores", "log of probabilities", "log probabilities", "log_softmax in the loss"],
)
def test_classes(folder: Path, request: pytest.FixtureRequest, body: str, loss: str, probabilities: object) -> None:
    predictor, module = train(folder, request.node.callspec.id.replace(" ", "_"), body, "kind = input [] int64", loss)
    expected = probabilities(compute(module))  # type: ignore[operator]
    results = predictor(ROWS)
    np.testing.assert_allclose(np.stack([results[f"probability_{kind}"] for kind in KINDS], 1), expected, atol=1e-6)
    assert list(results["predicted_kind"]) == [KINDS[i] for i in expected.argmax(1)]


def test_label_output(folder: Path) -> None:
    body = "scores = x -> dense 3\nbest = scores -> argmax axis=1\nout best"
    predictor, module = train(folder, "labels", body, "kind = input [] int64", "(scores, kind) -> cross_entropy")
    assert list(predictor(ROWS)["predicted_kind"]) == [KINDS[int(i)] for i in compute(module)]
    table = pd.read_csv(folder / "rows.csv")
    with torch.no_grad():
        labels = module(torch.tensor(table[["width", "height"]].to_numpy(np.float32))).numpy()
    target = predictor.evaluate(folder / "rows.csv").targets[0]
    truth = [KINDS.index(kind) for kind in table["kind"]]
    assert target.metrics["accuracy"] == pytest.approx(np.mean(labels == truth))
    assert target.errors.tolist() == (labels != truth).tolist()
    assert (target.names, target.samples.tolist()) == (KINDS, list(range(12)))


@pytest.mark.parametrize(
    ("target", "invert"),
    [
        ("(price - 5000) / 1000", lambda out: out * 1000 + 5000),
        ("(5000 - price) * 0.5", lambda out: 5000 - out / 0.5),
        ("price / 7 -> log1p", lambda out: np.expm1(out) * 7),
        ("-price", lambda out: -out),
    ],
)
def test_scaled_target(folder: Path, request: pytest.FixtureRequest, target: str, invert: object) -> None:
    name = f"scaled{abs(hash(request.node.callspec.id))}"
    loss = f"(guess, {target}) -> mse_loss" if "->" not in target else f"(guess, ({target})) -> mse_loss"
    predictor, module = train(folder, name, "guess = x -> dense 1 -> squeeze 1", "price = input []", loss)
    np.testing.assert_allclose(predictor(ROWS)["predicted_price"], invert(compute(module)), rtol=1e-5)  # type: ignore[operator]


def test_each_column_of_a_target_is_evaluated(folder: Path) -> None:
    columns = " both=[price, weight]"
    predictor, module = train(folder, "both", "guess = x -> dense 2", "both = input 2", "(guess, both) -> mse_loss", columns)
    table = pd.read_csv(folder / "rows.csv")
    with torch.no_grad():
        guesses = module(torch.tensor(table[["width", "height"]].to_numpy(np.float32))).double().numpy()
    targets = predictor.evaluate(folder / "rows.csv").targets
    assert [target.target for target in targets] == ["price", "weight"]
    for i, target in enumerate(targets):
        assert target.metrics["mae"] == pytest.approx(np.abs(table[target.target] - guesses[:, i]).mean(), rel=1e-5)


def test_scaled_output_in_the_loss(folder: Path) -> None:
    body, loss = "guess = x -> dense 1 -> squeeze 1", "(guess * 1000 + 5000, price) -> l1_loss"
    predictor, module = train(folder, "scaled_output", body, "price = input []", loss)
    np.testing.assert_allclose(predictor(ROWS)["predicted_price"], compute(module) * 1000 + 5000, rtol=1e-5)


def test_target_that_cannot_be_inverted(folder: Path) -> None:
    predictor, module = train(
        folder, "squares", "guess = x -> dense 1 -> squeeze 1", "price = input []", "(guess, price * price) -> mse_loss"
    )
    np.testing.assert_allclose(predictor(ROWS)["guess"], compute(module), rtol=1e-5)


def test_target_times_zero(folder: Path) -> None:
    """Nothing can be computed back from 0; a sum with 0 is the price itself."""
    body, target = "guess = x -> dense 1 -> squeeze 1", "price = input []"
    predictor, module = train(folder, "times_zero", body, target, "(guess, price * 0) -> mse_loss")
    np.testing.assert_allclose(predictor(ROWS)["guess"], compute(module), rtol=1e-5)
    predictor, module = train(folder, "plus_zero", body, target, "(guess, price + 0) -> mse_loss")
    np.testing.assert_allclose(predictor(ROWS)["predicted_price"], compute(module), rtol=1e-5)


@pytest.mark.parametrize("shape", ["", " -> squeeze 1"])
def test_binary_target_of_words(folder: Path, shape: str) -> None:
    target = "ripe" if shape else "(ripe -> unsqueeze 1)"
    loss = f"(s, {target}) -> binary_cross_entropy_with_logits"
    predictor, module = train(folder, f"binary{len(shape)}", f"s = x -> dense 1{shape}", "ripe = input []", loss)
    expected = torch.sigmoid(torch.tensor(compute(module))).reshape(-1).numpy()
    results = predictor(ROWS)
    np.testing.assert_allclose(results["probability_yes"], expected, atol=1e-6)
    assert list(results["predicted_ripe"]) == ["yes" if p >= 0.5 else "no" for p in expected]


def test_small_probabilities() -> None:
    """PyTorch's sigmoid in float64 gives the same digits, however small: multiples of 1e-16 would make the last scores equal."""
    signature = ModelSignature("npz", {}, (), (OutputSignature("s", BINARY, "ripe"),))
    scores = np.array([0, -0.0, 1e-20, -1e-3, 3, 40, 800, np.inf, -30, -38, -50, -700, -800, -np.inf])
    found = make_columns({"s": scores}, signature)["probability_ripe"]
    np.testing.assert_allclose(found, torch.sigmoid(torch.tensor(scores)).numpy(), rtol=1e-15, atol=1e-320)
    assert found[0] == 0.5
    assert np.isnan(make_columns({"s": np.array([np.nan])}, signature)["probability_ripe"]).all()


def test_several_target_columns(folder: Path) -> None:
    predictor, module = train(folder, "two", "y_hat = x -> dense 2", "y = input 2", "(y_hat, y / 10) -> mse_loss", " y=[price, weight]")
    results, expected = predictor(ROWS), compute(module) * 10
    assert list(results.columns) == ["predicted_price", "predicted_weight"]
    np.testing.assert_allclose(results["predicted_weight"], expected[:, 1], rtol=1e-5)


def test_classes_along_the_last_axis() -> None:
    signature = ModelSignature("npz", {}, (), (OutputSignature("s", CLASSES, "token", ("a", "b"), axis=-1),))
    columns = make_columns({"s": np.array([[[0.0, 1.0], [3.0, 2.0], [0.0, 5.0]]])}, signature)
    assert columns["predicted_token"].tolist() == [["b", "a", "b"]]


@pytest.mark.parametrize(("classes", "names"), [(("a", "b"), ["a", "b", "2"]), ((), ["0", "1", "2"])])
def test_more_classes_than_names(classes: tuple[str, ...], names: list[str]) -> None:
    signature = ModelSignature("csv", {}, (), (OutputSignature("s", CLASSES, "kind", classes),))
    columns = make_columns({"s": np.array([[0.0, 1.0, 5.0], [0.0, 1.0, 0.5]])}, signature)
    assert list(columns) == ["predicted_kind", *(f"probability_{name}" for name in names)]
    assert [str(label) for label in columns["predicted_kind"]] == [names[2], names[1]]


def test_scores_of_nan_have_no_class() -> None:
    signature = ModelSignature("csv", {}, (), (OutputSignature("s", CLASSES, "kind", ("a", "b")),))
    columns = make_columns({"s": np.array([[np.nan, 1.0], [0.0, 1.0]])}, signature)
    assert columns["predicted_kind"].tolist() == [None, "b"]


@pytest.mark.parametrize("number", [-1e4, 0.0, 1e4])
def test_large_logits(number: float) -> None:
    signature = ModelSignature("csv", {}, (), (OutputSignature("s", BINARY, "ripe"), OutputSignature("v", VALUE, "price")))
    columns = make_columns({"s": np.float32([number]), "v": np.float32([1234567.8])}, signature)
    assert columns["probability_ripe"][0] == 1 / (1 + np.exp(-number)) if number >= 0 else columns["probability_ripe"][0] == 0


@pytest.mark.parametrize(
    "loss",
    [
        "(scores -> transpose 1 2, next) -> cross_entropy",
        "(scores -> permute [0, 2, 1], next) -> cross_entropy",
        "(scores -> reshape [-1, 256], next -> flatten 0) -> cross_entropy",
        "(scores -> transpose 1 2 -> log_softmax axis=1, next) -> nll_loss",
    ],
)
def test_classes_of_each_token(tmp_path: Path, loss: str) -> None:
    """The class of a position is the one with the largest score there, wherever the section moves the axis of the classes."""
    (tmp_path / "poem.txt").write_text("The quick brown fox jumps over the lazy dog. " * 5, encoding="utf-8")
    spec = tmp_path / "tokens.net"
    section = f'next = input 8 int64\n  loss = {loss}\n  data text "poem.txt" length=8\n  steps 1\n'
    spec.write_text(f"tokens = input 8 int64\nscores = tokens -> embedding 256 6 -> dense 256\ntrain {{\n  {section}}}\n", encoding="utf-8")
    netc.train(spec, output=tmp_path / "run")
    tokens = np.arange(16).reshape(2, 8)
    result = netc.load(tmp_path / "run")({"tokens": tokens})
    module = netc.compile_file(spec).module(weights=tmp_path / "run").eval()
    with torch.no_grad():
        np.testing.assert_array_equal(result["predicted_next"], module(torch.from_numpy(tokens)).argmax(2).numpy())


GUESS, PRICES = "guess = x -> dense 1 -> squeeze 1", "price = input []\n  weight = input []"


@pytest.mark.parametrize(
    "line",
    ["metric drift = (guess, weight) -> l1_loss", "metric drift = (guess, price) -> l1_loss", "_unused = (guess, weight) -> mse_loss"],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["before the loss", "after it"])
def test_only_losses_say_what_an_output_means(folder: Path, request: pytest.FixtureRequest, line: str, is_first: bool) -> None:
    loss = "(guess, price / 1000) -> mse_loss"
    target, loss = (f"{PRICES}\n  {line}", loss) if is_first else (PRICES, f"{loss}\n  {line}")
    name = f"metric{abs(hash(request.node.callspec.id))}"
    predictor, module = train(folder, name, GUESS, target, loss)
    np.testing.assert_allclose(predictor(ROWS)["predicted_price"], compute(module) * 1000, rtol=1e-5)
    assert [target.target for target in predictor.evaluate(folder / "rows.csv").targets] == ["price"]


@pytest.mark.parametrize("other", ["(guess, weight) -> mse_loss", "(guess, price * 2) -> l1_loss"])
@pytest.mark.parametrize("is_first", [True, False])
def test_an_output_of_two_meanings_has_none(folder: Path, other: str, is_first: bool) -> None:
    terms = [f"({other})", "((guess, price) -> mse_loss)"]
    loss = " + ".join(terms if is_first else terms[::-1])
    predictor, module = train(folder, f"two_meanings{len(other)}{is_first}", GUESS, PRICES, loss)
    np.testing.assert_allclose(predictor(ROWS)["guess"], compute(module), rtol=1e-5)


def test_two_losses_of_one_meaning(folder: Path) -> None:
    loss = "((guess, price / 10) -> mse_loss) + ((guess * 10, price) -> l1_loss)"
    predictor, module = train(folder, "one_meaning", GUESS, "price = input []", loss)
    np.testing.assert_allclose(predictor(ROWS)["predicted_price"], compute(module) * 10, rtol=1e-5)


def test_labels_that_one_of_two_losses_ignores_count(folder: Path) -> None:
    loss = (
        "((s, kind) -> cross_entropy ignore_index=2) + ((s, kind) -> cross_entropy)\n  metric q = (s, kind) -> cross_entropy ignore_index=1"
    )
    predictor, module = train(folder, "ignored", "s = x -> dense 3", "kind = input [] int64", loss)
    table = pd.read_csv(folder / "rows.csv")
    with torch.no_grad():
        labels = module(torch.tensor(table[["width", "height"]].to_numpy(np.float32))).argmax(1).numpy()
    expected = np.mean(labels == [KINDS.index(kind) for kind in table["kind"]])
    assert predictor.evaluate(folder / "rows.csv").targets[0].metrics["accuracy"] == pytest.approx(expected)


def test_value_that_the_inverse_of_a_target_has_not(folder: Path) -> None:
    """`exp(-price)` is positive, and the output that predicts it is not always."""
    predictor, module = train(folder, "inverse", GUESS, "price = input []", "(guess, exp(-price / 5000)) -> mse_loss")
    table = pd.read_csv(folder / "rows.csv")
    with torch.no_grad():
        outputs = module(torch.tensor(table[["width", "height"]].to_numpy(np.float32))).numpy()
    line = int(np.flatnonzero(outputs <= 0)[0]) + 2
    with pytest.raises(UnfitData, match=f"`price`, which follows from the output `guess`, is not finite for line {line}"):
        predictor.evaluate(folder / "rows.csv")
