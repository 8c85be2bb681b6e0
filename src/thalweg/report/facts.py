"""The facts about a problem and a run that tables and pages show."""

from typing import Any

import numpy as np

from thalweg._core.errors import DomainError

Facts = list[tuple[str, str]]


def problem_facts(problem: Any) -> Facts:
    """Return what a problem is: names with texts.

    Args:
        problem: A `Problem` or a `Playground`.

    Returns:
        Rows of a table.
    """
    net = problem.net
    facts = [
        ("widths", " - ".join(map(str, net.widths))),
        ("weights", f"{net.parameters:,} in {net.depth} layers"),
    ]
    if not hasattr(problem, "data"):
        return [*facts, ("loss", "half of (product of the weights - 1) squared")]
    data, values = problem.data, np.asarray(problem.target_singular_values)
    facts += [("data", line) for line in data.preparation.lines()[:1]]
    facts += [("", line) for line in data.preparation.lines()[1:]]
    if data.samples is not None:
        facts.append(("samples", f"{data.samples:,}"))
    facts.append(("target's singular values", _listed(values)))
    facts.append(("constant part of the loss", f"{float(data.constant):.9g}"))
    if float(problem.infimum) > 0:
        facts.append(("lost to the bottleneck", f"{float(problem.infimum):.9g}"))
    facts.append(("least loss", f"{float(problem.floor):.9g}"))
    return facts


def outcome_facts(path: Any) -> Facts:
    """Return how a path was run and how it ended.

    Args:
        path: A recorded path.

    Returns:
        Rows of a table.
    """
    settings = path.settings
    facts: Facts = []
    if path.is_flow:
        facts.append(("solver", f"{settings['solver']}, rtol {settings['rtol']:g}"))
    elif path.batched:
        facts.append(("runs", f"{path.runs}"))
    else:
        facts.append(("step size", f"{path.step_size:.9g}"))
        if settings["kind"] == "training":
            facts.append(("optimizer", settings["optimizer"]))
        if settings.get("momentum"):
            facts.append(("momentum", f"{settings['momentum']:g}"))
        if "leaps" in path.notes:
            facts += _leap_facts(path)
    if "compressed" in path.notes:
        widths = " - ".join(map(str, path.notes["compressed"]["widths"]))
        facts.append(("moved as", f"{widths}, exactly the same trajectory"))
    for note in ("init", "seed"):
        if note in path.notes:
            facts.append((note, str(path.notes[note])))
    facts.append(("records", f"{path.clock.size:,}"))
    if path.batched:
        facts += [(status, f"{n} runs") for status, n in path.outcome.counts().items()]
        return facts
    facts.append(("outcome", str(path.outcome)))
    facts.append(("loss at the end", f"{path.outcome.loss:.9g}"))
    facts.append(("excess loss at the end", f"{path.outcome.excess_loss:.6g}"))
    facts.append(("observed rate", observed_rate_text(path)))
    if "invariant_drift" in path.notes:
        drift = path.notes["invariant_drift"]
        facts.append(("drift of the invariants", f"{drift:.2g}"))
    return facts


def _leap_facts(path: Any) -> Facts:
    """Return what was leapt over, and how far the result is to be trusted."""
    told = path.notes["leaps"]
    steps = f"{told['leaps']:,}, and {told['true_steps']:,} true steps"
    error = "not known" if np.isnan(path.error) else f"at most about {path.error:.2g}"
    within = "" if told["agreed"] else "; float64 did not allow what was asked"
    facts = [("leaps", steps), ("error of a weight", error + within)]
    if path.outcome.converged:
        word = "agree" if told["counted"] else "do not agree"
        facts.append(("count of iterations", f"two runs {word} on it"))
    return facts


def observed_rate_text(path: Any) -> str:
    """Return the observed rate in words, or why there is none."""
    try:
        return str(path.rate())
    except DomainError as error:
        return str(error)


def _listed(values: np.ndarray, most: int = 12) -> str:
    shown = ", ".join(f"{value:.6g}" for value in values[:most])
    return shown + (f", ... ({values.size} in all)" if values.size > most else "")
