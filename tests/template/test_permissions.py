"""Each function may do what it does and nothing else."""

import pytest

from tests.template.expanded import FUNCTIONS, choose, expanded, resources

TABLE = "VerificationsTable.Arn"
SECRET = "StackSecret"
BASE_URL = (
    "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/otp-feedback/${AWS::StackName}/base-url"
)
INDEX = "${VerificationsTable.Arn}/index/feedback-due"

SENDING = {
    ("dynamodb:DeleteItem", TABLE),
    ("dynamodb:GetItem", TABLE),
    ("dynamodb:PutItem", TABLE),
    ("dynamodb:UpdateItem", TABLE),
    ("ssm:GetParameter", BASE_URL),
}
ALLOWED = {
    "SendOtp": SENDING,
    "StartDirectly": SENDING,
    "ConfirmAction": {
        ("dynamodb:GetItem", TABLE),
        ("dynamodb:PutItem", TABLE),
        ("dynamodb:UpdateItem", TABLE),
        ("ssm:GetParameter", BASE_URL),
    },
    "TrackDelivery": {("dynamodb:UpdateItem", TABLE), ("ssm:GetParameter", BASE_URL)},
    "RetryFeedback": {("dynamodb:GetItem", TABLE), ("dynamodb:UpdateItem", TABLE), ("dynamodb:Query", INDEX)},
}


def own_basics(function):
    return {
        ("logs:CreateLogStream", f"{function}LogGroup.Arn"),
        ("logs:PutLogEvents", f"{function}LogGroup.Arn"),
        ("secretsmanager:GetSecretValue", SECRET),
    }


def allowed(role, **conditions):
    """Pairs of action and resource that a role's policies allow."""
    pairs = set()
    for policy in role["Policies"]:
        for statement in choose(policy["PolicyDocument"]["Statement"], conditions):
            assert set(statement) == {"Effect", "Action", "Resource"}
            assert statement["Effect"] == "Allow"
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            resource = statement["Resource"]
            name = resource.get("Ref") or resource.get("Fn::Sub") or ".".join(resource["Fn::GetAtt"])
            pairs |= {(action, name) for action in actions}
    return pairs


@pytest.mark.parametrize("function", sorted(ALLOWED))
def test_a_role_allows_exactly_what_its_function_does(function):
    role = resources("AWS::IAM::Role")[f"{function}Role"]
    assert allowed(role) == ALLOWED[function] | own_basics(function)
    key = {("kms:Decrypt", "KmsKeyArn")}
    assert allowed(role, HasKmsKey=True) == ALLOWED[function] | own_basics(function) | key


@pytest.mark.parametrize("function", sorted(ALLOWED))
def test_only_lambda_takes_a_role_and_nothing_is_attached(function):
    role = resources("AWS::IAM::Role")[f"{function}Role"]
    assert "ManagedPolicyArns" not in role
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]


def test_no_wildcard_and_no_scan_anywhere():
    roles = resources("AWS::IAM::Role")
    assert set(roles) == {f"{function}Role" for function in ALLOWED}
    for role in roles.values():
        for action, resource in allowed(role, HasKmsKey=True):
            assert "*" not in action + resource
            assert "Scan" not in action
    assert not any(
        r["Type"].startswith("AWS::IAM::") and r["Type"] != "AWS::IAM::Role" for r in expanded()["Resources"].values()
    )


def test_each_function_has_its_own_role():
    for function in FUNCTIONS:
        role = resources("AWS::Lambda::Function")[function]["Role"]
        assert role == {"Fn::GetAtt": [f"{function.removesuffix('Function')}Role", "Arn"]}
