"""AWS: DynamoDB, Secrets Manager and SSM."""
