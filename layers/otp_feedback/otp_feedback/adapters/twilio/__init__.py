"""Twilio: its REST API and its signatures."""
