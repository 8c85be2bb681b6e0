"""`thalweg reproduce`: a published figure measured anew, the claim beside it."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from thalweg._core.errors import ConfigError, ThalwegError
from thalweg.cli import telling
from thalweg.cli.place import check
from thalweg.cli.progress import Watch, clock

FOLDER = Path("reproduced")
"""Where figures go that are given no folder."""

Flag = Annotated[bool, Parameter(negative=())]


def reproduce(
    name: str | None = None,
    /,
    *,
    all: Flag = False,
    scale: str = "paper",
    out: Path = FOLDER,
    overwrite: Flag = False,
    json: Flag = False,
) -> int:
    """Measure a published figure anew: its claim, our numbers, the drawing.

    Every figure goes to a folder of its name in --out: tables as CSV, figure.svg,
    figure.png, and a card with the settings, the findings and the citation. What was
    broken off goes on when it is asked for again.

    Args:
        name: Which; see thalweg list experiments.
        all: All of them, one after another.
        scale: tiny takes seconds; paper takes the numbers of the source.
        out: Folder above.
        overwrite: Replace earlier results. Without it --all leaves them as they are.
        json: Print one JSON object and nothing else.

    Returns:
        The exit code.

    Raises:
        ConfigError: If neither or both of a name and --all came.
    """
    if all == (name is not None):
        came = "both a name and --all" if all else "neither a name nor --all"
        raise ConfigError(
            f"{came} came; write thalweg reproduce NAME, or --all. "
            "thalweg list experiments shows the names."
        )
    from thalweg.experiments import shelf
    from thalweg.experiments._reproduce import spelled

    names = shelf.names() if name is None else [spelled(name)]
    if name is not None:
        check(str(out / names[0]), overwrite, resumable=False)
    records = []
    for place, one in enumerate(names, 1):
        lead = f"{place}/{len(names)} " if all else ""
        record = _record(one, scale, out / one, overwrite, lead, json)
        records.append(record)
        if not json:
            _tell(record)
    failed = [record for record in records if "error" in record]
    if json:
        telling.say_json({"reproductions": records} if all else records[0])
    elif all:
        _tell_all(records)
    return 2 if failed else 0


def _record(
    name: str, scale: str, folder: Path, overwrite: bool, lead: str, quiet: bool
) -> dict[str, Any]:
    """Return one reproduction for programs; among several, a failure as well."""
    from thalweg.experiments import shelf
    from thalweg.experiments._reproduce import Reproduction, reproduce

    if lead and not overwrite and (folder / "card.json").is_file():
        earlier = Reproduction.load(folder)
        if earlier.scale == scale:
            return {**earlier.to_json(), "files": _files(folder), "earlier": True}
    entry: Any = shelf.entry(name)
    expected = entry.seconds.get(scale)
    if not quiet and expected is not None:
        told = "a few seconds" if expected < 5 else f"about {clock(expected)} minutes"
        sys.stderr.write(f"{lead}{name}: {entry.title}; takes {told}.\n")
    try:
        with Watch(not quiet) as watch:
            found = reproduce(name, scale=scale, out=folder, on_progress=watch.share)
    except ThalwegError as error:
        if not lead:
            raise
        return {"name": name, "scale": scale, "error": str(error)}
    return {**found.to_json(), "files": _files(folder), "earlier": False}


def _files(folder: Path) -> list[str]:
    kept = (".csv", ".svg", ".png")
    return sorted(str(file) for file in folder.iterdir() if file.suffix in kept)


def _tell(record: dict[str, Any]) -> None:
    from rich.table import Table

    if "error" in record:
        telling.say(f"{record['name']}: {record['error']}\n")
        return
    telling.say(f"{record['title']} ({record['citation']})")
    telling.say(f"{record['claim']}\n")
    table = Table(box=None, pad_edge=False)
    for heading in ("claim", "stated", "ours", ""):
        table.add_column(heading, overflow="fold")
    for one in record["findings"]:
        note = f"\n{one['note']}" if one["note"] else ""
        table.add_row(
            one["claim"] + note,
            _shown(one["stated"]),
            _shown(one["ours"]),
            "holds" if one["holds"] else "does not hold",
        )
    telling.show(table)
    telling.say(f"\n{record['seconds']:.1f} s; again with: {record['command']}")
    for file in record["files"]:
        telling.say(f"written: {file}")
    telling.say()


def _tell_all(records: list[dict[str, Any]]) -> None:
    done = [record for record in records if "error" not in record]
    findings = [one for record in done for one in record["findings"]]
    holding = sum(one["holds"] for one in findings)
    telling.say(
        f"{len(done)} of {len(records)} figures; {holding} of {len(findings)} findings "
        "hold."
    )


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
