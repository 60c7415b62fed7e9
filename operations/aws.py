"""boto3's clients for a person at a terminal, and AWS's errors in words."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from operations.errors import OperationError
from otp_feedback.domain.errors import Unavailable

CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_ACTION = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z0-9]+)")


def chosen_region() -> str | None:
    """AWS_REGION, which the AWS CLI reads first and boto3 not at all; None leaves the choice to boto3."""
    return os.environ.get("AWS_REGION") or None


def session() -> boto3.Session:
    """A session for the region and the credentials that the usual AWS variables name."""
    return boto3.Session(region_name=chosen_region())


def client(service: str) -> Any:
    """A low-level client for the region and the credentials that the usual AWS variables name."""
    return boto3.client(service, region_name=chosen_region(), config=CONFIG)  # type: ignore[call-overload]


@contextmanager
def explained() -> Iterator[None]:
    """Turn AWS's errors into ours.

    Raises
    ------
    OperationError
        Names the action that is not allowed, or what failed. AWS's own words may hold values, so they are left out.
    """
    try:
        with _unwrapped():
            yield
    except ClientError as error:
        raise OperationError(_words(error)) from error
    except BotoCoreError as error:
        raise OperationError(f"AWS cannot be asked: {error} Check AWS_PROFILE and AWS_REGION.") from error


@contextmanager
def _unwrapped() -> Iterator[None]:
    """Raise what made the table unavailable."""
    try:
        yield
    except Unavailable as error:
        raise error.__cause__ or error from None


def _words(error: ClientError) -> str:
    answer = error.response.get("Error", {})
    code, operation = answer.get("Code", "?"), error.operation_name
    if code in _DENIED:
        named = _ACTION.search(answer.get("Message", ""))
        return f"AWS does not let you call {named[1] if named else operation}: add it to what your role may do."
    if code in _BAD_CREDENTIALS:
        return f"AWS does not accept your credentials ({code}): sign in again, and check AWS_PROFILE."
    return f"AWS answered {operation} with {code}."
