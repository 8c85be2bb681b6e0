"""Whole processes: how quickly the command answers, how much memory a run takes."""

import statistics
import subprocess
import sys
import time

from benchmarks.timing import Row, Table

LONG_RUN = """
import jax
import thalweg as tw
target = jax.random.normal(jax.random.key(1), (1, 128))
target = target / (target @ target.T) ** 0.5
problem = tw.Problem(tw.LinearNet((128, 32, 32, 1)), tw.Moments.whitened(target))
weights = tw.init("gaussian", std=0.05).draw(jax.random.key(0), problem.net)
path = tw.descend(problem, weights, step_size=1e-6, iterations={steps},
                  measures=("loss", "imbalance", "singular_modes"))
assert path.outcome.iteration == {steps}
status = open("/proc/self/status").read()
print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""


def processes(quick: bool) -> Table:
    """Measure the command's help text, and a long run, each in its own process."""
    return Table(
        "Whole processes",
        "From the start of Python to its end; a process has nothing but first calls.",
        [_help_text(1 if quick else 5), _long_run(1000 if quick else 1_000_000)],
    )


def _help_text(rounds: int) -> Row:
    command = [sys.executable, "-m", "thalweg", "--help"]
    taken = [_seconds(command)[0] for _ in range(rounds + 1)][1:]
    seconds = statistics.median(taken)
    return {"what": "thalweg --help", "seconds": seconds, "goal": "< 0.4 s"}


def _long_run(steps: int) -> Row:
    seconds, told = _seconds([sys.executable, "-c", LONG_RUN.format(steps=steps)])
    return {
        "what": f"128-32-32-1, {steps:,} steps",
        "seconds": seconds,
        "peak memory, MB": float(told),
        "goal": "< 600 MB",
    }


def _seconds(command: list[str]) -> tuple[float, str]:
    begun = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - begun, done.stdout
