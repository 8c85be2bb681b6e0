"""A second opinion on a certificate file, sharing no code with what wrote it.

It needs Python's standard library and python-flint and nothing of Thalweg: it also
runs alone, as `python FOLDER FILE`. Every hypothesis is proved anew from the exact
values in the file, in balls of 384 bits; the file's own numbers are only compared
with what was proved. Words, such as the statement, are not checked. What is
undecided, unknown or unread is refused.
"""

from ._verifying import Verified, verify

__all__ = ["Verified", "verify"]
