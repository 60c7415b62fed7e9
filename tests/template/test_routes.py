"""Who may call what, and how fast."""

import pytest

from tests.template.expanded import choose, deployed, resources

CALLERS = {
    ("POST", "/verifications"): "SendOtpFunction",
    ("POST", "/verifications/{verification_id}/messages"): "SendOtpFunction",
    ("GET", "/verifications/{verification_id}"): "ConfirmActionFunction",
    ("POST", "/verifications/{verification_id}/check"): "ConfirmActionFunction",
    ("POST", "/verifications/{verification_id}/confirm"): "ConfirmActionFunction",
    ("POST", "/verifications/{verification_id}/cancel"): "ConfirmActionFunction",
}
PUBLIC = {
    ("GET", "/confirm"): "ConfirmActionFunction",
    ("HEAD", "/confirm"): "ConfirmActionFunction",
    ("POST", "/confirm"): "ConfirmActionFunction",
}
WEBHOOKS = {
    ("POST", "/twilio/status"): "TrackDeliveryFunction",
    ("POST", "/twilio/message"): "ConfirmActionFunction",
    ("POST", "/twilio/call"): "ConfirmActionFunction",
}


def operations(**conditions):
    body = choose(resources("AWS::ApiGatewayV2::Api")["Api"]["Body"], conditions)
    return {
        (method.upper(), path): operation
        for path, methods in body["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_of_the_design_reaches_its_function():
    reached = {
        route: operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"].split("functions/")[1]
        for route, operation in operations().items()
    }
    assert reached == {
        route: f"${{{function}.Arn}}/invocations" for route, function in {**CALLERS, **PUBLIC, **WEBHOOKS}.items()
    }


@pytest.mark.parametrize(("tokens", "authorizer"), [(False, "AWS_IAM"), (True, "Token")])
def test_callers_are_authorised_and_nobody_else_is_asked(tokens, authorizer):
    for route, operation in operations(CallersBringTokens=tokens).items():
        assert operation["security"] == [{authorizer if route in CALLERS else "NONE": []}], route


def test_a_route_that_names_no_authorizer_asks_for_iam():
    body = resources("AWS::ApiGatewayV2::Api")["Api"]["Body"]
    named = [operation["security"] for path in body["paths"].values() for operation in path.values()]
    assert all(named)


def test_the_token_authorizer_exists_only_where_an_issuer_is_named():
    body = resources("AWS::ApiGatewayV2::Api")["Api"]["Body"]
    assert set(choose(body, {})["components"]["securitySchemes"]) == {"AWS_IAM"}
    schemes = choose(body, {"CallersBringTokens": True})["components"]["securitySchemes"]
    assert schemes["Token"]["x-amazon-apigateway-authorizer"] == {
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {
            "issuer": {"Ref": "JwtIssuer"},
            "audience": {"Fn::Split": [",", {"Ref": "JwtAudience"}]},
        },
    }
    assert schemes["AWS_IAM"]["x-amazon-apigateway-authtype"] == "awsSigv4"


def test_callers_public_routes_and_webhooks_are_throttled_apart():
    stage = resources("AWS::ApiGatewayV2::Stage")["ApiApiGatewayDefaultStage"]

    limit = {"Ref": "CallerRequestsPerSecond"}
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": limit, "ThrottlingBurstLimit": limit}
    assert set(stage["RouteSettings"]) == {" ".join(route) for route in (PUBLIC | WEBHOOKS)}


@pytest.mark.parametrize(("traffic", "public", "webhook"), [("normal", 50, 200), ("high", 500, 2000)])
def test_the_limits_of_routes_are_numbers_where_nothing_would_make_them_so(traffic, public, webhook):
    """RouteSettings is free JSON; what `Ref` gives of a parameter is a text, whatever the parameter's type."""
    assert isinstance(deployed({})["ApiApiGatewayDefaultStage"]["DefaultRouteSettings"]["ThrottlingRateLimit"], str)
    settings = deployed({"PublicTraffic": traffic})["ApiApiGatewayDefaultStage"]["RouteSettings"]
    for route, limit in settings.items():
        wanted = webhook if "/twilio/" in route else public
        assert limit == {"ThrottlingRateLimit": wanted, "ThrottlingBurstLimit": wanted}, route


def test_the_access_log_holds_no_path_and_no_query():
    log = resources("AWS::ApiGatewayV2::Stage")["ApiApiGatewayDefaultStage"]["AccessLogSettings"]
    assert "$context.routeKey" in log["Format"]
    for forbidden in ("$context.path", "queryString", "$request", "$context.httpMethod", "authorizer.claims"):
        assert forbidden not in log["Format"]


def test_the_access_logs_address_ends_in_its_name():
    """`sam logs` takes what stands behind the last colon for the group's name."""
    stack = deployed({})
    name = stack["ApiLogGroup"]["LogGroupName"]
    arn = stack["ApiApiGatewayDefaultStage"]["AccessLogSettings"]["DestinationArn"]
    assert arn == "arn:aws:logs:us-east-1:123456789012:log-group:ApiLogGroup"
    assert "*" not in name


def test_api_gateway_may_invoke_each_function_for_its_own_routes_only():
    permitted = set()
    for permission in resources("AWS::Lambda::Permission").values():
        if permission["Principal"] != "apigateway.amazonaws.com":
            continue
        arn, _ = permission["SourceArn"]["Fn::Sub"]
        method, path = arn.split("${__Stage__}/")[1].split("/", 1)
        permitted.add((method, f"/{path}", permission["FunctionName"]["Ref"]))
    wanted = {
        (method, "/".join("*" if part.startswith("{") else part for part in path.split("/")), function)
        for (method, path), function in {**CALLERS, **PUBLIC, **WEBHOOKS}.items()
    }
    assert permitted == wanted
