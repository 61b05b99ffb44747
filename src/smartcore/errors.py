"""The errors smartcore raises. There are few, each names the field or the name that was wrong and its value.

All derive from :class:`SmartcoreError`, so ``except smartcore.SmartcoreError`` catches every refusal and nothing else.
"""

from __future__ import annotations


class SmartcoreError(Exception):
    """Base of every error of this package."""


class InvalidEvent(SmartcoreError, ValueError):
    """An event that cannot be true: a price that is not above 0, a negative size, high below low, an unknown side."""


class OutOfOrder(SmartcoreError, ValueError):
    """An event older than the one before it. Engines refuse it, or drop and count it (``out_of_order="drop"``)."""


class UnknownFeature(SmartcoreError, LookupError):
    """A column, kernel or parameter that the catalogue does not have; the text names the nearest ones."""


class InvalidFeature(SmartcoreError, ValueError):
    """A feature of a user's own that cannot be taken: its name is, its signature is none, its code does not compile."""


class NotDeclared(UnknownFeature):
    """A snapshot with features of a user's own that this process has not declared; the text names them."""


class ContractMismatch(SmartcoreError, ValueError):
    """A model whose contract (columns, fingerprint, version) does not fit the engine it is used with."""


class CorruptSnapshot(SmartcoreError, ValueError):
    """Bytes that are not a whole snapshot of this version: wrong magic, checksum, version or feature set."""


class InvalidData(SmartcoreError, ValueError):
    """A file or frame whose columns or values are not those of the format it was read as; numbers that cannot be what
    they were fitted for."""
