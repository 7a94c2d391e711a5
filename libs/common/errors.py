"""Errors a caller can act on, each with its HTTP status and its stable problem type. Anything else is a bug: a 500."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypedDict

PROBLEM = "urn:zhengai:problem:"


class Fault(TypedDict):
    """One thing wrong with the input: where (a JSON pointer) and why."""

    pointer: str
    detail: str


class ServiceError(Exception):
    """Base of expected failures; a caller sees `status`, `slug` as the problem's type, and the message as its detail."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, errors: Sequence[Fault] = (), headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


class Malformed(ServiceError):
    """The body cannot be read at all: not JSON, or not a CloudEvent."""

    status, slug, title = 400, "malformed", "Malformed request"


class Unauthorized(ServiceError):
    """Nobody known is asking."""

    status, slug, title = 401, "unauthorized", "Not signed in"


class Forbidden(ServiceError):
    """The caller may never do this, whatever the object."""

    status, slug, title = 403, "forbidden", "Not allowed"


class BecameProposal(Forbidden):
    """What was asked for changes nothing; it has been kept as a proposal, which others decide."""

    slug, title = "change-proposed", "Not changed, but proposed"


class NotFound(ServiceError):
    """There is no such object, or the caller may not see it: the two look the same."""

    status, slug, title = 404, "not-found", "Not found"


class MethodNotAllowed(ServiceError):
    """The path is there, and takes other methods: the header `Allow` names them."""

    status, slug, title = 405, "method-not-allowed", "Method not allowed"


class Conflict(ServiceError):
    """The object's state does not allow this now."""

    status, slug, title = 409, "conflict", "Conflict with the present state"


class TooLarge(ServiceError):
    """More than one request or one event may hold."""

    status, slug, title = 413, "too-large", "Too large"


class UnsupportedMediaType(ServiceError):
    """The media type is none that this path reads."""

    status, slug, title = 415, "unsupported-media-type", "Unsupported media type"


class Invalid(ServiceError):
    """The event or request is well-formed but can never be accepted."""

    status, slug, title = 422, "invalid", "Invalid content"


class TooManyRequests(ServiceError):
    """Over a rate that the operator has set."""

    status, slug, title = 429, "too-many-requests", "Too many requests"


class Unavailable(ServiceError):
    """Cannot be done now; the same request may succeed later."""

    status, slug, title = 503, "unavailable", "Not available now"
