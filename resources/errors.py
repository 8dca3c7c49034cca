"""The errors that people see. A message says what failed, on what, and what to do next."""


class SonikError(Exception):
    """Anything the operator can act on: the CLI prints its message as one line and exits 1."""


class TerminalError(SonikError):
    """Trying again will not help: the input or the settings must change."""


class TransientError(SonikError):
    """Trying again later may help: a server is down, busy or slow."""
