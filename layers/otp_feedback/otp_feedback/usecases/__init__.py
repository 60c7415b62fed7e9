"""What the service does, step by step, over ports that are passed in."""
