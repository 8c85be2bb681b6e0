"""How the basins depend on the starts' size, the depth and the width."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from thalweg._core.errors import DomainError, whole
from thalweg.landscape.basins import basins
from thalweg.landscape.tally import Basins
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem


@dataclass(frozen=True)
class TableRow:
    """The basins of one setting.

    Attributes:
        std: Standard deviation of the starts.
        depth: Number of layers.
        width: Of the hidden spaces; `None` where the problem's own was kept, or there
            is none.
        found: Where the runs ended.
    """

    std: float | None
    depth: int
    width: int | None
    found: Basins

    def to_json(self) -> dict[str, Any]:
        """Return the setting, the shares and the times as plain values."""
        told = self.found.to_json()
        return {
            "std": self.std,
            "depth": self.depth,
            "width": self.width,
            "shares": told["shares"],
            "table": told["table"],
            "iterations": told["iterations"],
        }


def basin_table(
    problem: Problem | Callable[[int, int], Any],
    init: Any = "gaussian",
    *,
    stds: Sequence[float | None] = (None,),
    depths: Sequence[int] | None = None,
    widths: Sequence[int] | None = None,
    **options: Any,
) -> list[TableRow]:
    """Measure basins for every combination of start size, depth and hidden width.

    Args:
        problem: A `Problem`, whose data are kept and whose hidden spaces are replaced;
            or a function from depth and width to a problem.
        init: A name on the shelf of inits.
        stds: Standard deviations of the starts; `None` for the init's own.
        depths: Numbers of layers; the problem's own if `None`.
        widths: Widths of all hidden spaces; the problem's own if `None`, for which
            its depth must be kept.
        **options: Further arguments of `basins`.

    Returns:
        One row for every combination, the last varying fastest.

    Raises:
        DomainError: If a function came without depths and widths, or depths of a
            problem without widths.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.moments import Moments
        >>> target = Moments.whitened(jnp.diag(jnp.array([2.0, 1.0])))
        >>> rows = basin_table(
        ...     Problem(LinearNet((2, 2, 2)), target), stds=[0.5], depths=[2, 3],
        ...     widths=[2], runs=300)
        >>> [(row.depth, row.found.share("saddle").successes) for row in rows]
        [(2, 0), (3, 0)]

    Source:
        Chitour, Liao, Couillet, the conjecture on almost all starts.
    """
    if not isinstance(problem, Problem) and (depths is None or widths is None):
        raise DomainError("a function needs depths and widths; pass both.")
    if isinstance(problem, Problem) and widths is None and depths is not None:
        raise DomainError("depths came without widths; pass the hidden width too.")
    rows = []
    own = problem.net.depth if isinstance(problem, Problem) else 1
    for std, depth, width in product(stds, depths or (own,), widths or (None,)):
        layers = whole("depth", depth, least=1)
        posed = _posed(problem, layers, width)
        rows.append(
            TableRow(std, layers, width, basins(posed, init, std=std, **options))
        )
    return rows


def _posed(problem: Any, depth: int, width: int | None) -> Any:
    if not isinstance(problem, Problem):
        return problem(depth, width)
    if width is None:
        return problem
    first, *_, last = problem.net.widths
    net = LinearNet((first, *(width,) * (depth - 1), last))
    return Problem(net, problem.data)
