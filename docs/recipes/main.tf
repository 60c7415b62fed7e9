# From Terraform, with a packaged template:
#   make build && sam package --resolve-s3 --output-template-file packaged.yaml
#   aws s3 cp packaged.yaml s3://<bucket>/otp-feedback.yaml

variable "template_url" { type = string }
variable "sender" { type = string }

resource "aws_cloudformation_stack" "otp_feedback" {
  name         = "otp-feedback"
  template_url = var.template_url
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters = {
    AppName   = "Shop"
    Sender    = var.sender
    Countries = "DE,AT,CH"
  }
}

output "api_url" { value = aws_cloudformation_stack.otp_feedback.outputs["ApiUrl"] }
