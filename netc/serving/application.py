"""The HTTP application: the routes, and what each answers.

In: a served model. Out: an ASGI application. Always: a request that is wrong is answered by a 4xx status and JSON with `error`. Names of
columns and classes are data: JSON and escaped text, never a part of a header, a path or a script.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ..version import __version__
from .api_description import describe_api
from .documentation_page import POLICY, write_page
from .multipart_images import read_image_files
from .open_inference import HEADER_LENGTH, VERSION, describe_model
from .request_body import JSON, MULTIPART, read_body, require_media_type
from .request_refused import NOT_FOUND, RequestRefused
from .served_model import ServedModel
from .server_metrics import CONTENT_TYPE

Endpoint = Callable[[Request], Awaitable[Response]]
_BINARY = "application/octet-stream"
_OPENAI = "/v1"
_MODEL = "/v2/models/{model}"
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class Draining:
    """Whether the server stops: it still answers, and tells clients to close their connections."""

    def __init__(self) -> None:
        self.is_draining = False


def make_application(model: ServedModel, draining: Draining) -> Starlette:
    """Return the application for a model."""
    handlers = _Handlers(model, draining)
    endpoints: list[tuple[str, str, Endpoint]] = [
        ("/predict", "POST", handlers.predict),
        ("/v2", "GET", handlers.describe_server),
        ("/v2/health/live", "GET", handlers.report_live),
        ("/v2/health/ready", "GET", handlers.report_ready),
        ("/metrics", "GET", handlers.show_metrics),
        ("/openapi.json", "GET", handlers.describe_api),
        ("/docs", "GET", handlers.show_documentation),
        ("/", "GET", handlers.show_documentation),
    ]
    if model.completions is not None:
        endpoints += [(f"{_OPENAI}/completions", "POST", handlers.complete), (f"{_OPENAI}/models", "GET", handlers.list_models)]
    for path in (_MODEL, f"{_MODEL}/versions/{{version}}"):
        endpoints += [
            (path, "GET", handlers.describe_model),
            (f"{path}/ready", "GET", handlers.report_model_ready),
            (f"{path}/infer", "POST", handlers.infer),
        ]

    @asynccontextmanager
    async def close_queue(app: Starlette) -> AsyncIterator[None]:
        yield
        await model.close()

    routes = [Route(path, _observe(path, endpoint, model, draining), methods=[method]) for path, method, endpoint in endpoints]
    errors: Any = {HTTPException: _answer_http_error, Exception: _answer_internal_error}
    return Starlette(routes=routes, lifespan=close_queue, exception_handlers=errors)


class _Handlers:
    def __init__(self, model: ServedModel, draining: Draining) -> None:
        self._model, self._draining, self._api = model, draining, describe_api(model)

    async def predict(self, request: Request) -> Response:
        options = self._model.options
        media_type = require_media_type(request, JSON, MULTIPART)
        body = await read_body(request, options.max_body, options.timeout)
        if media_type == MULTIPART:
            images = await read_image_files(request.headers, body, options.max_rows)
            return _to_json_response(await self._model.predict_images(images))
        return _to_json_response(await self._model.predict_rows(body))

    async def complete(self, request: Request) -> Response:
        options, completions = self._model.options, self._model.completions
        assert completions is not None
        require_media_type(request, JSON)
        wanted = completions.read_request(await read_body(request, options.max_body, options.timeout))
        if wanted.stream:
            return StreamingResponse(completions.stream_events(wanted), headers=_HEADERS, media_type="text/event-stream")
        return _to_json_response(await completions.complete(wanted))

    async def list_models(self, request: Request) -> Response:
        return _to_json_response({"object": "list", "data": [{"id": self._model.name, "object": "model", "owned_by": "netc"}]})

    async def infer(self, request: Request) -> Response:
        self._check_model(request)
        options = self._model.options
        # Triton's own client sends no type.
        require_media_type(request, JSON, _BINARY, is_optional=True)
        body = await read_body(request, options.max_body, options.timeout)
        content, length = await self._model.infer(body, request.headers.get(HEADER_LENGTH))
        headers = {} if length is None else {HEADER_LENGTH: str(length)}
        return Response(content, headers=_HEADERS | headers, media_type=JSON if length is None else _BINARY)

    async def describe_server(self, request: Request) -> Response:
        return _to_json_response({"name": "netc", "version": __version__, "extensions": ["binary_tensor_data"]})

    async def describe_model(self, request: Request) -> Response:
        self._check_model(request)
        session = self._model.predictor.session
        return _to_json_response(describe_model(self._model.name, session.inputs, session.outputs))

    async def report_live(self, request: Request) -> Response:
        return _to_json_response({"live": True})

    async def report_ready(self, request: Request) -> Response:
        is_ready = not self._draining.is_draining
        return _to_json_response({"ready": is_ready}, 200 if is_ready else 503)

    async def report_model_ready(self, request: Request) -> Response:
        self._check_model(request)
        is_ready = not self._draining.is_draining
        return _to_json_response({"name": self._model.name, "ready": is_ready}, 200 if is_ready else 503)

    async def show_metrics(self, request: Request) -> Response:
        return Response(self._model.metrics.format_text(), headers=_HEADERS | {"Content-Type": CONTENT_TYPE})

    async def describe_api(self, request: Request) -> Response:
        return _to_json_response(self._api)

    async def show_documentation(self, request: Request) -> Response:
        # A name may have half of a character, which UTF-8 cannot hold.
        page = write_page(self._api).encode("utf-8", "xmlcharrefreplace")
        return Response(page, headers=_HEADERS | {"Content-Security-Policy": POLICY}, media_type="text/html; charset=utf-8")

    def _check_model(self, request: Request) -> None:
        if request.path_params["model"] != self._model.name:
            raise RequestRefused(NOT_FOUND, f"there is no such model: the server has `{self._model.name}`")
        if request.path_params.get("version", VERSION) != VERSION:
            raise RequestRefused(NOT_FOUND, f"there is no such version: the server has version {VERSION}")


def _observe(path: str, endpoint: Endpoint, model: ServedModel, draining: Draining) -> Endpoint:
    """Answer refused requests, and count all requests of a route."""

    async def handle(request: Request) -> Response:
        start, status = time.perf_counter(), 500
        try:
            response = await endpoint(request)
            status = response.status_code
        except RequestRefused as refused:
            status = refused.status
            response = _to_json_response(refused.to_openai_json() if path.startswith(_OPENAI) else refused.to_json(), status)
            response.headers.update(refused.headers)
        finally:
            model.metrics.observe_request(path, status, time.perf_counter() - start)
        if draining.is_draining:
            response.headers["Connection"] = "close"
        return response

    return handle


def _to_json_response(content: Any, status: int = 200) -> Response:
    # ASCII, because a name may have half of a character, which UTF-8 cannot hold.
    return Response(json.dumps(content, allow_nan=False), status, _HEADERS, JSON)


async def _answer_http_error(request: Request, error: HTTPException) -> Response:
    """Answer unknown paths and methods in the form of all other errors."""
    message = {404: "there is no such path", 405: f"the path takes {(error.headers or {}).get('Allow', 'another method')}"}
    response = _to_json_response({"error": message.get(error.status_code, error.detail)}, error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _answer_internal_error(request: Request, error: Exception) -> Response:
    return _to_json_response({"error": "internal error: the server's log has the reason"}, 500)
