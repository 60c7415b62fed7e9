"""What CloudFormation makes of the template: in which order, and what an update replaces."""

from tests.template.expanded import (
    FUNCTIONS,
    ROOT,
    cycle,
    deployed,
    environment,
    expand,
    expanded,
    references,
    resources,
    source,
)


def test_nothing_depends_on_itself():
    assert cycle(expanded()) == []


def test_the_search_for_cycles_finds_the_one_that_linters_pass():
    template = source()
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    variables["OTP_PUBLIC_BASE_URL"] = {"Fn::Sub": "https://${Api}.example"}
    assert {"Api", "SendOtpFunction"} & set(cycle(expand(template)))


def test_everything_that_is_named_exists():
    template = expanded()
    known = set(template["Resources"]) | set(template["Parameters"])
    named = {name for name in references([template["Resources"], template["Outputs"]]) if not name.startswith("AWS::")}
    assert named - known == set()


def test_the_function_to_invoke_directly_is_the_one_for_that():
    """A right to invoke one of the others is a caller's full right (docs/security.md)."""
    assert expanded()["Outputs"]["SendFunctionArn"]["Value"] == {"Fn::GetAtt": ["StartDirectlyFunction", "Arn"]}


def test_every_parameter_is_used():
    template = expanded()
    used = set(references([template["Resources"], template["Conditions"], template["Outputs"], template["Rules"]]))
    assert set(template["Parameters"]) - used == set()


def functions_that_layers_reach(template):
    found = {name for name, r in template["Resources"].items() if r["Type"] == "AWS::Lambda::Function"}
    layers = {name: [each["Ref"] for each in template["Resources"][name]["Properties"]["Layers"]] for name in found}
    assert set(layers) == set(FUNCTIONS)
    return layers


def test_a_change_of_a_layer_alone_reaches_every_function():
    before = functions_that_layers_reach(expanded())
    for position, layer in enumerate(("DependenciesLayer", "OtpFeedbackLayer")):
        after = functions_that_layers_reach(expand(source(), {layer: "another-key"}))
        assert all(after[name][position] != layers[position] for name, layers in before.items())


def test_the_same_packages_change_nothing():
    assert expand(source()) == expanded()


def test_names_leave_room_for_another_stack():
    fixed = {
        "TableName",
        "FunctionName",
        "LayerName",
        "LogGroupName",
        "RoleName",
        "AlarmName",
        "TopicName",
        "DashboardName",
    }
    for kind in {resource["Type"] for resource in expanded()["Resources"].values()}:
        for name, properties in resources(kind).items():
            named = {each for each in fixed & set(properties) if "${AWS::StackName}" not in str(properties[each])}
            assert kind in {"AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig"} or not named, name
    assert not any("FunctionName" in function for function in resources("AWS::Lambda::Function").values())
    layers = deployed({}).values()
    assert {each["LayerName"] for each in layers if each["Type"] == "AWS::Lambda::LayerVersion"} == {
        "otp-feedback-libraries",
        "otp-feedback-package",
    }
    assert max(map(len, ("-libraries", "-package"))) <= 140 - 128, "a layer's name has 140 characters, a stack's 128"
    assert "${AWS::StackName}" in resources("AWS::SSM::Parameter")["BaseUrlParameter"]["Name"]["Fn::Sub"]
    assert "${AWS::StackName}" in environment("SendOtpFunction")["POWERTOOLS_METRICS_NAMESPACE"]["Fn::Sub"]


def test_the_template_is_ascii():
    """CloudFormation gives other characters back as question marks, which CDK and Terraform take for a difference."""
    assert (ROOT / "template.yaml").read_bytes().isascii()
