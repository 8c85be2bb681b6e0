"""The source of what is proved here first: the documentation of Thalweg."""

from thalweg._core.source import Source

OURS = Source(
    "thalweg",
    "The Thalweg authors",
    "Tight certificates for descent on linear networks",
    "Thalweg documentation",
    2026,
    beyond=True,
)
"""Its theorems carry their proofs in their docstrings."""

DERIVED = "derived here, proof in the documentation"
"""The status of such a theorem."""
