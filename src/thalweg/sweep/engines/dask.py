"""The runs on worker processes, of this machine or of a cluster, by dask."""

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, ClassVar
from uuid import uuid4

from thalweg._core.errors import ConfigError, RunFailed, whole
from thalweg._core.version import VERSION
from thalweg.sweep.engines._base import AbstractEngine
from thalweg.sweep.fitting import bytes_of
from thalweg.sweep.turn import Turn, one_thread_of_blas, taking

DEATHS = 4
"""Workers that may die over a task before it is held to blame."""

AHEAD = 3
"""Tasks handed out for every thread of a worker: one is done, others wait there."""

ADDRESS = re.compile(
    r"(?:(?:tcp|tls|wss?|ucx)://)?(?:\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+):\d{1,5}/?"
)
"""An address of a scheduler; of another the client would wait in vain, and noisily."""

PATIENCE = 30
"""Seconds to wait for a scheduler, and for a first worker."""

LISTEN_SECONDS = 1
"""How often a worker looks whether its sweep was given up."""


@dataclass(frozen=True)
class Dask(AbstractEngine):
    """Worker processes of this machine, or those of a scheduler that is there.

    A worker that dies is replaced and its tasks go elsewhere. A script that starts
    workers needs `if __name__ == "__main__":`, for they import it.

    Attributes:
        address: Of an existing scheduler, as `tcp://host:8786`; `None` starts one.
        workers: Processes to start here, at least 1; each takes one task at a time.
        memory: What each of them may take before it is started anew, as `4GiB`.

    Example:
        >>> Dask(workers=4, memory="1.5GiB").ceiling()
        1610612736
    """

    address: str | None = None
    workers: int = 2
    memory: str = "4GiB"

    needs: ClassVar[str] = "thalweg[cluster]"

    def __post_init__(self) -> None:
        """Check the fields."""
        whole("workers", self.workers, least=1)
        if self.address is not None and not ADDRESS.fullmatch(self.address):
            raise ConfigError(
                f"the address of the cluster is '{self.address}'; write host and port, "
                "as tcp://host:8786."
            )
        self.ceiling()

    def ceiling(self) -> int:
        """Return how many bytes a task may take: the memory of a worker."""
        return bytes_of(self.memory)

    def map(
        self, function: Callable[[Any], Any], tasks: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Yield the number and the result of every task, as they are finished.

        Args:
            function: A function at the top of a module.
            tasks: Values that can be pickled.

        Yields:
            Place in `tasks`, and the result.

        Raises:
            RunFailed: If a task kills one worker after the other, or the scheduler is
                gone.
        """
        distributed = _distributed()
        with ExitStack() as stack:
            client, threads = self._client(distributed, stack)
            flag = f"thalweg-stop-{uuid4().hex}"
            stack.callback(_raise_flag, distributed, flag, client)
            waiting = iter(enumerate(tasks))
            places: dict[str, int] = {}

            def submitted() -> list[Any]:
                made = []
                for place, task in islice(waiting, _room(client, len(places))):
                    arguments = (function, task, threads, flag)
                    future = client.submit(_turned, *arguments, pure=False)
                    places[future.key] = place
                    made.append(future)
                return made

            ready = distributed.as_completed(submitted(), loop=client.loop)
            for future in ready:
                result = _result(future, distributed)
                yield places.pop(future.key), result
                future.release()
                for more in submitted():
                    ready.add(more)

    def _client(self, distributed: Any, stack: ExitStack) -> tuple[Any, int | None]:
        """Return a client of workers that are there, and the threads of a task."""
        if self.address is not None:
            return _joined(distributed, self.address, stack), None
        from thalweg.motion._blocks import cores  # noqa: PLC0415  (it needs JAX)

        programs = os.environ.get("JAX_COMPILATION_CACHE_DIR") or stack.enter_context(
            TemporaryDirectory(prefix="thalweg-programs-", ignore_cleanup_errors=True)
        )
        cluster = distributed.LocalCluster(
            n_workers=self.workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=self.ceiling(),
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
            env={
                "JAX_ENABLE_X64": "1",
                "JAX_COMPILATION_CACHE_DIR": programs,
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
            },
        )
        stack.enter_context(cluster)
        cluster.scheduler.allowed_failures = DEATHS
        client = distributed.Client(cluster, set_as_default=False)
        return stack.enter_context(client), max(1, cores() // self.workers)


def _distributed() -> Any:
    """Return the guest."""
    try:
        import distributed  # noqa: PLC0415  (a guest: an extra)
    except ImportError as error:
        raise ConfigError(
            "workers and clusters need dask.distributed, which is not installed: "
            "pip install 'thalweg[cluster]'."
        ) from error
    return distributed


def _joined(distributed: Any, address: str, stack: ExitStack) -> Any:
    """Return a client of an existing scheduler that has workers like us."""
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no scheduler answers at {address}; start one with `dask scheduler`, or "
            "check the address."
        ) from error
    stack.enter_context(client)
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise ConfigError(
            f"the scheduler at {address} has no workers; start some with "
            f"`dask worker {address} --nthreads 1`."
        ) from error
    versions = {str(told) for told in client.run(_version).values()}
    if versions != {VERSION}:
        raise ConfigError(
            f"workers of {address} have Thalweg {', '.join(sorted(versions))}, here it "
            f"is {VERSION}; install the same on all."
        )
    return client


def _version() -> str:
    return VERSION


def _room(client: Any, handed: int) -> int:
    """Return how many more tasks to hand out, so that no thread waits for one."""
    threads = sum(client.nthreads().values())
    return max(0, AHEAD * max(1, threads) - handed)


def _result(future: Any, distributed: Any) -> Any:
    try:
        return future.result()
    except distributed.scheduler.KilledWorker as error:
        raise RunFailed(
            f"{DEATHS + 1} workers died over one task, most likely for want of memory; "
            "give workers more memory, or make the nets smaller."
        ) from error
    except (distributed.CancelledError, OSError) as error:
        raise RunFailed(
            "the scheduler is gone; the rows so far are kept, and the same call goes "
            "on."
        ) from error


def _raise_flag(distributed: Any, flag: str, client: Any) -> None:
    """Tell tasks that are still at work to stop."""
    with suppress(OSError, TimeoutError, RuntimeError):
        distributed.Event(flag, client=client).set()


def _turned(
    function: Callable[[Any], Any], task: Any, threads: int | None, flag: str
) -> Any:
    """Carry out a task on a worker, until its sweep is given up."""
    mine, ended = Turn(threads=threads), Event()
    raised = _distributed().Event(flag)

    def listen() -> None:
        # Where the scheduler is gone the worker itself ends.
        with suppress(OSError, RuntimeError):
            while not ended.is_set() and not mine.stop.is_set():
                if raised.wait(timeout=LISTEN_SECONDS):
                    mine.stop.set()

    Thread(target=listen, daemon=True).start()
    try:
        with taking(mine), one_thread_of_blas():
            return function(task)
    finally:
        ended.set()
