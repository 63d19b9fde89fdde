"""Ask an ASGI application in this process, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One event loop for all requests to an application."""

    def __init__(self, application: Any) -> None:
        self._application, self._runner = application, asyncio.Runner()

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask_all([(method, path, body, headers or {})])[0]

    def post(self, path: str, content: Any) -> Answer:
        return self.ask_all([make_post(path, content)])[0]

    def ask_all(self, requests: Iterable[tuple[str, str, bytes, Mapping[str, str]]]) -> list[Answer]:
        """Send requests at the same time."""

        async def gather() -> list[Answer]:
            return await asyncio.gather(*(self._answer(*request) for request in requests))

        return self._runner.run(gather())

    def run(self, coroutine: Any) -> Any:
        return self._runner.run(coroutine)

    def close(self) -> None:
        self._runner.close()

    async def _answer(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path}
        scope |= {
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": raw,
            "client": ("test", 1),
            "server": ("test", 2),
        }
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0) if messages else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        await self._application(scope, receive, send)
        answered = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:]))


def make_post(path: str, content: Any) -> tuple[str, str, bytes, Mapping[str, str]]:
    """Return a request with JSON. Bytes and texts are sent as they are."""
    text = content if isinstance(content, (bytes, str)) else json.dumps(content)
    return "POST", path, text if isinstance(text, bytes) else text.encode(), {"Content-Type": "application/json"}
