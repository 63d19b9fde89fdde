"""The settings `fill`, `category` and `validate stratify`: pandas and scikit-learn are the judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netc
from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.prediction.unfit_data import UnfitData
from netc.training.recipe import read_recipe
from tests.training.opened import opened, said

pd = pytest.importorskip("pandas", reason="pandas is not installed")

SPEC = """measures = input 2
town = input [] int64
y = (measures, town -> one_hot 4 -> cast float32) -> concat axis=1 -> dense 3
train {{
  kind = input [] int64
  loss = (y, kind) -> cross_entropy
  data csv "t.csv" measures=[age, income]
  epochs 1
  {settings}
}}
"""
ROWS = 60


def make_table() -> Any:
    generator = np.random.default_rng(5)
    table = pd.DataFrame(
        {
            "age": generator.integers(18, 90, ROWS).astype(float),
            "income": generator.normal(3000, 500, ROWS).round(2),
            "town": np.array(["Ulm", "Bonn", "Rom"])[generator.integers(0, 3, ROWS)],
            "kind": np.array(["oak", "ash", "beech"])[generator.choice(3, ROWS, p=[0.7, 0.2, 0.1])],
        }
    )
    table.loc[[3, 7, 8, 50], "age"] = None
    table.loc[[0, 59], "income"] = None
    return table


def read_parts(settings: str, table: Any) -> tuple[dict[str, Any], dict[str, Any], Any, Any]:
    """Return all samples by input, the encodings by column, and the indices of training and validation."""
    data = opened(SPEC.format(settings=settings), table)
    assert data.data is not None, [d.message for d in data.diagnostics]
    columns, train = data.data
    encodings = getattr(columns.source, "encodings", {})
    return columns.read_batch(np.arange(len(table))), encodings, train, None if data.validation is None else data.validation[1]


@pytest.mark.parametrize("strategy", ["median", "mean"])
def test_fill_with_a_number_of_the_training_samples(strategy: str) -> None:
    impute = pytest.importorskip("sklearn.impute", reason="scikit-learn is not installed")
    table = make_table()
    arrays, _, train, _ = read_parts(f"fill {strategy}\n  validate 0.3", table)
    imputer = impute.SimpleImputer(strategy=strategy).fit(table[["age", "income"]].iloc[train])
    assert len(train) == 42
    np.testing.assert_array_equal(arrays["measures"], imputer.transform(table[["age", "income"]]).astype(np.float32))


def test_fill_named_columns() -> None:
    table = make_table()
    arrays, _, train, _ = read_parts("fill (-1) columns=age\n  fill median columns=[income]\n  validate 0.3", table)
    np.testing.assert_array_equal(arrays["measures"][:, 0], table["age"].fillna(-1))
    expected = table["income"].fillna(table["income"].iloc[train].median())
    np.testing.assert_array_equal(arrays["measures"][:, 1], expected.astype(np.float32))


def test_the_rule_of_a_column_comes_before_the_general_one() -> None:
    arrays, *_ = read_parts("fill 0\n  fill none columns=[age]", make_table())
    assert np.flatnonzero(np.isnan(arrays["measures"][:, 0])).tolist() == [3, 7, 8, 50]
    assert arrays["measures"][[0, 59], 1].tolist() == [0, 0]


def test_missing_targets_are_not_filled() -> None:
    text = "x = input 1\ny = x -> dense 1 -> squeeze 1\ntrain {\n  target = input []\n  loss = (y, target) -> mse_loss\n  fill 0\n}\n"
    table = {"x": np.ones((3, 1), np.float32), "target": [1.0, None, 2.0]}
    assert said(text, table) == [("data-not-finite", "sample 1 of the column `target`, for the input `target`, has NaN")]
    assert said(text.replace("fill 0", "fill 0 columns=target"), table) == []


def test_infinity_is_an_error_where_nan_is_not() -> None:
    table = make_table()
    table.loc[9, "income"] = np.inf
    found = said(SPEC.format(settings="fill none"), table)
    assert found == [("data-not-finite", "sample 9 of the column `income`, for the input `measures`, has an infinite number")]


def test_the_order_of_categories() -> None:
    arrays, encodings, *_ = read_parts("category town [Ulm, Rom, Bonn]\n  fill 0", make_table())
    expected = pd.Categorical(make_table()["town"], categories=["Ulm", "Rom", "Bonn"]).codes
    np.testing.assert_array_equal(arrays["town"], expected)
    assert encodings["town"].categories == ("Ulm", "Rom", "Bonn")


def test_unknown_rare_and_empty_cells_are_one_category() -> None:
    table = make_table()
    table.loc[[1, 2], "town"] = "Oslo"
    table.loc[5, "town"] = None
    arrays, encodings, *_ = read_parts("category town unknown=elsewhere rare=3\n  fill 0", table)
    assert encodings["town"].categories == ("elsewhere", "Bonn", "Rom", "Ulm")
    codes = pd.Index(["Bonn", "Rom", "Ulm"]).get_indexer(table["town"])
    np.testing.assert_array_equal(arrays["town"], codes + 1)


def test_a_note_if_training_sees_no_unknown_category() -> None:
    data = [opened(SPEC.format(settings=f"category town unknown=other{rare}\n  fill 0"), make_table()) for rare in ("", " rare=30")]
    assert [len(found.notes) for found in data] == [1, 0]
    assert data[0].notes[0].startswith("no training sample of `town` is `other`")


def test_numbers_as_categories(tmp_path: Path) -> None:
    """Postal codes are texts, in whichever form they come: 01067 is not 1067."""
    text = SPEC.format(settings="category town\n  fill 0")
    (tmp_path / "t.csv").write_text("age,income,town,kind\n1,2,01067,a\n3,4,1067,b\n5,6,89073,c\n")
    data = opened(text, path=tmp_path / "m.net")
    assert data.data is not None
    assert data.data[0].source.encodings["town"].categories == ("01067", "1067", "89073")  # type: ignore[attr-defined]
    arrays, encodings, *_ = read_parts("category town\n  fill 0", make_table().assign(town=[1067.0, 89073.0, 20095.0] * 20))
    assert encodings["town"].categories == ("1067", "20095", "89073")
    assert arrays["town"][:3].tolist() == [0, 2, 1]


def test_stratified_validation() -> None:
    """Each class has its share of the validation samples, to one sample; the split depends on the seed alone."""
    table = make_table()
    _, _, train, validation = read_parts("validate 0.25 stratify=kind\n  fill 0", table)
    assert sorted([*train, *validation]) == list(range(ROWS))
    assert len(validation) == 15
    counts = table["kind"].value_counts()
    shares = table["kind"].iloc[validation].value_counts()
    assert all(abs(shares.get(name, 0) - 0.25 * count) < 1 for name, count in counts.items())
    again = read_parts("validate 0.25 stratify=kind\n  fill 0", table)[3]
    other = read_parts("validate 0.25 stratify=kind\n  fill 0\n  seed 1", table)[3]
    assert validation.tolist() == again.tolist()
    assert validation.tolist() != other.tolist()


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9])
def test_stratified_shares_of_many_classes(share: float) -> None:
    kinds = np.random.default_rng(1).zipf(1.6, 500).clip(max=40).astype(str)
    table = pd.DataFrame({"age": 0.0, "income": 0.0, "town": "Ulm", "kind": kinds})
    text = SPEC.format(settings=f"validate {share} stratify=kind").replace("dense 3", "dense 40")
    data = opened(text, table)
    assert data.validation is not None
    counts, shares = table["kind"].value_counts(), table["kind"].iloc[data.validation[1]].value_counts()
    assert len(data.validation[1]) == round(500 * share)
    assert all(abs(shares.get(name, 0) - len(data.validation[1]) / 500 * count) < 1 for name, count in counts.items())


@pytest.mark.parametrize(
    ("setting", "message", "remedy"),
    [
        ("fill", "`fill` takes the number for missing cells", "write `fill median`, `fill mean`, `fill 0` or `fill none`"),
        ("fill middle", "`fill` must be followed by a number, found `middle`", "write `fill median`"),
        ("fill median column=age", "`fill` has no argument `column`", "did you mean `columns`?"),
        ("fill 0\n  fill 1", "`fill` is given twice for all columns", ""),
        ("category", "`category` takes a column, and perhaps a list of names", "write `category town`"),
        ("category town [Ulm, Ulm]", "`category` has a name twice in its list", ""),
        ("category town [Ulm] unknown=Ulm", "`unknown` is the category 0, so `Ulm` must not be in the list too", ""),
        ("category town rare=3", "`rare` must be a number of rows of at least 1, next to `unknown=other`", "unknown=other rare=5"),
        ("validate 0.2 stratify=knid", "`stratify` takes an input or its column, and `knid` is neither", "did you mean `kind`?"),
    ],
)
def test_settings_that_are_wrong(setting: str, message: str, remedy: str) -> None:
    training = analyze_training(SourceFile("m.net", SPEC.format(settings=setting)), Choice(), None).training
    assert training is not None
    (problem,) = read_recipe(training)[1]
    assert problem.message.startswith(message)
    assert any(remedy in text for text in problem.help) or not remedy


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("fill median columns=[incme]", "`fill` is for columns that an input reads, and none reads `incme`"),
        ("category twon [Ulm]", "`category` is for columns that an input reads, and none reads `twon`"),
        ("fill median columns=[town]", "`fill` is for numbers, and `town` has categories"),
        ("category town [Ulm, Bonn]\n  fill 0", "sample 2 of the column `town` is `Rom`, and training had no such category"),
    ],
)
def test_rules_that_do_not_fit_the_data(setting: str, message: str) -> None:
    table = make_table().assign(town=["Ulm", "Bonn", "Rom"] * 20)
    assert message in [text for code, text in said(SPEC.format(settings=setting), table) if code != "data-not-finite"]


def test_a_column_without_numbers_has_no_median() -> None:
    found = said(SPEC.format(settings="fill median columns=age\n  fill 0"), make_table().assign(age=[None] * ROWS))
    assert found == [("wrong-setting", "`fill` needs numbers, and the training samples have none in `age`")]


def test_predictions_follow_the_rules(tmp_path: Path) -> None:
    """PyTorch's module, on rows that pandas filled and numbered, gives the same probabilities."""
    import torch

    table = make_table()
    table.to_csv(tmp_path / "t.csv", index=False)
    spec = tmp_path / "m.net"
    spec.write_text(SPEC.format(settings="fill median\n  category town unknown=other\n  validate 0.2 stratify=kind"))
    netc.train(spec, output=tmp_path / "run")
    predictor = netc.load(tmp_path / "run")
    new = pd.DataFrame({"age": [None, 30.0], "income": [2000.0, None], "town": ["Oslo", "Rom"]})
    result = predictor(new)
    fills = {encoding.column: encoding.fill for encoding in predictor.signature.encodings if encoding.column != "town"}
    module = netc.compile_file(spec).module(weights=tmp_path / "run").eval()
    measures = torch.tensor(new[["age", "income"]].fillna(fills).to_numpy(np.float32))
    expected = torch.softmax(module(measures, torch.tensor([0, 2])), 1).detach().numpy()
    np.testing.assert_allclose(np.stack([result[f"probability_{kind}"] for kind in ("ash", "beech", "oak")], 1), expected, atol=1e-5)
    netc.compile_file(spec).save(tmp_path / "m.onnx", weights=tmp_path / "run")
    np.testing.assert_allclose(netc.load(tmp_path / "m.onnx")(new)["probability_oak"], expected[:, 2], atol=1e-5)
    rows = [{"income": 2000.0, "town": "Oslo"}, {"age": 30.0, "town": "Rom"}]
    np.testing.assert_allclose(predictor(rows)["probability_oak"], expected[:, 2], atol=1e-5)


def test_rules_for_parquet_train_too(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    make_table().to_parquet(tmp_path / "t.parquet")
    text = SPEC.format(settings="fill mean\n  validate 0.2").replace('csv "t.csv"', 'parquet "t.parquet"')
    (tmp_path / "m.net").write_text(text)
    assert np.isfinite(netc.train(tmp_path / "m.net", output=tmp_path / "run").results["loss"])


def test_predictions_without_a_rule_refuse_empty_cells(tmp_path: Path) -> None:
    table = make_table().dropna()
    table.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "m.net").write_text(SPEC.format(settings=""))
    netc.train(tmp_path / "m.net", output=tmp_path / "run")
    (tmp_path / "new.csv").write_text("age,income,town\n1,2,Rom\nold,,Rom\n5,x,Oslo\n")
    with pytest.raises(UnfitData) as caught:
        netc.load(tmp_path / "run")(tmp_path / "new.csv")
    assert [problem.format_message() for problem in caught.value.problems] == [
        "line 3 of the column `age` is `old`, which is not a number",
        "line 4 of the column `town` is `Oslo`, and training had no such category",
    ]
    assert caught.value.problems[0].format_notes()[1] == "all of them: `age`: line 3 (`old`); `income`: line 3 and line 4 (`x`)"
