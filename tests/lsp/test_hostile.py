"""What an editor may send by mistake: the server answers what follows, or ends with one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("pygls")

URI = "untitled:a.net"


def framed(content: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(content), content)


def message(method: str, number: int | None = None, **parameters: object) -> bytes:
    identity = {} if number is None else {"id": number}
    return framed(json.dumps({"jsonrpc": "2.0", **identity, "method": method, "params": parameters}).encode())


BEGIN = message("initialize", 1, processId=None, rootUri=None, capabilities={}) + message("initialized")
END = message("shutdown", 99) + message("exit")
OPEN = message("textDocument/didOpen", textDocument={"uri": URI, "languageId": "net", "version": 1, "text": "input 3 -> dense 2"})
HOVER = message("textDocument/hover", 2, textDocument={"uri": URI}, position={"line": 0, "character": 2})


def change(start: int, end: int) -> bytes:
    """A change from one line to another, in a document of one line."""
    position = {"start": {"line": start, "character": 7}, "end": {"line": end, "character": 900}}
    return message("textDocument/didChange", textDocument={"uri": URI, "version": 2}, contentChanges=[{"range": position, "text": "x"}])


MISTAKES = {
    "no JSON": framed(b"{nope"),
    "not an object": framed(b"[1, 2]") + framed(b"null"),
    "not UTF-8": framed(b'{"jsonrpc": "\xff"}'),
    "nested deeply": framed(b"[" * 100_000 + b"]" * 100_000),
    "no header": b"hello\r\n\r\n",
    "a negative length": b"Content-Length: -5\r\n\r\n",
    "wrong parameters": message("textDocument/hover", 3, position={"line": "a"}),
    "no such request": message("textDocument/nothing", 3),
    "a line before the first": message("textDocument/hover", 3, textDocument={"uri": URI}, position={"line": -1, "character": 0}),
    "an address that is none": message("textDocument/hover", 3, textDocument={"uri": "file:///%00"}, position={"line": 0, "character": 0}),
    "an id that is none": framed(b'{"jsonrpc": "2.0", "id": {}, "method": "shutdown"}'),
    "a change outside of the text": change(40, 50) + change(9, 0),
    "a request that is cancelled": message("$/cancelRequest", id=777),
    "a document that is not open": message("textDocument/didClose", textDocument={"uri": "untitled:b.net"}),
}
REFUSED = ("wrong parameters", "no such request", "a line before the first", "an address that is none")
"""Those that are requests, which must be answered too: with an error."""


def serve(sent: bytes) -> tuple[int, list[dict[str, object]], str]:
    """The exit code, the answers, what is logged."""
    usual = {name: value for name, value in os.environ.items() if name != "NETC_DEBUG"}
    words = [sys.executable, "-m", "netc", "lsp"]
    done = subprocess.run(words, input=sent, env=usual, capture_output=True, timeout=120, check=False)
    answers, rest = [], done.stdout
    while rest:
        header, _, rest = rest.partition(b"\r\n\r\n")
        length = int(header.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        answers.append(json.loads(rest[:length]))
        rest = rest[length:]
    return done.returncode, answers, done.stderr.decode()


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.sample(1)
def test_the_next_request_is_answered(mistake: str) -> None:
    code, answers, log = serve(BEGIN + OPEN + MISTAKES[mistake] + HOVER + END)
    assert code == 0
    assert [answer["id"] for answer in answers if "result" in answer] == [1, 2, 99]
    refused = [answer["id"] for answer in answers if "error" in answer and answer.get("id") is not None]
    assert refused == ([3] if mistake in REFUSED else [])
    assert "Traceback" not in log
    assert "ValueError" not in log + str(answers)
    assert "TypeError" not in log + str(answers)


@pytest.mark.parametrize("length", [b"9" * 14, b"9" * 5000])
@pytest.mark.sample(1)
def test_a_message_that_is_larger_than_the_memory(length: bytes) -> None:
    code, _, log = serve(BEGIN + b"Content-Length: " + length + b"\r\n\r\n{}")
    assert code == 1
    assert log.startswith("error: what comes on standard input is not the protocol")


def test_requests_before_the_first_and_after_the_last() -> None:
    """The protocol: `the server should respond with an error with code: -32002`, and `those requests should error with InvalidRequest`."""
    late = message("textDocument/hover", 4, textDocument={"uri": URI}, position={"line": 0, "character": 2})
    code, answers, _ = serve(HOVER + BEGIN + message("shutdown", 3) + late + OPEN + message("exit"))
    errors = {answer["id"]: answer["error"] for answer in answers if "error" in answer}
    assert code == 0
    assert {number: error["code"] for number, error in errors.items() if isinstance(error, dict)} == {2: -32002, 4: -32600}


@pytest.mark.parametrize("can", [True, False])
@pytest.mark.sample(1)
def test_files_are_watched_where_the_editor_can(can: bool) -> None:
    """`Servers are allowed to run their own file system watching mechanism`, but `it is recommended` that the client does it."""
    capabilities = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": can}}}
    begin = message("initialize", 1, processId=None, rootUri=None, capabilities=capabilities) + message("initialized")
    _, answers, log = serve(begin + OPEN + HOVER + END)
    asked = [json.dumps(answer["params"]) for answer in answers if answer.get("method") == "client/registerCapability"]
    assert ["**/*.net" in one and "workspace/didChangeWatchedFiles" in one for one in asked] == [True] * can
    assert log == ""


def test_what_is_refused_with_a_reason_is_not_logged() -> None:
    rename = message("textDocument/rename", 3, textDocument={"uri": URI}, position={"line": 0, "character": 2}, newName="x")
    _, answers, log = serve(BEGIN + OPEN + rename + message("$/cancelRequest", id=3) + END)
    (reason,) = [error["message"] for answer in answers if isinstance(error := answer.get("error"), dict)]
    assert (reason, log) == ("there is no name here that can be changed", "")


def test_an_exit_without_a_shutdown() -> None:
    """The protocol: `error code 1` if no shutdown has been asked for."""
    assert serve(BEGIN + message("exit"))[0] == 1
