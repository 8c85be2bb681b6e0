"""The runs in this process, on its own threads."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
from typing import Any

from thalweg._core.errors import whole
from thalweg.sweep.engines._base import AbstractEngine
from thalweg.sweep.fitting import available
from thalweg.sweep.turn import Turn, one_thread_of_blas, taking

LOOK_SECONDS = 0.2
"""How often Ctrl-C is looked for."""


@dataclass(frozen=True)
class Inprocess(AbstractEngine):
    """Threads of this process, a task each; nothing to install or start.

    Attributes:
        threads: How many, at least 1; `None` for one a core, and a single one where
            an accelerator does the work.

    Example:
        >>> sorted(Inprocess(threads=2).map(abs, [-1, 2, -3]))
        [(0, 1), (1, 2), (2, 3)]
    """

    threads: int | None = None

    def __post_init__(self) -> None:
        """Check the field."""
        if self.threads is not None:
            whole("threads", self.threads, least=1)

    def map(
        self, function: Callable[[Any], Any], tasks: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Yield the number and the result of every task, as they are finished.

        Args:
            function: A function at the top of a module.
            tasks: Its arguments.

        Yields:
            Place in `tasks`, and the result.
        """
        stop = Event()
        mine = Turn(stop, threads=1)

        def work(task: Any) -> Any:
            mine.check()
            with taking(mine):
                return function(task)

        pool = ThreadPoolExecutor(self.width)
        with one_thread_of_blas():
            try:
                waiting: dict[Future[Any], int] = {
                    pool.submit(work, task): place for place, task in enumerate(tasks)
                }
                while waiting:
                    ready, _ = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
                    for future in sorted(ready, key=waiting.__getitem__):
                        yield waiting.pop(future), future.result()
            finally:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def ceiling(self) -> int:
        """Return how many bytes a task may take: its thread's part of what is free."""
        return available() // self.width

    @property
    def width(self) -> int:
        """Return how many tasks are carried out side by side."""
        return self.threads or _threads()


def _threads() -> int:
    import jax  # noqa: PLC0415  (a sweep that is all there needs none)

    from thalweg.motion._blocks import cores  # noqa: PLC0415  (as above)

    return cores() if jax.default_backend() == "cpu" else 1
