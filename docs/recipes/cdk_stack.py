"""From CDK, with a packaged template (see main.tf for how it is packaged): CloudFormation expands the SAM transform.

Deploy with `cdk deploy`, which acknowledges the capabilities that this needs by itself.
"""

from aws_cdk import App, CfnOutput, CfnStack, Stack


class OtpFeedback(Stack):
    """OTP Feedback as a nested stack of your application."""

    def __init__(self, scope: App, name: str, *, template_url: str, sender: str) -> None:
        super().__init__(scope, name)
        nested = CfnStack(
            self,
            "OtpFeedback",
            template_url=template_url,
            parameters={"AppName": "Shop", "Sender": sender, "Countries": "DE,AT,CH"},
        )
        CfnOutput(self, "ApiUrl", value=nested.get_att("Outputs.ApiUrl").to_string())
