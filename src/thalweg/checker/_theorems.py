"""What this checker can prove, by the name of the theorem."""

from ._arora import ARORA
from ._flows import FLOWS
from ._lecture import LECTURE
from ._margin import critical_point, margin
from ._symmetric import SYMMETRIC
from ._tight import local, path_integrated

THEOREMS = {
    **LECTURE,
    **ARORA,
    **SYMMETRIC,
    **FLOWS,
    "local.Local": local,
    "local.PathIntegrated": path_integrated,
    "margin.Margin": margin,
    "critical.CriticalPoint": critical_point,
}
