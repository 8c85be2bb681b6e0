"""Second moments of Parquet files, beside reading the same numbers raw.

`python -m benchmarks.moments --full` takes 3,000,000 rows of 72 columns (3.5 GB of
temporary files, deleted afterwards).
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from benchmarks.timing import Row, Table, race
from thalweg.problem._streaming.threads import Threads
from thalweg.problem.streams import streamed

COLUMNS, GROUP = 72, 100_000
FULL = 3_000_000

MEMORY = """
import sys
import thalweg as tw

def private():
    status = open("/proc/self/status").read()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024

tw.Moments.from_parquet(sys.argv[2], ["c0"], center=True)
before, peak = private(), 0.0

def look(progress):
    global peak
    peak = max(peak, private())

tw.Moments.from_parquet(sys.argv[1], ["c0"], center=True, on_progress=look)
print(peak - before)
"""


def moments(quick: bool) -> Table:
    """Race sums of Parquet files against the limit, and measure their memory."""
    return measured(100_000 if quick else 700_000)


def measured(rows: int) -> Table:
    """Race and measure on so many rows."""
    with _files(rows) as (raw, parquet, small):
        mapped = np.memmap(raw, dtype=np.float64, shape=(rows, COLUMNS))
        told = f"{rows:,} x {COLUMNS}"
        with threadpool_limits(1):
            lines = race(
                told,
                {
                    "thalweg, one thread": lambda: [_ours(parquet, Threads(1))],
                    "thalweg, qr": lambda: [_ours(parquet, Threads(1), "qr")],
                    "thalweg, all cores": lambda: [_ours(parquet, None)],
                    "raw, A.T @ A by blocks": lambda: [_raw(mapped)],
                    "raw, dgemm by blocks": lambda: [_raw(mapped, full=True)],
                    "raw, less the first row, then A.T @ A": lambda: [_moved(mapped)],
                },
                rounds=3,
                within=1e-9,
                goals={"raw, dgemm by blocks": "< 2"},
            )
            lines.append(_reading(told, parquet))
        lines.append(_memory(told, parquet, small))
    return Table(
        "Second moments of Parquet files",
        f"Float64, {rows * COLUMNS * 8 / 1e9:.2f} GB uncompressed in row groups of "
        f"{GROUP:,}, page cache warm, one thread of linear algebra. Raw is a NumPy "
        "memory map. Memory is private and grows by that over a run on one row group.",
        lines,
    )


@contextmanager
def _files(rows: int) -> Iterator[tuple[Path, Path, Path]]:
    """Yield the same numbers raw and as Parquet, and a small Parquet file."""
    rng = np.random.default_rng(0)
    names = [f"c{k}" for k in range(COLUMNS)]
    with tempfile.TemporaryDirectory() as folder:
        raw, parquet = Path(folder, "raw.bin"), Path(folder, "big.parquet")
        small = Path(folder, "small.parquet")
        schema = pa.schema([(name, pa.float64()) for name in names])
        with (
            open(raw, "wb") as out,
            pq.ParquetWriter(
                parquet, schema, compression="none", use_dictionary=False
            ) as writer,
        ):
            for begin in range(0, rows, GROUP):
                size = min(GROUP, rows - begin)
                block = rng.standard_normal((size, COLUMNS))
                out.write(block.tobytes())
                columns = [np.ascontiguousarray(column) for column in block.T]
                table = pa.table(columns, names=names)
                writer.write_table(table, row_group_size=GROUP)
                if begin == 0:
                    pq.write_table(table, small, compression="none")
        yield raw, parquet, small


def _ours(path: Path, engine: Threads | None, method: str = "moments") -> np.ndarray:
    found = streamed(path, ["c0"], engine=engine, method=method).sums
    order = [*range(1, COLUMNS), 0]
    matrix = found.matrix.T @ found.matrix if found.triangular else found.matrix
    full = matrix + found.rows * np.outer(found.mean, found.mean)
    placed = np.empty_like(full)
    placed[np.ix_(order, order)] = full
    return placed / found.rows


def _raw(mapped: np.ndarray, full: bool = False, size: int = 4096) -> np.ndarray:
    total = np.zeros((COLUMNS, COLUMNS))
    held = np.empty((size, COLUMNS))
    for begin in range(0, len(mapped), size):
        block = mapped[begin : begin + size]
        if full:  # two arrays, or NumPy would compute half of the products
            held[: len(block)] = block
            total += held[: len(block)].T @ block
        else:
            total += block.T @ block
    return total / len(mapped)


def _moved(mapped: np.ndarray, size: int = 4096) -> np.ndarray:
    total, first = np.zeros((COLUMNS, COLUMNS)), np.array(mapped[0])
    sums = np.zeros(COLUMNS)
    for begin in range(0, len(mapped), size):
        block = mapped[begin : begin + size] - first
        sums += block.sum(axis=0)
        total += block.T @ block
    mean = first + sums / len(mapped)
    apart = mean - first
    centred = total / len(mapped) - np.outer(apart, apart)
    return centred + np.outer(mean, mean)


def _reading(told: str, path: Path) -> Row:
    reader = pq.ParquetFile(path, memory_map=True)
    begun = time.perf_counter()
    for group in range(reader.num_row_groups):
        reader.read_row_group(group, use_threads=False)
    seconds = time.perf_counter() - begun
    return {"what": told, "who": "pyarrow, reading alone", "seconds": seconds}


def _memory(told: str, parquet: Path, small: Path) -> Row:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(parquet), str(small)],
        check=True,
        capture_output=True,
        text=True,
    )
    return {
        "what": told,
        "who": "thalweg, a process of its own",
        "first call": time.perf_counter() - begun,
        "grows by, MB": float(done.stdout),
        "goal": "< 300 MB",
    }


if __name__ == "__main__":
    print(measured(FULL if "--full" in sys.argv else 700_000).markdown())
