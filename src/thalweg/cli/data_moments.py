"""`thalweg data moments`: second moments of Parquet files of any size."""

import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from thalweg._core.errors import ConfigError, StoreError
from thalweg.cli import place, telling
from thalweg.cli.engines import ENGINE, engine_of

Flag = Annotated[bool, Parameter(negative=())]


def moments(
    path: str,
    /,
    *,
    targets: str,
    out: str,
    features: str | None = None,
    center: bool = True,
    inputs_only: Flag = False,
    whiten: bool = True,
    labels: str = "raw",
    scale: str = "mean",
    bias: Flag = False,
    method: str = "moments",
    on_bad: str = "fail",
    parts: str | None = None,
    engine: Annotated[str | None, Parameter(group=ENGINE, show_default=False)] = None,
    workers: Annotated[int | None, Parameter(group=ENGINE, show_default=False)] = None,
    cluster: Annotated[str | None, Parameter(group=ENGINE, show_default=False)] = None,
    overwrite: Flag = False,
    json: Flag = False,
) -> int:
    """Read Parquet files of any size once, and keep what training needs of them.

    A run on the result has `data.moments = "FOLDER"` in its settings.

    Args:
        path: A Parquet file, a folder of them, or a URL of either.
        targets: Columns to predict: a,b.
        out: Folder of the result.
        features: Columns to predict from: a,b; all others of numbers by default.
        center: Subtract the means.
        inputs_only: Subtract those of the inputs only.
        whiten: Change to white coordinates.
        labels: Leave them raw, make them standard or unit.
        scale: Divide by the number of samples, mean, or not, sum.
        bias: Append a constant coordinate.
        method: Add products, moments, or merge triangles, qr, for data whose
            directions span more than six orders of magnitude.
        on_bad: What to do with rows that lack a number: fail or skip.
        parts: Folder for finished pieces; after an interruption the same command goes
            on from there.
        engine: See thalweg list engines: threads of this process if not said, dask for
            worker processes.
        workers: Worker processes of dask on this machine, or threads in process.
        cluster: Address of a dask scheduler to use.
        overwrite: Replace an earlier result.
        json: Print one JSON object: `path`, `out`, `samples`, `features`, `outputs`,
            `rank`, `constant`, `target_singular_values`, `preparation`, `seconds`.

    Returns:
        The exit code.
    """
    from thalweg.cli.progress import Watch
    from thalweg.problem.moments import Moments

    place.check(out, overwrite, resumable=False)
    _check(center, inputs_only, out, parts)
    begun = time.perf_counter()
    asked = any(option is not None for option in (engine, workers, cluster))
    chosen = engine_of(engine, workers, cluster) if asked else None
    with Watch(not json) as watch:
        watch.phase("reading")
        made = Moments.from_parquet(
            path,
            _names(targets),
            features=None if features is None else _names(features),
            center="inputs" if inputs_only else center,
            whiten=whiten,
            labels=labels,
            scale=scale,
            bias=bias,
            method=method,
            on_bad=on_bad,
            engine=chosen,
            parts=parts,
            on_progress=watch.rows,
        )
        folder = made.save(out)
    record = record_of(made) | {"path": path, "out": str(folder)}
    record["seconds"] = time.perf_counter() - begun
    if json:
        telling.say_json(record)
        return 0
    tell(record)
    telling.say(f"read in {record['seconds']:.1f} s")
    telling.say(f"saved in {folder}; a run on it has data.moments = {str(folder)!r}")
    return 0


def tell(record: dict[str, Any]) -> None:
    """Print moments, as `record_of` tells them."""
    telling.say(
        f"{record['samples']:,} samples, {record['features']:,} features, "
        f"{record['outputs']:,} outputs"
    )
    for line in record["preparation"]:
        telling.say(line)
    values = ", ".join(f"{v:.6g}" for v in record["target_singular_values"][:12])
    telling.say(f"target: singular values {values}")
    telling.say(f"constant: {record['constant']:.9g}")


def _check(center: bool, inputs_only: bool, out: str, parts: str | None) -> None:
    if inputs_only and not center:
        raise ConfigError(
            "--inputs-only came with --no-center; leave out one of the two."
        )
    if parts is not None and Path(parts).resolve().is_relative_to(Path(out).resolve()):
        raise StoreError(
            f"the parts would lie in {out}, the folder of the result; choose another "
            "folder for them."
        )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def record_of(made: Any) -> dict[str, Any]:
    """Return moments for programs."""
    import numpy as np

    values = np.linalg.svd(np.asarray(made.target), compute_uv=False)
    plain: dict[str, Any] = telling.plain(
        {
            "samples": made.samples,
            "features": made.preparation.features,
            "outputs": made.outputs_width,
            "rank": made.rank,
            "constant": made.constant,
            "target_singular_values": values,
            "preparation": made.preparation.lines(),
        }
    )
    return plain
