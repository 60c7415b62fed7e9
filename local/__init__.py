"""The laptop stack: the real handlers behind an HTTP API, a Twilio emulator and the AWS services, all on loopback."""
