"""A client that speaks with `netc lsp`: in the process of the test, and by the long tests over the standard input and output of another.

The plugins of pytest-lsp and asyncio are switched off in pyproject.toml, because their hooks take a third of a millisecond of every test of
all folders. Coroutine tests of this folder run here instead, each in an event loop of its own.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_lsp import LanguageClient

SERVER = (sys.executable, "-m", "netc", "lsp", "--stdio")


@pytest.fixture(params=["in_process", pytest.param("process", marks=pytest.mark.long)])
def client(request: pytest.FixtureRequest) -> LanguageClient:
    """A client without a server: it starts in the event loop of the test."""
    from pytest_lsp.client import make_test_lsp_client

    client = make_test_lsp_client()
    client.starts_process = request.param == "process"  # type: ignore[attr-defined]
    return client


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test, with a server for its client."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    asyncio.run(
        _run_with_server(pyfuncitem.obj, {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters})
    )
    return True


async def _run_with_server(test: Callable[..., Any], arguments: dict[str, Any]) -> None:
    from lsprotocol import types
    from pytest_lsp import client_capabilities

    client: Any = arguments["client"]
    client.feature(types.CLIENT_REGISTER_CAPABILITY)(lambda params: None)
    close = await (_start_process(client) if client.starts_process else _start_in_process(client))
    try:
        await client.initialize_session(types.InitializeParams(capabilities=client_capabilities("visual-studio-code"), root_uri=None))
        await test(**arguments)
    finally:
        await close()
    assert client.error is None


async def _start_process(client: LanguageClient) -> Callable[[], Any]:
    async def close() -> None:
        await client.shutdown_session()
        await client.stop()

    await client.start_io(*SERVER)
    return close


class _Pipe:
    """What one side writes, the other side reads."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()
        self.closed = False

    def write(self, content: bytes) -> None:
        if not self.closed:  # a check of a text may end after the client has gone
            self.reader.feed_data(content)

    def close(self) -> None:
        self.closed = True
        self.reader.feed_eof()


@functools.cache
def _make_converter() -> Any:
    """One converter for all tests: it makes a function for each type of message that it sees first."""
    from pygls.protocol import default_converter

    return default_converter()


async def _start_in_process(client: Any) -> Callable[[], Any]:
    from pygls.io_ import run_async

    from netc.lsp.features import register_text_features
    from netc.lsp.questions import register_position_features
    from netc.lsp.server import NetServer

    server = NetServer()
    register_text_features(server)
    register_position_features(server)
    questions, answers = _Pipe(), _Pipe()
    server.protocol.set_writer(answers)
    client.protocol.set_writer(questions)
    client.protocol._converter = server.protocol._converter = _make_converter()
    sides = ((server, questions), (client, answers))
    tasks = [
        asyncio.create_task(run_async(threading.Event(), pipe.reader, side.protocol, error_handler=side.report_server_error))
        for side, pipe in sides
    ]

    async def close() -> None:
        await client.shutdown_async(None)
        questions.close()
        answers.close()
        await asyncio.gather(*tasks)
        server.shutdown()

    return close
