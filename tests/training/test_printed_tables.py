"""A printed training file reads tables as `netc train` reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netc
from netc.errors import CompileError
from tests.training.opened import arrays as arrays_of
from tests.training.opened import opened, spec
from tests.training.test_source import module_of

TABLES = {
    'data csv "a.csv" separator=";" x=[u, v] target=p': ("a.csv", "u; v;p\n1;2.5;3\n\n4;5;6\n"),
    'data csv "a.csv" x="*" target=w': ("a.csv", "v,w\n1,3\n4,5\n"),
    'data csv "a.tsv" x="u,v" target=p': ("a.tsv", "\ufeffp\tv\tu\n1\t2\t1e-3\n"),
    'data csv "a.csv" header=false x=["0", "2"] target="1"': ("a.csv", "1,2,3\n4,5,6\n"),
}


@pytest.mark.parametrize("setting", TABLES)
def test_tables_are_read_as_netc_reads_them(setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, content = TABLES[setting]
    (tmp_path / name).write_text(content, encoding="utf-8")
    text = spec(setting, target="[] int64")
    monkeypatch.chdir(tmp_path)
    made = module_of(text, tmp_path)
    found, wanted = made.load_data(made.DATA), arrays_of(text, path=tmp_path / "spec.net")
    assert found.keys() == wanted.keys()
    for column, array in wanted.items():
        assert found[column].numpy().dtype == array.dtype
        np.testing.assert_array_equal(found[column].numpy(), array)


PEOPLE = """age;member;joined;town;kind
31;yes;2024-01-05;Ulm;oak
 47 ;no;2024-02-29T06:00;NA;ash
;YES;2023-11-30;;oak
52.5;f;2024-05-17 12:00:00+02:00;Ulm;ash
n/a;t;;Rom;oak
60;;1969-12-31;Bonn;beech
18;no;2022-08-01; Bonn;ash
1e1;yes;null;Bonn;oak
"""
PEOPLE_SPEC = """person = input 3
town = input [] int64
scores = (person, town -> one_hot 5 -> cast float32) -> concat axis=1 -> dense 3
train {{
  kind = input [] int64
  loss = (scores, kind) -> cross_entropy
  data csv "a.csv" separator=";" person=[age, member, joined]
  {}
}}
"""
RULES = (
    "fill median\n  category town unknown=other",
    "fill mean\n  category town unknown=other rare=2\n  validate 0.4",
    "fill 0.5\n  fill median columns=joined\n  category town [Ulm, Bonn] unknown=other\n  validate 0.3 stratify=kind",
    'fill none\n  category town unknown=other\n  validate csv "b.csv"',
    'fill median\n  category town unknown=other rare=2\n  validate csv "b.csv" separator=";"',
)


@pytest.mark.parametrize("rules", RULES)
def test_text_dates_and_gaps_are_read_as_netc_reads_them(rules: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text(PEOPLE, encoding="utf-8")
    Path("b.csv").write_text("kind;town;age;member;joined\nash;Oslo;;no;2020-01-01\n".replace(";", ";" if "sep" in rules else ","))
    text = PEOPLE_SPEC.format(rules)
    made, data = module_of(text, tmp_path), opened(text, path=tmp_path / "spec.net")
    assert data.data is not None
    parts = [(made.load_data(made.DATA), data.data[0].read_batch(np.arange(8)))]
    if "csv" in rules:
        assert data.validation is not None
        load = getattr(made, "load_validation_data", made.load_data)
        parts.append((load(made.VALIDATION), data.validation[0].read_batch(np.arange(1))))
    elif data.validation is not None:
        split = made.split_samples_by_class(parts[0][0]["kind"]) if "stratify" in rules else made.split_samples(8)
        assert [part.tolist() for part in split] == [data.data[1].tolist(), data.validation[1].tolist()]
    for found, wanted in parts:
        assert found.keys() == wanted.keys()
        for column, array in wanted.items():
            assert found[column].numpy().dtype == array.dtype
            np.testing.assert_array_equal(found[column].numpy(), array)


@pytest.mark.parametrize("cells", ["1;2;x", "1;;3", "1.5;2;3", "a;;b", "a;b;1"])
def test_cells_that_netc_refuses_raise_an_error_in_the_file(cells: str, tmp_path: Path) -> None:
    rows = "".join(f"1,{cell}\n" for cell in cells.split(";"))
    (tmp_path / "a.csv").write_text(f"x,target\n{rows}", encoding="utf-8")
    made = module_of(spec('data csv "a.csv" x=[x]', x="1", target="[] int64"), tmp_path)
    with pytest.raises((ValueError, KeyError)):
        made.load_data(str(tmp_path / "a.csv"))


def test_rules_need_a_table_of_text_in_the_file() -> None:
    with pytest.raises(CompileError) as caught:
        netc.compile(PEOPLE_SPEC.format("fill 0").replace('csv "a.csv" separator=";"', 'parquet "a.parquet"')).training().source()
    assert caught.value.diagnostics[0].message == "`fill` is for csv data in a training file"


def test_validation_data_may_be_read_in_another_way(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("u,v,p\n1,2,3\n", encoding="utf-8")
    np.savez(tmp_path / "b.npz", X=np.ones((2, 2)), p=np.ones(2))
    made = module_of(spec('data csv "a.csv" x=[u, v] target=p\nvalidate npz "b.npz" x=X'), tmp_path)
    assert made.load_data(str(tmp_path / "a.csv"))["x"].tolist() == [[1, 2]]
    assert made.load_validation_data(str(tmp_path / "b.npz"))["x"].shape == (2, 2)
    assert (made.DATA, made.VALIDATION) == ("a.csv", "b.npz")


def test_data_that_the_file_does_not_read_are_named_in_it(tmp_path: Path) -> None:
    made = module_of(spec('data images "a\u2028import b" x=image target=label'), tmp_path)
    assert made.DATA == "train.npz"
    assert '# The section has images "a\\u2028import b", which this file does not read.' in Path(made.__file__).read_text(encoding="utf-8")
    np.savez(tmp_path / "train.npz", x=np.ones((3, 2)), target=np.ones(3))
    assert made.load_data(str(tmp_path / "train.npz"))["x"].shape == (3, 2)


FILLED = {
    "integers": ("1 int64", "fill median", ["1", "007", "1", "", "NA"], [1, 7, 1, 1, 1]),
    "a number": ("1 int64", "fill 9", ["1", "", "3"], [1, 9, 3]),
    "categories": ("1 int64", "fill 9", ["b", "a", "NA"], [2, 1, 0]),
    "dates without hyphens": ("1", "fill mean", ["2026-01-31", "20260202", ""], [20484, 20486, 20485]),
}


@pytest.mark.parametrize("name", FILLED)
def test_a_file_fills_integers_and_reads_each_form_of_a_date(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    type_, fill, cells, wanted = FILLED[name]
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("x,target\n" + "".join(f"{cell},1\n" for cell in cells), encoding="utf-8")
    text = spec(f'data csv "a.csv" x=[x]\n  {fill}', x=type_)
    assert arrays_of(text, path=tmp_path / "spec.net")["x"].flatten().tolist() == wanted
    assert module_of(text, tmp_path).load_data("a.csv")["x"].flatten().tolist() == wanted
