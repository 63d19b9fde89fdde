"""`/v1/completions` gives the tokens of `netc.load(run).generate`, complete or as events, and refuses what it does not have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import netc

pytest.importorskip("starlette", reason="`netc serve` needs the extra `serve`")

from .asgi_client import make_post

PATH = "/v1/completions"


@pytest.fixture(scope="module")
def writer(serve: Callable[..., Any], texts: Path) -> Any:
    return serve(texts)


def test_a_text(writer: Any, texts: Path) -> None:
    defaults = {"model": "trees", "top_p": 1, "n": 1, "user": "me", "stream": False, "logprobs": None}
    answer = writer.post(PATH, {"prompt": "abc", "max_tokens": 7, "temperature": 0, **defaults}).json()
    expected = "".join(map(str, netc.load(texts).generate("abc", tokens=7, temperature=0)))
    assert (answer["object"], answer["model"], answer["choices"][0]["text"]) == ("text_completion", "trees", expected)
    assert expected.startswith("defgh")
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}


def test_a_seed_draws_the_same_tokens(writer: Any, texts: Path) -> None:
    body = {"prompt": [97, 98], "max_tokens": 9, "temperature": 3.0, "top_k": 50, "seed": 5}
    expected = "".join(map(str, netc.load(texts).generate("ab", tokens=9, temperature=3.0, top_k=50, seed=5)))
    assert [writer.post(PATH, body).json()["choices"][0]["text"] for _ in range(2)] == [expected] * 2


def test_a_stream_of_events(writer: Any) -> None:
    body = {"prompt": "a", "max_tokens": 6, "temperature": 0}
    answer = writer.post(PATH, body | {"stream": True})
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    *events, done = [line.removeprefix("data: ") for line in answer.body.decode().split("\n\n") if line]
    assert done == "[DONE]"
    choices = [json.loads(event)["choices"][0] for event in events]
    assert "".join(choice["text"] for choice in choices) == writer.post(PATH, body).json()["choices"][0]["text"]
    assert [choice["finish_reason"] for choice in choices] == [None] * 5 + ["length"]


def test_several_texts_at_once(writer: Any) -> None:
    bodies = [{"prompt": letter, "max_tokens": 4, "temperature": 0} for letter in "abcd"]
    answers = writer.ask_all([make_post(PATH, body) for body in bodies])
    assert [a.json()["choices"][0]["text"] for a in answers] == ["bcde", "cdef", "defg", "efgh"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"prompt": 3}, 422, "`prompt` must be one text"),
        ({"prompt": ["a", "b"]}, 422, "`prompt` must be one text"),
        ({"prompt": [1, 256]}, 422, "tokens are numbers from 0 to 255"),
        ({"prompt": []}, 422, "the prompt has no tokens"),
        ({"prompt": "\ud800"}, 422, "`prompt` cannot be read"),
        ({"prompt": "a", "max_tokens": 0}, 422, "`max_tokens` must be an integer from 1 to 4096, and is `0`"),
        ({"prompt": "a", "max_tokens": True}, 422, "`max_tokens` must be an integer"),
        ({"prompt": "a", "temperature": -1}, 422, "`temperature` must be a number"),
        ({"prompt": "a", "temperature": 0, "top_p": 0.5}, 422, "have no effect"),
        ({"prompt": "a", "top_p": 0}, 422, "top_p"),
        ({"prompt": "a", "stop": ["b"]}, 422, 'does not have the field `"stop"`'),
        ({"prompt": "a", "n": 2}, 422, 'the field `"n"` with the value `2`'),
        ({"prompt": "a", "stream": 1}, 422, "`stream` must be true or false"),
        ({"prompt": "a", "model": "gpt"}, 404, "the server has `trees`"),
        ([], 400, "must be an object"),
    ],
)
def test_refused(writer: Any, body: Any, status: int, message: str) -> None:
    answer = writer.post(PATH, body)
    assert (answer.status, message in answer.json()["error"]["message"]) == (status, True), answer


def test_a_text_that_takes_too_long(serve: Callable[..., Any], texts: Path) -> None:
    client = serve(texts, timeout=0.02)
    answer = client.post(PATH, {"prompt": "a", "max_tokens": 4096})
    assert (answer.status, "ask for fewer tokens" in answer.json()["error"]["message"]) == (503, True)


def test_only_decoders_have_the_path(client: Any, writer: Any) -> None:
    assert client.post(PATH, {"prompt": "a"}).status == 404
    assert PATH not in client.ask("GET", "/openapi.json").json()["paths"]
    assert PATH in writer.ask("GET", "/openapi.json").json()["paths"]
    assert writer.ask("GET", "/v1/models").json()["data"][0]["id"] == "trees"
