"""Behind Amazon Cognito: its custom SMS sender hands over the code, its post-authentication trigger the user's success.

Deploy both handlers in the account of your user pool. The role needs kms:Decrypt on its key, execute-api:Invoke on the
stack's API, and PutItem, GetItem and DeleteItem on a small table (key `sub`, TTL attribute `expires_at`) that keeps for
ten minutes which verification belongs to which user.

Cognito does not say which factor a user signed in with: a sign-in within those ten minutes counts as the code's. Codes
for anything but a sign-in (SignUp, ResendCode, ForgotPassword, UpdateUserAttribute, VerifyUserAttribute), and temporary
passwords of AdminCreateUser, are sent and never confirmed. They go to the event's phone_number. Where your pool keeps
the old number until a new one is verified, AWS does not document which of the two that is: try it first.
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-custom-sms-sender.html
"""

import html
import json
import logging
import os
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config

KEPT_S = 600
SIGN_IN = "CustomSMSSender_Authentication"
NEW_USER = "CustomSMSSender_AdminCreateUser"

SEND_S = 10.0
CONFIRM_S = 1.5  # Cognito gives post_authentication five seconds for everything
TABLE = Config(connect_timeout=0.5, read_timeout=0.5, retries={"mode": "standard", "total_max_attempts": 1})

log = logging.getLogger(__name__)


@contextmanager
def harmless(step: str) -> Iterator[None]:
    """Log what fails in here by its kind alone, for its text may hold a number, and let the user go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - nothing that fails out there is a reason to refuse a sign-in
        log.warning("%s failed: %s %s", step, type(error).__name__, getattr(error, "code", ""))


def call(path: str, body: dict, timeout_s: float) -> dict:
    """Post to OTP Feedback's API, signed with the role's own credentials."""
    request = AWSRequest("POST", os.environ["OTP_API"] + path, {"Content-Type": "application/json"}, json.dumps(body))
    session = boto3.Session()
    SigV4Auth(session.get_credentials(), "execute-api", session.region_name).add_auth(request)
    signed = urllib.request.Request(request.url, request.body, dict(request.headers), method="POST")
    with urllib.request.urlopen(signed, timeout=timeout_s) as response:
        return json.load(response)


def decrypt(code: str) -> str:
    """The plain code, by the AWS Encryption SDK: package aws-encryption-sdk[MPL] with the function."""
    from kms_code import plain_code  # yours: ten lines of the AWS Encryption SDK with your key's ARN

    return plain_code(code)


def custom_sms_sender(event, context):
    """Trigger CustomSMSSender: Cognito made the code, we send it and keep the verification's id."""
    user, verification = event["request"]["userAttributes"], None
    with harmless("sending"):
        secret = decrypt(event["request"]["code"])
        if event["triggerSource"] == NEW_USER:
            secret = html.unescape(secret)  # Cognito escapes the symbols of a temporary password, and of that alone
        start = {"to": user["phone_number"], "action": "caller", "secret": secret, "reference": user["sub"]}
        verification = call("/verifications", start, SEND_S)["verification_id"]
    if verification and event["triggerSource"] == SIGN_IN:
        with harmless("remembering"):
            expires_at = int(time.time()) + KEPT_S
            table().put_item(Item={"sub": user["sub"], "verification": verification, "expires_at": expires_at})
    return event


def post_authentication(event, context):
    """Trigger PostAuthentication: the user entered the code, so the message worked."""
    key, found = {"sub": event["request"]["userAttributes"]["sub"]}, None
    with harmless("looking up"):
        found = table().get_item(Key=key, ConsistentRead=True).get("Item")
    # DynamoDB may delete days after the TTL, so what is read may have expired.
    if found and found.get("expires_at", 0) > time.time():
        with harmless("confirming"):
            call(f"/verifications/{found['verification']}/confirm", {"message": 1}, CONFIRM_S)
            # Only this one: the user may have asked for another code meanwhile.
            table().delete_item(
                Key=key,
                ConditionExpression="verification = :used",
                ExpressionAttributeValues={":used": found["verification"]},
            )
    return event


def table():
    """The table that keeps which verification belongs to which user."""
    return boto3.resource("dynamodb", config=TABLE).Table(os.environ["USERS_TABLE"])
