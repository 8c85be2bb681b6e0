"""The version of the package, for cards and certificates."""

VERSION = "0.1.0"
