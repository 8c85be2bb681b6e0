"""Run the benchmarks, print their tables, write them with machine and date.

`python -m benchmarks [--only NAME[,NAME]] [--quick]`: only a whole run that is not
quick is written down.
"""

import argparse
import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import jax

from benchmarks import (
    alternatives,
    certificates,
    compression,
    descent,
    flops,
    flows,
    growth,
    landscape,
    leaps,
    moments,
    process,
    sweeps,
)
from benchmarks.timing import Table, machine, peak_gigabytes

HERE = Path(__file__).parent
SECTIONS: dict[str, Callable[[bool], Table]] = {
    "one": descent.one_net,
    "many": descent.many_nets,
    "compression": compression.wide_nets,
    "theorem": leaps.theorem_steps,
    "lecture": leaps.lecture,
    "short": leaps.short_leaps,
    "alternatives": alternatives.alternatives,
    "flow": flows.flows,
    "products": flops.products,
    "rates": flops.rates,
    "growth": growth.slopes,
    "certificates": certificates.certificates,
    "spectra": landscape.spectra,
    "laws": landscape.laws,
    "basins": landscape.basins,
    "ends": sweeps.ends,
    "sweeps": sweeps.swept,
    "moments": moments.moments,
    "processes": process.processes,
}
HEAD = """# Benchmarks of record

{today}, {machine}; {minutes:.0f} minutes, at most {gigabytes:.1f} GiB.
Made by `make bench`: ours and the rivals in turn, in one process, once all agree on
the result. Seconds are medians; `first call` is apart and includes the compilation of
what no line above it has compiled.

"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--only", metavar="NAME[,NAME]", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="shrink everything")
    asked = parser.parse_args()
    names = asked.only.split(",") if asked.only else list(SECTIONS)
    if unknown := set(names) - set(SECTIONS):
        parser.error(
            f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}"
        )
    begun, tables = time.perf_counter(), {}
    for name in names:
        section = time.perf_counter()
        tables[name] = SECTIONS[name](asked.quick)
        jax.clear_caches()
        print(tables[name].markdown())
        print(f"({name}: {time.perf_counter() - section:.0f} s)\n", flush=True)
    minutes = (time.perf_counter() - begun) / 60
    print(f"{minutes:.1f} minutes, at most {peak_gigabytes():.1f} GiB")
    if not (asked.only or asked.quick):
        write(tables, minutes)


def write(tables: dict[str, Table], minutes: float) -> None:
    """Write the tables of record and append to the machine's history."""
    today = date.today().isoformat()
    head = HEAD.format(
        today=today, machine=machine(), minutes=minutes, gigabytes=peak_gigabytes()
    )
    text = head + "\n".join(table.markdown() for table in tables.values())
    (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
    entry = {
        "date": today,
        "machine": machine(),
        "tables": {name: table.rows for name, table in tables.items()},
    }
    history = HERE / "history"
    history.mkdir(exist_ok=True)
    with open(history / "records.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    main()
