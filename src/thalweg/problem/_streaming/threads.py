"""The engine in process: a few threads, each with a piece of its own."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

MOST = 8
"""Threads at most: memory grows with them, and a disk feeds no more."""


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@dataclass(frozen=True)
class Threads:
    """Threads of this process; linear algebra takes one core in each.

    Attributes:
        count: How many; `None` takes as many as there are cores, eight at most.
    """

    count: int | None = None

    def map(
        self, function: Callable[[Any], Any], tasks: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Yield the place and the result of each task as they are finished.

        Args:
            function: What is done with a task.
            tasks: What it is done with.

        Yields:
            Places and results.
        """
        count = min(self.count or min(cores(), MOST), max(len(tasks), 1))
        coming = iter(enumerate(tasks))
        running: dict[Future[Any], int] = {}
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(count) as pool:
            try:
                while True:
                    for place, task in islice(coming, 2 * count - len(running)):
                        running[pool.submit(function, task)] = place
                    if not running:
                        return
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in sorted(done, key=running.__getitem__):
                        yield running.pop(future), future.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
