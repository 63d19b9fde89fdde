"""Read the image files of a form, `multipart/form-data`, by python-multipart."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from .json_arrays import show_value
from .request_refused import MALFORMED, RequestRefused


async def read_image_files(headers: Headers, body: bytes, max_files: int) -> list[tuple[str, bytes]]:
    """Return the files of a form in order, each with its name for messages. Raises `RequestRefused`."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(headers, stream(), max_files=max_files, max_fields=0).parse()
    except MultiPartException as error:
        raise RequestRefused(MALFORMED, f"the form cannot be read: {error.message}") from None
    except FormParserError:
        raise RequestRefused(MALFORMED, "the form cannot be read: it is no `multipart/form-data`") from None
    files = list[tuple[str, bytes]]()
    for _, item in form.multi_items():
        if isinstance(item, UploadFile):
            files.append((show_value(item.filename).strip('`"') if item.filename else f"file {len(files)}", await item.read()))
    await form.close()
    return files
