"""Answer the requests that pygls leaves without a response, although the protocol requires one.

In: messages. Out: an error with the request's id, for a request that cannot be read, or that comes before `initialize` or after `shutdown`.
"""

from __future__ import annotations

import logging
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidRequest
from pygls.protocol import LanguageServerProtocol

_NOT_INITIALIZED = types.ResponseError(types.ErrorCodes.ServerNotInitialized.value, "the first request must be `initialize`")
_SHUT_DOWN = types.ResponseError(types.ErrorCodes.InvalidRequest.value, "the server was asked to shut down")


class AnsweringProtocol(LanguageServerProtocol):
    """Also answers requests that never reach a handler."""

    _is_initialized = False

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Convert a message to a record; answer it with an error if that fails."""
        if isinstance(data, dict) and not isinstance(data.get("id"), int | str | None):
            refused = JsonRpcInvalidRequest("the id of a request is a number or a string")
            # The protocol requires `null` if the id cannot be read.
            self._send_response(None, error=refused.to_response_error())  # type: ignore[arg-type]
            raise refused
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise

    def handle_message(self, message: Any) -> None:
        """Handle a message if the server is in the right state for it, else answer with an error."""
        method = getattr(message, "method", "")
        self._is_initialized = self._is_initialized or method == types.INITIALIZE
        if method == types.EXIT or (self._is_initialized and not self._shutdown):
            super().handle_message(message)
        elif method and hasattr(message, "id"):
            self._send_response(message.id, error=_SHUT_DOWN if self._is_initialized else _NOT_INITIALIZED)


class Refused(JsonRpcException):
    """A request is refused, and the editor's user sees why. Nothing is wrong with the server, so nothing is logged."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, types.LSPErrorCodes.RequestFailed.value)


def is_worth_logging(record: logging.LogRecord) -> bool:
    """Whether a record is about a real problem."""
    # Editors constantly cancel requests that have been answered already, and pygls logs a warning for each.
    about = record.exc_info[1] if record.exc_info else None
    return not isinstance(about, Refused) and not record.getMessage().startswith("Cancel notification for unknown message id")
