"""API Gateway's HTTP API: events in, responses out."""
