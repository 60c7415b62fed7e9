"""What a command ends with when it cannot do its work."""


class OperationError(Exception):
    """A command cannot go on; the message says why and what to do, without any secret or full number."""
