"""Errors in bytes from a server."""


class Malformed(Exception):
    """Bytes that the protocol does not allow: the session cannot go on."""


class MissingBaseline(Exception):
    """A snapshot is coded against a state that this client does not have."""


class Misbehaved(Exception):
    """The server broke a rule about the order or the contents of its messages."""
