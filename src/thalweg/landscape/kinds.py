"""What a critical point of a linear network can be."""

from enum import StrEnum


class Kind(StrEnum):
    """The kinds of critical points: a deep linear network has no others.

    Local minima are global, and there are no local maxima (Chitour, Liao, Couillet,
    Proposition 3). A saddle is strict if its Hessian has a negative eigenvalue.
    """

    GLOBAL_MINIMUM = "global minimum"
    STRICT_SADDLE = "strict saddle"
    NON_STRICT_SADDLE = "non-strict saddle"
