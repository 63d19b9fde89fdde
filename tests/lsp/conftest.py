"""A client that speaks with a real `netc lsp` over its standard input and output.

The plugins of pytest-lsp and asyncio are switched off in pyproject.toml, because their hooks take a third of a millisecond of every test of
all folders. Coroutine tests of this folder run here instead, each in an event loop of its own.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_lsp import LanguageClient

SERVER = (sys.executable, "-m", "netc", "lsp", "--stdio")


@pytest.fixture
def client() -> LanguageClient:
    """A client without a server: it starts in the event loop of the test."""
    from pytest_lsp.client import make_test_lsp_client

    return make_test_lsp_client()


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

    client: LanguageClient = arguments["client"]
    client.feature(types.CLIENT_REGISTER_CAPABILITY)(lambda params: None)
    await client.start_io(*SERVER)
    try:
        await client.initialize_session(types.InitializeParams(capabilities=client_capabilities("visual-studio-code"), root_uri=None))
        await test(**arguments)
        await client.shutdown_session()
    finally:
        await client.stop()
    assert client.error is None
