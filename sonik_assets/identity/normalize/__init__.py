"""Normalisers: one raw text in, one comparable value out. Pure; each module is one kind of identifier.

A text that is no such identifier raises `Refused` with the reason. Cases: docs/identifiers.md.
"""


class Refused(ValueError):
    """The text is not an identifier of this kind; the message is a short, countable reason."""
