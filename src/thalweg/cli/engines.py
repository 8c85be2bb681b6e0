"""The options that name an engine, and the engine they name."""

from typing import Any

from cyclopts import Group

from thalweg._core.errors import ConfigError

ENGINE = Group("Engine", sort_key=1)


def engine_of(
    name: str | None,
    workers: int | None,
    cluster: str | None,
    memory: str | None = None,
) -> Any:
    """Return the engine that options name.

    Args:
        name: As on the shelf of engines; in process if not said.
        workers: Worker processes of dask, or threads in process.
        cluster: Address of a dask scheduler.
        memory: What a worker may fill.

    Returns:
        The engine.

    Raises:
        ConfigError: If the options do not go together.
    """
    from thalweg.sweep.engines import shelf

    if cluster is not None and name not in (None, "dask"):
        raise ConfigError(f"--cluster came with --engine {name}; it belongs to dask.")
    if cluster is not None and workers is not None:
        raise ConfigError(
            "--workers came with --cluster, which has its own; leave one of them out."
        )
    name = "dask" if cluster is not None else name or "inprocess"
    known = set(shelf.fields(name))
    asked: dict[str, Any] = {"address": cluster, "memory": memory}
    asked["workers" if "workers" in known else "threads"] = workers
    return shelf.make(
        name, **{k: v for k, v in asked.items() if v is not None and k in known}
    )
