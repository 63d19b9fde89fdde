"""The exception of a request that the server does not answer with a result.

>>> RequestRefused(NOT_FOUND, "there is no model `moon`").to_json()
{'error': 'there is no model `moon`'}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netc.compiler.errors.problem import Problem

MALFORMED, NOT_FOUND, TIMED_OUT, TOO_LARGE, WRONG_TYPE, UNFIT, QUEUE_FULL, UNAVAILABLE = 400, 404, 408, 413, 415, 422, 429, 503


class RequestRefused(Exception):
    """A request that is refused with an HTTP status. `problems` has all problems of its data, each with its help."""

    def __init__(self, status: int, message: str, problems: Sequence[Problem] = (), headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.problems, self.headers = status, tuple(problems), dict(headers or {})

    def to_json(self) -> dict[str, object]:
        """Return the body of the response. `error` is a sentence, as the Open Inference Protocol requires."""
        body: dict[str, object] = {"error": str(self)}
        if self.problems:
            body["problems"] = [
                {"code": p.code, "message": p.format_message(), "notes": list(p.format_notes()), "help": list(p.format_help())}
                for p in self.problems
            ]
        return body

    def to_openai_json(self) -> dict[str, object]:
        """Return the body of the response in the form of OpenAI's API, whose client shows the message."""
        return {"error": {"message": str(self), "type": "invalid_request_error", "param": None, "code": None}}
