r"""Which completion depth selects of a 2 by 2 matrix: Razin and Cohen, 2020.

Of a 2 by 2 matrix all entries are observed but the first. With ones beside it and a
zero below, the rank can fall to one only at infinity: gradient flow of two layers or
more, from a start of positive determinant, goes there, and every norm with it. With
$z \ne 0$ below, $1/z$ completes to rank one. Sizes of starts and times are ours.

The determinant, positive for ever, falls so fast for two layers that rounding turns its
sign; a net moved in float64 then leaves for a completion of negative determinant. From
symmetric balanced starts the flow has three coordinates (two singular values and an
angle); in the logarithms of the values no sign can be lost, and so the curves are made.
"""

from typing import Any, ClassVar

import numpy as np

from thalweg._core.source import Source
from thalweg.experiments._base import (
    AbstractExperiment,
    Finding,
    Table,
    Workplace,
)
from thalweg.experiments._completion import UNKNOWN, balanced_flow, completion
from thalweg.motion.descend import descend
from thalweg.motion.flow import flow
from thalweg.report.look import CURVES, INK, PROMISED

RAZIN2020 = Source(
    "razin2020",
    "N. Razin, N. Cohen",
    "Implicit regularization in deep learning may not be explainable by norms",
    "NeurIPS",
    2020,
    "arXiv:2005.06398",
    beyond=True,
)

ULPS = 4
"""Units of rounding by which a start may differ from the entries it was made of."""


