"""Read the body of a request, within its limits.

In: a request. Out: its bytes. Always: no more than the limit is in memory, and a client that sends slowly is not waited for beyond the
time.
"""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from .request_refused import MALFORMED, TIMED_OUT, TOO_LARGE, WRONG_TYPE, RequestRefused

JSON, MULTIPART = "application/json", "multipart/form-data"


def get_media_type(request: Request) -> str:
    """Return the type of the body without its parameters, in lower case."""
    declared: str = request.headers.get("content-type", "")
    return declared.partition(";")[0].strip().lower()


def require_media_type(request: Request, *allowed: str, is_optional: bool = False) -> str:
    """Return the type of the body. Raises `RequestRefused` for another one, and for none unless `is_optional`."""
    media_type = get_media_type(request)
    if media_type not in allowed and (media_type or not is_optional):
        raise RequestRefused(WRONG_TYPE, f"the `Content-Type` must be {' or '.join(f'`{name}`' for name in allowed)}")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise RequestRefused(WRONG_TYPE, "the body must not be compressed: send it without `Content-Encoding`")
    return media_type


async def read_body(request: Request, max_body: int, timeout: float) -> bytes:
    """Read the body. Raises `RequestRefused`."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > max_body):
        raise _refuse_size(max_body)
    try:
        async with asyncio.timeout(timeout):
            return await _collect_body(request, max_body)
    except TimeoutError:
        raise RequestRefused(TIMED_OUT, f"the body did not arrive within {timeout:g} seconds", headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise RequestRefused(MALFORMED, "the client has gone") from None


async def _collect_body(request: Request, max_body: int) -> bytes:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > max_body:
            raise _refuse_size(max_body)
        pieces.append(piece)
    return b"".join(pieces)


def _refuse_size(max_body: int) -> RequestRefused:
    # The rest of the body is not read, so the connection cannot be used again.
    message = f"the body has more than {max_body:,} bytes, which is the limit"
    return RequestRefused(TOO_LARGE, message, headers={"Connection": "close"})
