"""Do saddles have basins? Follow millions of starts, count, and see how long they stay.

python examples/saddle_basins.py --runs 10000000 --out saddle_basins
"""

import argparse
import json
from pathlib import Path

import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import thalweg as tw
from thalweg.report import look

NETS = ((2, 2, 2), (2, 2, 2, 2), (3, 2, 2, 2))
RADIUS = 0.3
CLOCK = np.geomspace(10, 1e6, 41).round()


def problem(widths: tuple[int, ...]) -> tw.Problem:
    """Return the problem of learning two modes, of strengths two and one."""
    target = jnp.eye(widths[-1], widths[0]) * jnp.array([[2.0], [1.0]])
    return tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(target))


def around_saddles(runs: int) -> tuple[np.ndarray, ...]:
    """Return starts of 2-2-2-2 around random non-strict saddles of rank one."""
    rng = np.random.default_rng(0)
    a, b, c, d = rng.uniform(0.5, 1.5, (4, runs, 2)) * rng.choice((-1, 1), (4, runs, 2))
    gain = np.sum(b * c, axis=1) * np.sum(d * a, axis=1)
    kept = np.abs(gain) > 0.1
    b = 2 * b / np.where(kept, gain, 1.0)[:, None]
    e = np.tile([1.0, 0.0], (runs, 1))
    chain = [np.einsum("ri,rj->rij", *pair) for pair in ((a, e), (c, d), (e, b))]
    push = [rng.standard_normal(layer.shape) for layer in chain]
    size = np.sqrt(sum(np.sum(p**2, axis=(1, 2)) for p in push))
    size = RADIUS * rng.random(runs) ** (1 / 12) / size
    return tuple(
        (layer + p * size[:, None, None])[kept]
        for layer, p in zip(chain, push, strict=True)
    )


def row(what: str, found: tw.Basins) -> dict:
    """Return what is recorded of an experiment: counts, and who is still left."""
    print(what, "-", ", ".join(f"{one.limit}: {one.share}" for one in found.table))
    ended = np.array([limit.verdict != "undecided" for limit in found.limits])
    taken = np.where(ended[found.columns.limit], found.columns.iterations, np.inf)
    taken = np.sort(taken)
    left = 1 - np.searchsorted(taken, CLOCK, side="right") / taken.size
    shares = found.to_json()["shares"]
    return {"what": what, "runs": found.runs, "shares": shares, "left": left.tolist()}


def picture(rows: list[dict]) -> Figure:
    """Draw the share of the starts that are still on their way."""
    with mpl.rc_context(look.RC):
        drawn = Figure(figsize=(look.WIDTH, look.HEIGHT), layout="constrained")
        axes = drawn.add_subplot()
        for colour, one in zip(look.CURVES, rows, strict=False):
            axes.loglog(CLOCK, one["left"], color=colour, label=one["what"])
        axes.set(xlabel="iteration", title="share of the starts not yet at a minimum")
        axes.set_ylim(0.5 / max(one["runs"] for one in rows), 1.5)
        axes.legend(loc="lower left")
    return drawn


def main() -> None:
    """Follow the starts, print, draw, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a thousand starts")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path("saddle_basins"))
    asked = parser.parse_args()
    runs = 1000 if asked.quick else asked.runs
    many = {"iterations": 10_000 if asked.quick else 1_000_000}
    rows = []
    for widths in NETS:
        found = tw.basins(problem(widths), "gaussian", std=1.0, runs=runs, **many)
        rows.append(row(f"{'-'.join(map(str, widths))}, Gaussian starts", found))
    found = tw.basins(problem((2,) * 4), around_saddles(max(runs // 100, 1000)), **many)
    rows.append(row("2-2-2-2, around non-strict saddles", found))
    asked.out.mkdir(parents=True, exist_ok=True)
    record = {"clock": CLOCK.tolist(), "rows": rows}
    (asked.out / "saddle_basins.json").write_text(json.dumps(record), encoding="utf-8")
    picture(rows).savefig(asked.out / "saddle_basins.png", dpi=160)


if __name__ == "__main__":
    main()
