"""What a critical point of a linear network can be."""

from enum import StrEnum


class Kind(StrEnum):
    """The kinds of critical points: a deep linear network has no others.

    Local minima are global, and no point is a maximum: adding to the first layer what
    changes the prediction raises the loss of any critical point.
    """

    GLOBAL_MINIMUM = "global minimum"
    STRICT_SADDLE = "strict saddle"
    NON_STRICT_SADDLE = "non-strict saddle"
