"""What this checker can prove, by the name of the theorem."""

from ._arora import ARORA
from ._failures import FAILURES
from ._flows import FLOWS
from ._lecture import LECTURE
from ._lemmas import LEMMAS
from ._margin import critical_point, margin
from ._sliding import margin_flow
from ._symmetric import SYMMETRIC
from ._tight import local, local_flow, path_integrated
from ._two_layers import TWO_LAYERS

THEOREMS = {
    **LECTURE,
    **LEMMAS,
    **ARORA,
    **SYMMETRIC,
    **FLOWS,
    **TWO_LAYERS,
    **FAILURES,
    "local.Local": local,
    "local.LocalFlow": local_flow,
    "local.PathIntegrated": path_integrated,
    "margin.Margin": margin,
    "margin.MarginFlow": margin_flow,
    "critical.CriticalPoint": critical_point,
}
