"""The saddles a path waited at: every plateau with the critical point it is near."""

from dataclasses import dataclass
from typing import Any

from thalweg._core.errors import DomainError
from thalweg.landscape.kinds import Kind
from thalweg.landscape.nearest import Nearest, nearest_critical_point
from thalweg.motion.descend import descend
from thalweg.motion.flow import flow
from thalweg.motion.leap import leap
from thalweg.motion.path import Path
from thalweg.motion.rates import plateaus


@dataclass(frozen=True)
class MarkedPlateau:
    """A plateau of a path and the critical point the path is near in its middle.

    Attributes:
        start: Clock where it begins: an iteration, or a flow time.
        end: Clock where it ends.
        middle: Clock where the path was looked at.
        excess_loss: Geometric mean of the excess loss on the plateau.
        near: The critical point and its distance from the path at `middle`.
    """

    start: float
    end: float
    middle: float
    excess_loss: float
    near: Nearest

    @property
    def modes(self) -> tuple[int, ...]:
        """Return the modes learnt there."""
        return self.near.point.modes

    @property
    def value(self) -> float:
        """Return the critical value: loss above the data's constant part."""
        return self.near.point.value

    @property
    def kind(self) -> Kind:
        """Return the kind of the critical point."""
        return self.near.point.kind

    @property
    def distance(self) -> float:
        """Return how far the path was from it."""
        return self.near.distance

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "start": self.start,
            "end": self.end,
            "middle": self.middle,
            "excess_loss": self.excess_loss,
            "modes": list(self.modes),
            "value": self.value,
            "kind": str(self.kind),
            "distance": self.distance,
            "near": self.near.to_json(),
        }


def mark_plateaus(path: Any, **options: Any) -> tuple[MarkedPlateau, ...]:
    """Name the saddle at every plateau of a path.

    A path keeps no weights but its first and last, so it is run again, up to the
    middle of every plateau.

    Args:
        path: A single descent, flow, or path of leaps on a linear net.
        **options: `slope` and `stretch`, as `plateaus` takes them.

    Returns:
        The plateaus in order. One at the end is usually that of the minimum.

    Raises:
        DomainError: If the path is a batch or a training, or its problem is of another
            kind.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.moments import Moments
        >>> from thalweg.problem.nets import LinearNet
        >>> from thalweg.problem.problem import Problem
        >>> target = Moments.whitened(jnp.diag(jnp.array([4.0, 1.0])))
        >>> problem = Problem(LinearNet((2, 2, 2)), target)
        >>> start = [1e-4 * jnp.eye(2)] * 2
        >>> path = descend(problem, start, step_size=0.01, iterations=2000)
        >>> [plateau.modes for plateau in mark_plateaus(path)]
        [(), (1,)]

    Source:
        Derived: `plateaus` and `nearest_critical_point`.
    """
    if not isinstance(path, Path):
        raise DomainError(
            f"path is a {type(path).__name__}; it must be what descend, flow or leap "
            "returns."
        )
    if path.batched:
        raise DomainError("mark_plateaus needs a single path; choose path.run(i).")
    if path.settings["kind"] == "training":
        raise DomainError(
            "mark_plateaus runs plain descents again; it cannot repeat a training."
        )
    found = []
    for plateau in plateaus(path, **options):
        middle = (plateau.start + plateau.end) / 2
        if not path.is_flow:
            middle = float(round(middle))
        near = nearest_critical_point(path.problem, weights_at(path, middle))
        found.append(
            MarkedPlateau(plateau.start, plateau.end, middle, plateau.excess_loss, near)
        )
    return tuple(found)


def weights_at(path: Path, clock: float) -> Any:
    """Return the weights of a path at some time, by running it again.

    Args:
        path: A single path, not a training.
        clock: The iteration or flow time, at most the path's last.

    Returns:
        The weights.
    """
    kept, settings = path.settings, {"compress": path.settings["compress"]}
    if clock <= 0:
        return path.start
    if path.is_flow:
        settings |= {name: kept[name] for name in ("solver", "rtol", "atol")}
        return flow(
            path.problem, path.start, times=[0.0, float(clock)], **settings
        ).weights
    settings |= {
        "step_size": path.step_size,
        "iterations": int(clock),
        "momentum": kept["momentum"],
        "records": 2,
    }
    if kept["kind"] == "leap":
        settings["tolerance"] = kept["tolerance"]
        return leap(path.problem, path.start, **settings).weights
    return descend(path.problem, path.start, **settings).weights
