# From Terraform, with a packaged template:
#   make package
#   aws s3 cp .aws-sam/packaged.yaml s3://<bucket>/otp-feedback.yaml
# Its URL is then https://<bucket>.s3.<region>.amazonaws.com/otp-feedback.yaml.

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
