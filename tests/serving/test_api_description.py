"""`/openapi.json` and `/docs`: valid, equal to what the server does, and without markup from names."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

import netc

pytest.importorskip("starlette", reason="`netc serve` needs the extra `serve`")
openapi = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator judges the description")
jsonschema = pytest.importorskip("jsonschema")

ROW = {"width": 1.5, "height": -2, "place": "Ulm"}
HOSTILE = "</script><script>alert(1)</script>"


def list_schemas(api: Any, name: str) -> Any:
    return {"$ref": f"#/components/schemas/{name}", "components": api["components"]}


def test_the_description_is_valid_and_fits(client: Any) -> None:
    api = client.ask("GET", "/openapi.json").json()
    openapi.validate(api)
    row = list_schemas(api, "Row")
    jsonschema.validate(ROW, row, jsonschema.Draft202012Validator)
    jsonschema.validate(client.post("/predict", ROW).json(), list_schemas(api, "Prediction"), jsonschema.Draft202012Validator)
    for wrong in ({**ROW, "place": "Rom"}, {**ROW, "width": "wide"}, {"width": 1, "height": 1}):
        assert client.post("/predict", wrong).status == 422
        assert not jsonschema.Draft202012Validator(row).is_valid(wrong)


def test_the_example_is_a_row_that_works(client: Any) -> None:
    (example,) = client.ask("GET", "/openapi.json").json()["components"]["schemas"]["Row"]["examples"]
    assert client.post("/predict", example).status == 200


def test_each_path_answers(client: Any) -> None:
    api = client.ask("GET", "/openapi.json").json()
    paths = [path for path, methods in api["paths"].items() if "get" in methods]
    assert [client.ask("GET", path).status for path in paths] == [200] * len(paths)
    assert len(paths) == 6
    assert client.ask("GET", "/").body == client.ask("GET", "/docs").body


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.names.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any]) -> Any:
    """A model whose column and class names are markup and commands of a shell."""
    folder = tmp_path_factory.mktemp("hostile")
    names = [HOSTILE, "'; rm -rf / #"]
    lines = [f'"{HOSTILE}","\'$(id)",kind', *(f'{i},{i % 3},"{names[i % 2]}"' for i in range(8))]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "a.net").write_text(
        f"""x = input 2
scores = x -> dense 2
train {{
  kind = input [] int64
  loss = (scores, kind) -> cross_entropy
  data csv "rows.csv" x=["{HOSTILE}", "'$(id)"]
  epochs 1
  batch 4
}}
""",
        encoding="utf-8",
    )
    netc.train(folder / "a.net", output=folder / "run")
    return serve(folder / "run")


def test_names_never_become_markup(hostile: Any) -> None:
    answer = hostile.ask("GET", "/docs")
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    elements = Elements()
    elements.feed(answer.body.decode())
    assert elements.names <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "a", "pre", "table", "tr", "th", "td"}
    assert elements.links == ["openapi.json"]
    assert elements.text.count(HOSTILE) >= 3  # the column, the example and the class


def test_the_example_command_is_one_word_of_json(hostile: Any) -> None:
    elements = Elements()
    elements.feed(hostile.ask("GET", "/docs").body.decode())
    command = elements.text[elements.text.index("curl ") : elements.text.index("Columns of the answer")]
    *_, text = shlex.split(command)
    assert json.loads(text) == {HOSTILE: 0.5, "'$(id)": 0.5}
    assert hostile.post("/predict", text).json()["predicted_kind"] in (HOSTILE, "'; rm -rf / #")


def test_the_answer_of_hostile_names_is_json(hostile: Any) -> None:
    answer = hostile.post("/predict", {HOSTILE: 1, "'$(id)": 2})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert f"probability_{HOSTILE}" in answer.json()
