"""Continue a text: `/v1/completions` in the form of OpenAI's API, for a trained decoder.

In: the body of a request. Out: one JSON object, or the events of a stream with an object for each token. Always: the tokens are the ones of
`netc generate` with the same settings. One text is generated at a time; others wait. A field that has another meaning than its default, and
that the server does not have, is refused, so nothing that a client asks for is ignored.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from netc.dsl.record import Record

from ..prediction.text_generator import TextGenerator, Token
from .json_arrays import read_json, show_value
from .request_refused import MALFORMED, NOT_FOUND, QUEUE_FULL, UNAVAILABLE, UNFIT, RequestRefused

MAX_TOKENS = 4096
"""The most tokens of one completion."""
_DEFAULT_TOKENS = 16
_IGNORED = frozenset(("user",))
_ONLY: Mapping[str, tuple[object, ...]] = {"n": (1,), "best_of": (1,), "echo": (False,)}
"""Fields that may only have these values."""
_END = None


class CompletionRequest(Record):
    """A request that was read. `prompt` are the numbers of its tokens."""

    prompt: tuple[int, ...]
    tokens: int
    sampling: dict[str, Any]
    stream: bool


class Completions:
    """The completions of one model."""

    def __init__(self, generator: TextGenerator, model: str, max_queue: int, timeout: float) -> None:
        self._generator, self._model, self._max_queue, self._timeout = generator, model, max_queue, timeout
        self._executor = ThreadPoolExecutor(1, "netc-text")
        self._waiting = 0

    def read_request(self, body: bytes) -> CompletionRequest:
        """Read a request. Raises `RequestRefused`, also if too many texts wait."""
        if self._waiting >= self._max_queue:
            raise RequestRefused(QUEUE_FULL, f"{self._waiting} texts wait already, which is the limit", headers={"Retry-After": "1"})
        content = read_json(body)
        if not isinstance(content, dict):
            raise RequestRefused(MALFORMED, "the body must be an object with a `prompt`")
        fields = {name: value for name, value in content.items() if value is not None and name not in _IGNORED}
        if fields.pop("model", self._model) != self._model:
            raise RequestRefused(NOT_FOUND, f"there is no such model: the server has `{self._model}`")
        prompt = self._read_prompt(fields.pop("prompt", ""))
        tokens = _take(fields, "max_tokens", int, _DEFAULT_TOKENS, 1, MAX_TOKENS)
        sampling = {
            "temperature": _take(fields, "temperature", float, 1.0, 0, 100),
            "top_p": _take(fields, "top_p", float, None, 0, 1),
            "top_k": _take(fields, "top_k", int, None, 1, 2**31),
            "seed": _take(fields, "seed", int, secrets.randbits(32), 0, 2**63 - 1),
        }
        if sampling["top_p"] == 1:  # clients send their default
            sampling["top_p"] = None
        stream = fields.pop("stream", False)
        if not isinstance(stream, bool):
            raise RequestRefused(UNFIT, f"`stream` must be true or false, and is {show_value(stream)}")
        unknown = next((name for name, value in fields.items() if value not in _ONLY.get(name, ())), None)
        if unknown is not None:
            value = show_value(fields[unknown])
            raise RequestRefused(UNFIT, f"the server does not have the field {show_value(unknown)} with the value {value}")
        return CompletionRequest(prompt, tokens, sampling, stream)

    async def complete(self, request: CompletionRequest) -> dict[str, Any]:
        """Generate the complete text. Raises `RequestRefused`."""
        tokens = list[Token]()
        try:
            async with asyncio.timeout(self._timeout):
                async for token in self._generate(request):
                    tokens.append(token)
        except TimeoutError:
            raise RequestRefused(UNAVAILABLE, f"the text was not complete within {self._timeout:g} seconds: ask for fewer tokens") from None
        usage = {"prompt_tokens": len(request.prompt), "completion_tokens": len(tokens), "total_tokens": len(request.prompt) + len(tokens)}
        text = "".join(token.text for token in tokens)
        return self._make_object(f"cmpl-{secrets.token_hex(12)}", text, self._find_reason(tokens)) | {"usage": usage}

    async def stream_events(self, request: CompletionRequest) -> AsyncIterator[bytes]:
        """Yield an event for each token, and the end."""
        id, last = f"cmpl-{secrets.token_hex(12)}", list[Token]()
        try:
            async for token in self._generate(request):
                if last:
                    yield _format_event(self._make_object(id, last[0].text, None))
                last = [token]
        except RequestRefused as refused:  # the status is sent already
            yield _format_event(refused.to_openai_json())
            return
        yield _format_event(self._make_object(id, "".join(token.text for token in last), self._find_reason(last)))
        yield b"data: [DONE]\n\n"

    def close(self) -> None:
        """Wait for the text in progress."""
        self._executor.shutdown()

    def _read_prompt(self, prompt: Any) -> tuple[int, ...]:
        is_text = isinstance(prompt, str)
        if not is_text and not (isinstance(prompt, list) and all(type(number) is int for number in prompt)):
            raise RequestRefused(UNFIT, f"`prompt` must be one text, or a list of token numbers, and is {show_value(prompt)}")
        try:
            return tuple(self._generator.read_prompt(prompt))
        except ValueError as error:
            raise RequestRefused(UNFIT, f"`prompt` cannot be read: {error}") from None

    async def _generate(self, request: CompletionRequest) -> AsyncIterator[Token]:
        """Yield the tokens, which a thread generates. It stops if nobody reads them."""
        loop, results, is_stopped = asyncio.get_running_loop(), asyncio.Queue[Token | Exception | None](), threading.Event()

        def send(result: Token | Exception | None) -> None:
            loop.call_soon_threadsafe(results.put_nowait, result)

        self._waiting += 1
        try:
            future = loop.run_in_executor(self._executor, self._run, request, send, is_stopped)
            while (result := await results.get()) is not _END:
                if isinstance(result, Exception):
                    raise RequestRefused(UNFIT, str(result))
                yield result
            await future
        finally:
            is_stopped.set()
            self._waiting -= 1

    def _run(self, request: CompletionRequest, send: Callable[[Token | Exception | None], None], is_stopped: threading.Event) -> None:
        try:
            for token in self._generator.generate(request.prompt, tokens=request.tokens, **request.sampling):
                if is_stopped.is_set():
                    return
                send(token)
        except ValueError as error:
            send(error)
        send(_END)

    def _find_reason(self, tokens: list[Token]) -> str:
        return "stop" if tokens and tokens[-1].number == self._generator.tokenizer.end else "length"

    def _make_object(self, id: str, text: str, reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}
        return {"id": id, "object": "text_completion", "created": int(time.time()), "model": self._model, "choices": [choice]}


def _take(fields: dict[str, Any], name: str, kind: type, default: Any, least: float, greatest: float) -> Any:
    """Remove a number from the fields, and check it."""
    value = fields.pop(name, default)
    allowed = (int,) if kind is int else (int, float)
    if value is not default and not (type(value) in allowed and least <= value <= greatest):
        what = "an integer" if kind is int else "a number"
        raise RequestRefused(UNFIT, f"`{name}` must be {what} from {least:g} to {greatest:g}, and is {show_value(value)}")
    return value


def _format_event(content: object) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()
