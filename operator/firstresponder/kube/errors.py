"""How a request to the API server can fail."""

from __future__ import annotations


class ApiError(Exception):
    """The API server refused. ``code`` is the HTTP status, ``reason`` and ``message`` are its Status object's."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message


class NotFound(ApiError):
    """There is no such object (or no such kind)."""


class Conflict(ApiError):
    """Somebody else changed the object since it was read: read it again and decide again."""


class AlreadyExists(ApiError):
    """There is an object of that name."""


class Forbidden(ApiError):
    """No right, or an admission policy said no."""


class Unreachable(Exception):
    """No answer. A write may or may not have been done: read again, never assume."""


def refusal(code: int, reason: str, message: str) -> ApiError:
    """The error for a Status object."""
    kinds: dict[tuple[int, str], type[ApiError]] = {
        (404, "NotFound"): NotFound,
        (409, "Conflict"): Conflict,
        (409, "AlreadyExists"): AlreadyExists,
    }
    kind = Forbidden if code == 403 else NotFound if code == 404 else kinds.get((code, reason), ApiError)
    return kind(code, reason, message)
