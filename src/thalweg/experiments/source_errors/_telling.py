"""How these figures speak: a statement as printed, and as corrected."""

import numpy as np

from thalweg.experiments._base import Finding


def as_printed(
    claim: str,
    stated: float | str,
    ours: float | str,
    holds: bool | np.bool_,
    note: str,
) -> Finding:
    """Return whether a statement holds as it stands in its source.

    Args:
        claim: The statement.
        stated: Its number, or its wording.
        ours: What is measured.
        holds: Whether the two agree.
        note: The correct statement.

    Returns:
        The finding.
    """
    return Finding(f"As printed: {claim}", stated, ours, bool(holds), note)


def as_read(
    claim: str,
    stated: float | str,
    ours: float | str,
    holds: bool | np.bool_,
    note: str,
) -> Finding:
    """Return whether a reading close at hand, not itself printed, holds.

    Args:
        claim: The reading.
        stated: Its number, or its wording.
        ours: What is measured.
        holds: Whether the two agree.
        note: The correct statement.

    Returns:
        The finding.
    """
    return Finding(f"As read: {claim}", stated, ours, bool(holds), note)


def corrected(
    claim: str,
    ours: float | str,
    holds: bool | np.bool_,
    note: str,
    stated: float | None = None,
) -> Finding:
    """Return whether the corrected statement holds.

    Args:
        claim: The corrected statement.
        ours: What is measured.
        holds: Whether the two agree.
        note: By what measure.
        stated: The corrected statement's number, where it has one.

    Returns:
        The finding.
    """
    return Finding(f"Corrected: {claim}", stated, ours, bool(holds), note)
