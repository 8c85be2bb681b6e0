"""Error 6: the dimension of the flattest saddles."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg._core.papers import CHITOUR2023
from thalweg._core.source import Source
from thalweg.experiments._base import AbstractExperiment, Finding, Table, Workplace
from thalweg.experiments.source_errors._telling import as_printed, corrected
from thalweg.landscape.hessian import hessian
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.report import look


@dataclass(frozen=True)
class CaseDimension(AbstractExperiment):
    r"""How large the set of saddles is at which the Hessian vanishes.

    Of two hidden layers with $W_2 = W_3 = 0$ the Hessian is linear in $W_1$; the
    dimension is that of the kernel of this map, measured as its rank.
    """

    source: ClassVar[Source] = CHITOUR2023.at("Section 4.2.1, Case 1.2")
    title: ClassVar[str] = "The dimension of the saddles without a Hessian"
    claim: ClassVar[str] = (
        "The critical points of Case 1.2 (W_3 = 0, W_2 = 0, W_{1,1} = 0), with a "
        "Hessian of zero, form a space of dimension d_y (d_x - d_y)."
    )
    seconds: ClassVar[dict[str, float]] = {"tiny": 1.0, "paper": 1.5}

    def settings(self, scale: str) -> dict[str, Any]:
        """Return the singular values of the labels and the widths tried."""
        return {
            "labels": [2.0, 1.0],
            "inputs": 6,
            "second": 3,
            "first": [2, 3, 4, 5, 6] if scale == "paper" else [2, 4],
            "seed": 6,
        }

    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the dimension, and the Hessian at random members, for every width."""
        rng = np.random.default_rng(settings["seed"])
        rows = [_measured(settings, width, rng) for width in settings["first"]]
        dimension, largest, outside = (np.array(c) for c in zip(*rows, strict=True))
        unseen = settings["inputs"] - len(settings["labels"])
        first = np.array(settings["first"])
        return {
            "dimensions": {
                "first_width": first,
                "measured": dimension,
                "as_printed": np.full(first.size, len(settings["labels"]) * unseen),
                "corrected": first * unseen,
                "largest_hessian_entry": largest,
                "smallest_eigenvalue_outside": outside,
            }
        }

    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return the dimensions measured beside both formulas."""
        table = tables["dimensions"]
        measured = ", ".join(map(str, table["measured"]))
        inside = float(table["largest_hessian_entry"].max())
        outside = float(table["smallest_eigenvalue_outside"].max())
        widths = ", ".join(map(str, table["first_width"]))
        return [
            as_printed(
                "the dimension is d_y (d_x - d_y).",
                float(table["as_printed"][0]),
                measured,
                np.array_equal(table["measured"], table["as_printed"]),
                f"for d_1 = {widths}: W_{{1,2}} has d_1 rows, so it is "
                "d_1 (d_x - d_y), the same only for d_1 = d_y (a letter of the text "
                "read here may be lost: d_1 and d_y look alike)",
            ),
            corrected(
                "the dimension is d_1 (d_x - d_y).",
                measured,
                np.array_equal(table["measured"], table["corrected"]),
                "exactly, by the rank of the map from W_1 to the Hessian: "
                + ", ".join(map(str, table["corrected"])),
            ),
            corrected(
                "there the Hessian vanishes, and with W_{1,1} other than 0 it has a "
                "negative eigenvalue.",
                inside,
                inside == 0 and outside < 0,
                "the largest entry at random members; the smallest eigenvalue beside "
                f"them is at most {outside:.3g}",
                0.0,
            ),
        ]

    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the dimension against the first width, beside both formulas."""
        table, axes = tables["dimensions"], figure.add_subplot()
        width = table["first_width"]
        axes.plot(
            width,
            table["corrected"],
            look.MEASURED,
            color=look.FAINT,
            label="$d_1 (d_x - d_y)$",
        )
        axes.plot(
            width,
            table["as_printed"],
            linestyle=look.PROMISED,
            color=look.BOUND,
            label="as printed, $d_y (d_x - d_y)$",
        )
        axes.plot(width, table["measured"], "o", color=look.CURVES[0], label="measured")
        axes.set(xlabel="first hidden width $d_1$", ylim=(0, None))
        axes.set_ylabel("dimension of the set of saddles")
        axes.set_title(
            f"$d_x = {settings['inputs']}$, $d_y = {len(settings['labels'])}$",
            loc="left",
        )
        axes.set_xticks(width)
        axes.legend(loc="upper left")


def _measured(
    settings: dict[str, Any], width: int, rng: np.random.Generator
) -> tuple[int, float, float]:
    """Return the dimension, the largest entry inside, the smallest value outside."""
    ends = settings["inputs"], len(settings["labels"])
    target = np.zeros((ends[1], ends[0]))
    np.fill_diagonal(target, settings["labels"])
    net = LinearNet((ends[0], width, settings["second"], ends[1]))
    problem = Problem(net, Moments.whitened(target))

    def curved(first: np.ndarray) -> np.ndarray:
        rest = (np.zeros(shape) for shape in net.shapes[1:])
        return hessian(problem, tuple(jnp.asarray(w) for w in (first, *rest)))

    entries = np.eye(width * ends[0]).reshape(-1, width, ends[0])
    slopes = np.stack([curved(entry).ravel() for entry in entries])
    member = rng.standard_normal((width, ends[0]))
    beside = member.copy()
    member[:, : ends[1]] = 0
    inside = float(np.max(np.abs(curved(member))))
    outside = float(np.linalg.eigvalsh(curved(beside))[0])
    return len(entries) - int(np.linalg.matrix_rank(slopes)), inside, outside
