"""boto3's clients, each made once for a function."""

from typing import Any

import boto3
from botocore.config import Config

from otp_feedback.adapters.dynamodb import CLIENT_CONFIG


def client(service: str, config: Config = CLIENT_CONFIG) -> Any:
    """A low-level client with explicit timeouts and one retry layer."""
    return boto3.client(service, config=config)  # type: ignore[call-overload]
