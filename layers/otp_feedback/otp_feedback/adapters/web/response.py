"""One answer of the HTTP API."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response, before API Gateway's form is put on it."""

    status: int
    body: str = ""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(status: int, answer: Struct) -> Response:
    """A wire type as a response."""
    return Response(status, msgspec.json.encode(answer).decode())
