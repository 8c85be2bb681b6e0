"""`thalweg reproduce`: a published figure measured anew, the claim beside it."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from thalweg._core.errors import ConfigError, StoreError, ThalwegError, unknown
from thalweg.cli import telling
from thalweg.cli.place import check
from thalweg.cli.progress import Watch

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
        overwrite: Replace earlier results. Without it --all leaves those of this scale
            as they are, and goes past those of the other.
        json: Print one JSON object and nothing else.

    Returns:
        The exit code.

    Raises:
        ConfigError: If neither or both of a name and --all came.
        UnknownName: If the name, or the scale, is not known.
    """  # noqa: DOC501
    if all == (name is not None):
        came = "both a name and --all" if all else "neither a name nor --all"
        raise ConfigError(
            f"{came} came; write thalweg reproduce NAME, or --all. "
            "thalweg list experiments shows the names."
        )
    from thalweg.experiments import shelf
    from thalweg.experiments._base import SCALES
    from thalweg.experiments._reproduce import spelled

    if scale not in SCALES:
        raise unknown(scale, SCALES, "the list of scales")
    names = shelf.names() if name is None else [spelled(name)]
    missing = [one for one in names if not (out / one).exists()]
    if missing:
        check(str(out / missing[0]), overwrite, resumable=False)
    records = []
    for place, one in enumerate(names, 1):
        lead = f"{place}/{len(names)} " if all else ""
        record = _record(one, scale, out / one, overwrite, lead, json)
        records.append(record)
        if not json:
            tell(record)
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
    try:
        if lead and not overwrite and (earlier := _earlier(folder, scale)):
            return earlier
        check(str(folder), overwrite, resumable=False)
        return _measured(name, scale, folder, lead, quiet)
    except ThalwegError as error:
        if not lead:
            raise
        return {"name": name, "scale": scale, "error": str(error)}


def _earlier(folder: Path, scale: str) -> dict[str, Any] | None:
    """Return an earlier reproduction of this scale for programs, if there is one."""
    from thalweg._core.store import CARD
    from thalweg.experiments._reproduce import Reproduction, clear

    if not (folder / CARD).is_file():
        return None
    found = Reproduction.load(folder)
    if found.scale != scale:
        raise StoreError(
            f"{folder} holds an earlier result of the scale {found.scale}; choose "
            "another folder, or pass --overwrite."
        )
    whole = {f"{name}.csv" for name in found.tables} | {"figure.svg", "figure.png"}
    if not all((folder / file).is_file() for file in whole):
        found.save(folder)
    clear(folder, scale)
    return {**found.to_json(), "files": _files(folder), "earlier": True}


def _measured(
    name: str, scale: str, folder: Path, lead: str, quiet: bool
) -> dict[str, Any]:
    """Measure, save and return a reproduction, its time told first."""
    from thalweg.experiments import shelf
    from thalweg.experiments._reproduce import reproduce

    entry: Any = shelf.entry(name)
    if not quiet:
        told = _time(float(entry.seconds[scale]))
        sys.stderr.write(f"{lead}{name}: {entry.title}; takes {told}.\n")
        sys.stderr.write(_missing(entry, scale))
    with Watch(not quiet) as watch:
        found = reproduce(name, scale=scale, out=folder, on_progress=watch.share)
    return {**found.to_json(), "files": _files(folder), "earlier": False}


def _missing(entry: Any, scale: str) -> str:
    """Return what data the source has and we do not, and how to get it."""
    wanted = entry.needs[0] if entry.needs and scale == "paper" else None
    if wanted is None or entry().settings(scale)["data"] == wanted:
        return ""
    return (
        f"The data set {wanted} is not here; what stands in for it is told with the "
        f"findings. thalweg data fetch {wanted} fetches it; or set THALWEG_DATA_DIR to "
        "the folder that holds it.\n"
    )


def _time(seconds: float) -> str:
    """Return about how long something takes, in words."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 90:
        return f"about {seconds:.0f} seconds"
    return f"about {seconds / 60:.0f} minutes"


def _files(folder: Path) -> list[str]:
    kept = (".csv", ".svg", ".png")
    return sorted(str(file) for file in folder.iterdir() if file.suffix in kept)


def tell(record: dict[str, Any]) -> None:
    """Print a reproduction: its claim, its findings, its files."""
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
