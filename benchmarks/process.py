"""Whole processes: how quickly the command answers, how much memory a run takes."""

import statistics
import subprocess
import sys
import time

from benchmarks.timing import Row

LONG_RUN = """
import jax
import thalweg as tw
target = jax.random.normal(jax.random.key(1), (1, 128))
target = target / (target @ target.T) ** 0.5
problem = tw.Problem(tw.LinearNet((128, 32, 32, 1)), tw.Moments.whitened(target))
weights = tw.init("gaussian", std=0.05).draw(jax.random.key(0), problem.net)
path = tw.descend(problem, weights, step_size=1e-6, iterations=1_000_000,
                  measures=("loss", "imbalance", "singular_modes"))
assert path.outcome.iteration == 1_000_000
status = open("/proc/self/status").read()
print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""


def help_text(rounds: int = 5) -> list[Row]:
    """Time `thalweg --help`."""
    taken = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "thalweg", "--help"], check=True, capture_output=True
        )
        taken.append(time.perf_counter() - begun)
    row = Row(
        "thalweg --help, whole process",
        "thalweg",
        statistics.median(taken[1:]),
        taken[0],
        None,
        "< 0.4 s",
    )
    return [row]


def long_run() -> list[Row]:
    """Measure the memory of a million steps of 128-32-32-1, in its own process."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", LONG_RUN], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - begun
    peak = float(done.stdout)
    what = f"128-32-32-1, 10^6 steps: peak memory {peak:.0f} MB"
    return [Row(what, "thalweg", seconds, seconds, None, "< 600 MB")]