class CompletionDepth(AbstractExperiment):
    """The unobserved entry along flow, and where it ends, for several depths."""

    source: ClassVar[Source] = RAZIN2020.at("Section 3, the 2 by 2 problem")
    title: ClassVar[str] = "Depth completes to low rank, even at infinite norm"
    claim: ClassVar[str] = (
        "Of all completions of a 2 by 2 matrix, flow of two layers or more tends to "
        "lowest rank; where that is reached at infinity only, the unobserved entry, "
        "and with it every norm, grows beyond bounds as the loss goes to zero."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 4, "paper": 30}
    size: ClassVar[tuple[float, float]] = (9.6, 3.6)

    def settings(self, scale: str) -> dict[str, Any]:
        """Return depths, starts and the entries below."""
        paper = scale == "paper"
        return {
            "depths": [1, 2, 3, 4] if paper else [1, 2],
            "start": [[1e-2, 2e-3], [2e-3, 5e-3]],
            "horizon": 1e5 if paper else 1e3,
            "records": 120 if paper else 40,
            "whole_nets": [2, 3] if paper else [],
            "below": np.geomspace(0.25, 4, 13).tolist() if paper else [0.5, 1.0, 2.0],
            "step_size": 5e-3,
            "iterations": 200_000,
            "accuracy": 1e-12,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return flows to infinity, and the ends of descents for other entries."""
        depths, ends = settings["depths"], []
        work.say("flows to infinity", 0.0)
        escapes = [_escape(depth, settings) for depth in depths]
        for place, depth in enumerate(depths):
            work.say(f"ends, depth {depth}", (1 + place) / (1 + len(depths)))
            ends += [_end(depth, below, settings) for below in settings["below"]]
        whole = [_whole_net(depth, settings) for depth in settings["whole_nets"]]
        return {
            "escapes": _joined(escapes),
            "ends": {key: np.array([one[key] for one in ends]) for key in ends[0]},
        } | ({"whole_nets": _joined(whole)} if whole else {})

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return growth and bound of the entry, and the ranks that were selected."""
        found = []
        for depth in settings["depths"]:
            found.append(
                _stays(settings, tables["ends"])
                if depth == 1
                else _grows(depth, tables["escapes"])
            )
            found.append(_selected(depth, tables["ends"]))
        found.append(_bounded(tables["escapes"]))
        return found + [_followed(depth, tables) for depth in settings["whole_nets"]]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the entry along flow, and its ends against the entry below."""
        left, right = figure.subplots(1, 2)
        table, whole = tables["escapes"], tables.get("whole_nets")
        for color, depth in zip(CURVES, settings["depths"], strict=False):
            rows = (table["depth"] == depth) & (table["time"] > 0)
            clock, entry = table["time"][rows], table["unobserved"][rows]
            name = f"{depth} layer" + "s" * (depth > 1)
            left.loglog(clock, entry, color=color, label=name)
            if depth > 1:
                bound = least_entry(table["loss"][rows])
                shown = bound > 0.1
                left.plot(clock[shown], bound[shown], color=color, linestyle=PROMISED)
            mine = tables["ends"]["depth"] == depth
            below, value = (
                tables["ends"][key][mine] for key in ("below", "unobserved")
            )
            size = 10 - 2 * depth
            right.plot(below, value, "o", color=color, markersize=size, label=name)
        if whole is not None:
            rows = (whole["depth"] == 2) & (whole["time"] > 0)
            left.plot(
                whole["time"][rows], whole["unobserved"][rows], color=INK, linestyle=":"
            )
        left.set_title("a zero below; bounds dashed, float64 dotted", loc="left")
        left.set_xlabel("flow time")
        left.set_ylabel("unobserved entry")
        left.legend()
        _draw_choices(right, settings["below"])


def _draw_choices(panel: Any, below: list[float]) -> None:
    """Draw what lowest rank and least nuclear norm would select."""
    z = np.geomspace(below[0], below[-1], 100)
    panel.plot(z, 1 / z, color=INK, linestyle=PROMISED, linewidth=0.9)
    panel.plot(z, np.minimum(z, 1 / z), color=INK, linestyle=":", linewidth=0.9)
    panel.set_xscale("log")
    marks = [one for one in (0.25, 0.5, 1, 2, 4) if z[0] <= one <= z[-1]]
    panel.set_xticks(marks, [f"{one:g}" for one in marks])
    panel.set_xticks([], minor=True)
    panel.set_title("end; rank one dashed, least nuclear norm dotted", loc="left")
    panel.set_xlabel("entry below")


def least_entry(loss: Any) -> Any:
    r"""Return what the unobserved entry must exceed while the determinant is positive.

    From $w_{11} w_{22} > w_{12} w_{21}$, $|w_{22}| \le \sqrt{2 \ell}$ and
    $|w_{12} - 1|, |w_{21} - 1| \le \sqrt{2 \ell}$.

    Args:
        loss: The loss $\ell$, below one half.

    Returns:
        $(1 - \sqrt{2 \ell})^2 / \sqrt{2 \ell}$.

    Example:
        >>> float(least_entry(0.005).round(12))
        8.1
    """
    gap = np.sqrt(2 * np.asarray(loss))
    return np.maximum(1 - gap, 0) ** 2 / gap


def start(depth: int, product: Any) -> list[np.ndarray]:
    """Return balanced layers of a product.

    Args:
        depth: Number of layers.
        product: A symmetric positive definite matrix.

    Returns:
        Its root of that order, so many times.

    Example:
        >>> [layer.tolist() for layer in start(2, np.diag([9.0, 4.0]))]
        [[[3.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [0.0, 2.0]]]
    """
    values, basis = np.linalg.eigh(np.asarray(product))
    return [(basis * values ** (1 / depth)) @ basis.T] * depth


def _escape(depth: int, settings: dict[str, Any]) -> Table:
    """Return the flow of the matrix with a zero below, in three coordinates."""
    times = _times(settings)
    product = np.array(settings["start"])
    if depth == 1:
        kept = np.exp(-times)
        first = np.full(len(times), product[0, 0])
        beside, below = 1 + kept * (product[0, 1] - 1), kept * product[1, 1]
        return _columns(depth, times, first, beside, below)
    return _columns(depth, times, *balanced_flow(product, depth, times))


def _whole_net(depth: int, settings: dict[str, Any]) -> Table:
    """Return the same flow, of all weights in float64."""
    path = flow(
        completion(np.array([[UNKNOWN, 1.0], [1.0, 0.0]]), depth),
        start(depth, settings["start"]),
        times=_times(settings),
        gradient_tolerance=0.0,
        solver="kvaerno5",
        measures=["loss", "end_to_end"],
        compress=False,
    )
    whole = np.asarray(path["end_to_end"])
    return {
        "depth": np.full(len(whole), depth),
        "time": np.asarray(path.clock),
        "unobserved": whole[:, 0, 0],
        "determinant": np.linalg.det(whole),
    }


def _times(settings: dict[str, Any]) -> np.ndarray:
    late = np.geomspace(1e-2, settings["horizon"], settings["records"])
    return np.concatenate(([0.0], late))


def _columns(depth: int, times: Any, first: Any, beside: Any, below: Any) -> Table:
    return {
        "depth": np.full(len(times), depth),
        "time": times,
        "unobserved": first,
        "loss": (beside - 1) ** 2 + below**2 / 2,
    }


def _joined(parts: list[Table]) -> Table:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _end(depth: int, below: float, settings: dict[str, Any]) -> dict[str, Any]:
    """Return where descent of the whole net ends, with another entry below."""
    path = descend(
        completion(np.array([[UNKNOWN, 1.0], [1.0, below]]), depth),
        start(depth, settings["start"]),
        step_size=settings["step_size"],
        iterations=settings["iterations"],
        accuracy=settings["accuracy"],
        measures=["loss", "end_to_end"],
        records=2,
        compress=False,
    )
    return {
        "depth": depth,
        "below": below,
        "unobserved": float(np.asarray(path["end_to_end"])[-1][0, 0]),
        "loss": float(np.asarray(path["loss"])[-1]),
    }


def _stays(settings: dict[str, Any], table: Table) -> Finding:
    """Return how far descents of a single layer move the unobserved entry."""
    begin = settings["start"][0][0]
    ends = table["unobserved"][table["depth"] == 1]
    gap = float(np.max(np.abs(ends / begin - 1)))
    return Finding(
        claim="One layer leaves the unobserved entry where it started.",
        stated=0.0,
        ours=gap,
        holds=gap <= ULPS * float(np.finfo(float).eps),
        note=f"Relative change of {begin:g}; making the start costs the rounding.",
    )


def _grows(depth: int, table: Table) -> Finding:
    rows = table["depth"] == depth
    last, loss = float(table["unobserved"][rows][-1]), float(table["loss"][rows][-1])
    return Finding(
        claim=f"{depth} layers: the unobserved entry grows beyond bounds.",
        stated=f"above {float(least_entry(loss)):.4g} at this loss",
        ours=last,
        holds=bool(last > least_entry(loss)),
        note=f"At loss {loss:.3g}, flow time {table['time'][rows][-1]:g}.",
    )


def _bounded(table: Table) -> Finding:
    rows = (table["depth"] > 1) & (table["loss"] < 0.5)
    ratio = float(np.min(table["unobserved"][rows] / least_entry(table["loss"][rows])))
    return Finding(
        claim="While the determinant is positive the entry exceeds a bound that goes "
        "to infinity as the loss goes to zero.",
        stated="at least 1 times the bound",
        ours=ratio,
        holds=ratio > 1,
        note="The smallest ratio along all flows of two layers and more.",
    )


def _followed(depth: int, tables: dict[str, Table]) -> Finding:
    """Return how long a net moved in float64 keeps to the flow."""
    table, truth = tables["whole_nets"], tables["escapes"]
    mine, theirs = truth["depth"] == depth, table["depth"] == depth
    exact, moved = truth["unobserved"][mine], table["unobserved"][theirs]
    lost = table["determinant"][theirs] <= 0
    until = int(np.argmax(lost)) if lost.any() else len(moved)
    gap = float(np.max(np.abs(moved[:until] / exact[:until] - 1)))
    note = "Largest relative difference of the entry"
    if lost.any():
        note += (
            f" while the determinant is positive; at flow time "
            f"{table['time'][theirs][until]:.3g} rounding has turned its sign, and the "
            f"entry ends at {moved[-1]:.4g} instead of {exact[-1]:.4g}"
        )
    return Finding(
        claim=f"{depth} layers: the whole net, moved in float64, follows the flow.",
        stated=0.0,
        ours=gap,
        holds=gap <= 1e-6 and not lost.any(),
        note=f"{note}.",
    )


def _selected(depth: int, table: Table) -> Finding:
    rows = table["depth"] == depth
    entry, rank_one = table["unobserved"][rows], 1 / table["below"][rows]
    gap = float(np.max(np.abs(entry / rank_one - 1)))
    if depth == 1:
        return Finding(
            claim="One layer does not select low rank.",
            stated="far from rank one",
            ours=gap,
            holds=gap > 0.5,
            note="Largest relative distance of the entry from that of rank one.",
        )
    return Finding(
        claim=f"{depth} layers from a small start select the completion of rank one.",
        stated=0.0,
        ours=gap,
        holds=gap <= 0.1,
        note="Largest relative distance of the entry from that of rank one, over "
        f"entries below from {table['below'][rows].min():g} to "
        f"{table['below'][rows].max():g}.",
    )
