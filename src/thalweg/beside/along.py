"""Certificates along a recorded descent, of the exact descent it stands for."""

from typing import Any

from thalweg.motion.shadow import shadow
from thalweg.theorems import _path
from thalweg.theorems._path import PathCertificate


def certify_path(
    path: Any,
    *,
    accuracy: float = 1e-6,
    rounding: bool = True,
    every: int | None = None,
) -> PathCertificate:
    """Promise a recorded descent its end, as early and as well as can be proved.

    `margin.Margin` is tried at the start, `local.PathIntegrated` and `local.Local`
    along the way, at iterates of the exact descent that `shadow` follows.

    Args:
        path: A single run of plain descent, or of leaps.
        accuracy: Excess loss, `> 0`.
        rounding: Whether to prove it of exact descent from the exact start; if not,
            the promise at an iterate is about exact descent from those floats.
        every: Try the theorems at every so many iterations, `>= 1`; by default where
            they first hold and at some iterates after that.

    Returns:
        The promises beside what was observed.

    Raises:
        DomainError: If the path is of another kind, or a number out of its domain.

    Example:
        >>> from thalweg.motion.descend import descend
        >>> from thalweg.problem.scalar import Playground
        >>> path = descend(Playground(2), [0.9, 0.9], step_size=0.1, iterations=100)
        >>> certify_path(path, accuracy=1e-6).best.theorem
        'margin.Margin'
    """
    return _path.certify_path(
        path, shadow, accuracy=accuracy, rounding=rounding, every=every
    )
