"""A stack with one small function, for what the gateway and Lambda do with any."""

from pathlib import Path

TEMPLATE = """
Parameters:
  AppName: {Type: String}
  Countries: {Type: String}
  HourlyCap: {Type: String}
  Sender: {Type: String}
  Stage: {Type: String}
  PublicBaseUrl: {Type: String}
  TwilioBaseUrl: {Type: String}
Globals:
  Function: {Timeout: 4, MemorySize: 256}
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties: {Auth: {EnableIamAuthorizer: true, DefaultAuthorizer: AWS_IAM}}
  EchoFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/echo
      Environment: {Variables: {OTP_GREETING: hello}}
      Events:
        Any: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /echo}}
        One: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: "/echo/{name}"}}
        Fixed: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /echo/fixed}}
        Page:
          Type: HttpApi
          Properties: {ApiId: !Ref Api, Method: GET, Path: /page, Auth: {Authorizer: NONE}}
        Head:
          Type: HttpApi
          Properties: {ApiId: !Ref Api, Method: HEAD, Path: /page, Auth: {Authorizer: NONE}}
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
"""

APP = """
import json, os, sys, threading, time


def make_handler(environ, clock):
    calls = []

    def handle(event, context):
        calls.append(event)
        if event.get("source") == "aws.events":
            print("tick")
            return None
        body = json.loads(event.get("body") or "{}") if not event["isBase64Encoded"] else {}
        time.sleep(body.get("sleep", 0))
        if "raise" in body:
            raise RuntimeError("the handler says " + body["raise"])
        if "exit" in body:
            os._exit(body["exit"])
        if "return" in body:
            return eval(body["return"])
        if event["rawPath"] == "/page":
            headers = {"content-type": "text/html", "x-path": event["rawPath"]}
            return {"statusCode": 200, "headers": headers, "body": "<p>page</p>", "cookies": ["a=1", "b=2"]}
        return {
            "event": event,
            "clock": clock(),
            "calls": len(calls),
            "pid": os.getpid(),
            "environ": dict(environ),
            "context": {
                "function_name": context.function_name,
                "memory_limit_in_mb": context.memory_limit_in_mb,
                "invoked_function_arn": context.invoked_function_arn,
                "aws_request_id": context.aws_request_id,
                "remaining": context.get_remaining_time_in_millis(),
            },
        }

    return handle


if os.environ.get("OTP_GREETING") == "broken":
    raise ImportError("cannot greet")
"""


def write(folder: Path) -> Path:
    """Write the template and the function; the template's path."""
    function = folder / "functions" / "echo"
    function.mkdir(parents=True)
    (function / "app.py").write_text(APP)
    template = folder / "template.yaml"
    template.write_text(TEMPLATE)
    return template
