"""boto3's clients, each made once for a function."""

from typing import Any

import boto3

from otp_feedback.adapters.dynamodb import CLIENT_CONFIG


def client(service: str) -> Any:
    """A low-level client with explicit timeouts and one retry layer."""
    return boto3.client(service, config=CLIENT_CONFIG)  # type: ignore[call-overload]
