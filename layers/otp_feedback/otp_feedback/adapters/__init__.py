"""The outside: DynamoDB, Twilio, Secrets Manager, API Gateway and the environment."""
