"""From settings to a problem, a start, a step and certificates."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from thalweg._core.errors import ConfigError, DomainError
from thalweg.request.settings import Data, Init, Settings


@dataclass(frozen=True)
class Posed:
    """A problem and a start.

    Attributes:
        problem: A `Problem` or a `Playground`.
        weights: The start.
        init: How it was drawn, in words.
        sources: What to cite for data and start.
    """

    problem: Any
    weights: Any
    init: str
    sources: tuple[Any, ...]


def pose(settings: Settings) -> Posed:
    """Return the problem and the start that settings describe.

    Args:
        settings: Checked settings.

    Returns:
        Both, with what to cite for them.
    """
    problem, sources = problem_of(settings)
    if settings.init is None:
        told = f"given: {', '.join(f'{x:g}' for x in settings.start or ())}"
        return Posed(problem, problem.check(settings.start), told, sources)
    init = _init(settings.init, problem)
    weights = _drawn(init, settings.seed, problem)
    told = str(settings.init)
    if "std" in getattr(init, "__dataclass_fields__", {}):
        told = str(settings.init.model_copy(update={"std": init.std}))
    return Posed(problem, weights, told, (*sources, init.source))


def problem_of(settings: Settings) -> tuple[Any, tuple[Any, ...]]:
    """Return the problem that settings describe, and what to cite for its data."""
    from thalweg.problem.scalar import Playground

    if settings.playground is not None:
        return Playground(settings.playground), ()
    return _linear(settings)


def notes(settings: Settings, posed: Posed, command: str) -> dict[str, Any]:
    """Return what is noted on a path, as plain values.

    Args:
        settings: What was asked for.
        posed: The problem and the start.
        command: The command line.

    Returns:
        The seed, the names of data and start, the settings, the sources.
    """
    return {
        "seed": settings.seed,
        "command": command,
        "data": settings.label,
        "init": posed.init,
        "settings": settings.to_plain(),
        "sources": [asdict(source) for source in posed.sources],
    }


def step_of(settings: Settings, posed: Posed) -> float | None:
    """Return the step size; `None` for a flow.

    Args:
        settings: What was asked for.
        posed: The problem and the start.

    Returns:
        The number given, or the one that `auto` or `certified` stands for.
    """
    if settings.step_size == "auto":
        return auto_step(posed)
    if settings.step_size == "certified":
        return certified_step(settings, posed)
    return settings.step_size  # type: ignore[return-value]


def step_of_starts(settings: Settings) -> float:
    """Return the one step size of many starts.

    Args:
        settings: What was asked for.

    Returns:
        The number.

    Raises:
        ConfigError: If it is a word that stands for a step of a single start.
    """
    if isinstance(settings.step_size, str):
        raise ConfigError(
            f"step_size is '{settings.step_size}', which is of a single start; give a "
            "number, or leave it out: then every start takes a step of its own."
        )
    return float(settings.step_size or 0.0)


def init_of(settings: Settings, problem: Any) -> Any:
    """Return the init that settings describe.

    Args:
        settings: What was asked for.
        problem: What is minimised.

    Returns:
        The init; a playground without one takes standard normal starts.
    """
    if settings.init is None:
        from thalweg.inits import shelf

        return shelf.make("gaussian", std=1.0)
    return _init(settings.init, problem)


def auto_step(posed: Posed) -> float:
    r"""Return a step that is stable at the start and near a balanced minimum.

    A quarter of the limit of linear stability at a balanced minimum, which is
    $2/(N \sigma_1^{2-2/N} \lambda_{\max}(\Sigma_{xx}))$, and at most the reciprocal
    of the sharpness at the start.

    Args:
        posed: The problem and the start.

    Returns:
        The step.
    """
    import numpy as np

    problem, depth = posed.problem, posed.problem.net.depth
    largest = float(np.max(problem.target_singular_values, initial=0.0))
    data = getattr(problem, "data", None)
    energy = 1.0 if data is None else float(np.linalg.norm(data.inputs_factor, 2)) ** 2
    limits = [2 * depth * largest ** (2 - 2 / depth) * energy]
    limits.append(float(_sharpness()(problem, posed.weights)[0]))
    usable = [limit for limit in limits if 0 < limit < float("inf")]
    return 1 / max(usable or [max(energy, 1.0)])


@cache
def _sharpness() -> Any:
    """Return the compiled reading of the sharpness: one for all, compiled a shape."""
    import jax

    from thalweg.doors import measure

    return jax.jit(measure("sharpness").read)


def certified_step(settings: Settings, posed: Posed) -> float:
    """Return the largest step at which a theorem about descent is proved.

    Of the first sources' theorems, and of those beyond them where none of these holds.

    Args:
        settings: What was asked for.
        posed: The problem and the start.

    Returns:
        The step.

    Raises:
        DomainError: If no theorem is proved at any step.
    """
    from thalweg.theorems import shelf as theorems
    from thalweg.theorems._steps import safe_step

    shelf: Any = theorems
    accuracy = settings.accuracy or 1e-6
    found = safe_step(posed.problem, posed.weights, accuracy=accuracy)
    steps = [
        (shelf.entry(one.theorem).source.beyond, -one.step_size)
        for one in found.allowed
        if one.promised is not None
    ]
    if not steps:
        every = settings.model_copy(update={"theorems": "all"})
        nearest = [
            f"{one.theorem} fails at '{one.failing[0].name}'"
            for one in certificates(every, posed.problem, posed.weights, step_size=None)
            if one.clock == "iteration" and one.kind == "convergence"
            if one.applies and one.failing
        ]
        raise DomainError(
            "step_size is 'certified', but no theorem about descent holds here at any "
            f"step ({'; '.join(nearest) or 'none is about such a problem'}); give a "
            "number, or 'auto'."
        )
    return -min(steps)[1]


def certificates(
    settings: Settings | None,
    problem: Any,
    weights: Any,
    *,
    step_size: float | None,
    path: Any = None,
) -> list[Any]:
    """Return the certificates that settings ask for.

    Args:
        settings: What was asked for; `None` asks for all theorems.
        problem: The problem.
        weights: The start.
        step_size: The step; `None` lets each theorem take its own.
        path: A recorded path to set beside the promises.

    Returns:
        Certificates, the most telling first.
    """
    from thalweg.theorems._certify import certify, certify_all

    accuracy = (settings.accuracy if settings else 0) or 1e-6
    drawn = {} if settings is None else _randomness(settings)
    common: dict[str, Any] = {
        "step_size": step_size,
        "accuracy": accuracy,
        "path": path,
    }
    if settings is None or settings.theorems == "all":
        return list(certify_all(problem, weights, **drawn, **common))
    return [
        certify(name, problem, weights, **common, **_fields(name, drawn))
        for name in settings.theorems
    ]


def _fields(theorem: str, drawn: dict[str, Any]) -> dict[str, Any]:
    return {"std": drawn["std"]} if _asks_for(theorem) else {}


def unfitting_theorems(settings: Settings) -> list[tuple[str, str]]:
    """Return the theorems asked for that are about another kind of start, and which."""
    names = () if settings.theorems == "all" else settings.theorems
    wanted = [(name, _asks_for(name)) for name in names]
    drawn = _randomness(settings).get("drawn_by", "")
    return [(name, init) for name, init in wanted if init not in ("", drawn)]


def _asks_for(theorem: str) -> str:
    """Return the init a theorem's std is that of; empty for most."""
    from thalweg.theorems import shelf

    kind: Any = shelf.entry(theorem)
    return str(kind.drawn_by)


