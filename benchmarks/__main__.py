"""Run every benchmark, print the table, write it with machine and date.

`python -m benchmarks [--dry]`: with `--dry` nothing is written.
"""

import json
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path

from benchmarks import certificates, descent, process
from benchmarks.timing import Row, machine

HERE = Path(__file__).parent
HEAD = ["what", "who", "seconds (median)", "first call", "ours / theirs", "goal"]
RACES = (
    descent.one_net,
    descent.many_nets,
    certificates.width_100,
    process.help_text,
    process.long_run,
)


def main() -> None:
    rows: list[Row] = []
    for run in RACES:
        found = run()
        rows += found
        for row in found:
            print(" | ".join(row.cells()), flush=True)
    if "--dry" not in sys.argv:
        write(rows)


def write(rows: list[Row]) -> None:
    """Write the table of record and append to the machine's history."""
    cells = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    (HERE / "RESULTS.md").write_text(
        "# Benchmarks of record\n\n"
        f"{date.today().isoformat()}, {machine()}. Made by `make bench`: ours and the "
        "rivals in turn, in one process, after all agree on the result to 1e-12. "
        "`first call` includes compilation.\n\n"
        f"{table}\n",
        encoding="utf-8",
    )
    history = HERE / "history"
    history.mkdir(exist_ok=True)
    entry = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "rows": [asdict(row) for row in rows],
    }
    with open(history / "records.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    main()
