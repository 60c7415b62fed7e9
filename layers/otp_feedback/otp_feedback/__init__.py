"""Sends one-time passwords through Twilio, knows which message each user acted on, and tells Twilio so."""
