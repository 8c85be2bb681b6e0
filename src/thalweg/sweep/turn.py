"""What an engine tells the task it carries out: how many threads, and when to stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Event

from threadpoolctl import threadpool_limits


class Stopped(Exception):
    """Raised in a task that was told to stop."""


@dataclass(frozen=True)
class Turn:
    """The turn of a task.

    Attributes:
        stop: Set from outside to give up.
        threads: Threads the task may use; `None` for one a core.
    """

    stop: Event = field(default_factory=Event)
    threads: int | None = None

    def check(self, *_: object) -> None:
        """Raise if the task was told to stop; also a progress callback."""
        if self.stop.is_set():
            raise Stopped


_TURN: ContextVar[Turn] = ContextVar("turn")


def turn() -> Turn:
    """Return the turn of the task at work here."""
    return _TURN.get(None) or Turn()


@contextmanager
def taking(mine: Turn) -> Iterator[None]:
    """Let tasks in this thread be carried out in a turn.

    Args:
        mine: The turn.

    Yields:
        Nothing.
    """
    token = _TURN.set(mine)
    try:
        yield
    finally:
        _TURN.reset(token)


@contextmanager
def one_thread_of_blas() -> Iterator[None]:
    """Let BLAS use one thread, in the whole process: the order of its sums is then one.

    Yields:
        Nothing.
    """
    with threadpool_limits(1, user_api="blas"):
        yield