def _randomness(settings: Settings) -> dict[str, Any]:
    """Return how a random start is drawn: its init and its standard deviation."""
    from thalweg.inits import shelf

    init = settings.init
    if init is None or "std" not in shelf.fields(init.name):
        return {}
    if init.fields.get("end_to_end") is not None:
        return {}
    std = float(getattr(shelf.make(init.name, **init.fields), "std", 0.0))
    return {"drawn_by": init.name, "std": std} if std > 0 else {}


def _linear(settings: Settings) -> tuple[Any, tuple[Any, ...]]:
    from thalweg.problem.nets import LinearNet
    from thalweg.problem.problem import Problem

    if settings.data is None:
        raise ConfigError("data: is missing.")
    moments, sources = _moments(settings.data)
    hidden: Sequence[int] = settings.hidden or ()
    net = LinearNet((moments.inputs_width, *hidden, moments.outputs_width))
    return Problem(net, moments), sources


def _moments(data: Data) -> tuple[Any, tuple[Any, ...]]:
    from thalweg.problem.moments import Moments

    if data.target is not None:
        scale = data.scale or "mean"
        return Moments.whitened([list(row) for row in data.target], scale=scale), ()
    if data.moments is not None:
        return Moments.load(data.moments), ()
    if data.file is not None:
        return (
            Moments.from_file(
                data.file, data.targets, features=data.features, **data.preparation
            ),
            (),
        )
    from thalweg.problem.datasets import shelf
    from thalweg.problem.datasets._load import load

    name = data.name or ""
    moments = load(name, data_dir=data.data_dir, **data.preparation, **data.fields)
    return moments, tuple(shelf.make(name, **data.fields).citations())


def _init(asked: Init, problem: Any) -> Any:
    from thalweg.inits import shelf

    fields = asked.fields
    if "target" in shelf.fields(asked.name) and "target" not in fields:
        fields["target"] = problem.target
    return shelf.make(asked.name, **fields)


def _drawn(init: Any, seed: int, problem: Any) -> Any:
    import jax

    import thalweg._core.arrays  # noqa: F401

    return problem.check(init.draw(jax.random.key(seed), problem.net))
