"""Reading a certificate file: every member whole, unchanged and of a sane size."""

import hashlib
import json
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, prod
from pathlib import Path
from typing import Any

FORMAT, VERSION = "thalweg certificate", 1
PARTS = ("problem", "start", "step_size", "hypotheses", "promise")
REST = ("format", "version", "theorem", "fields", "radius", "accuracy", "verdict")

LARGEST_FILE = 2**28
"""Most bytes of text read."""

LARGEST_NET = 20_000_000
"""Most weights of a net, and most entries of a matrix."""

Rows = list[Any]


class Refused(Exception):
    """Why a file is not verified, in one sentence."""


@dataclass(frozen=True)
class Contents:
    """What a certificate file says, in exact floats.

    Attributes:
        theorem: The name of the theorem.
        fields: The numbers the theorem itself has, as written.
        playground: Whether the problem is the lecture's.
        widths: Of the net, input first.
        inputs: The input factor by rows; `None` for white data.
        labels: The label factor by rows.
        start: The layers by rows; `None` if the theorem draws its own.
        radius: The true start is this near, layer by layer.
        step: The step size; `None` for a flow.
        accuracy: The excess loss the promised time is for.
        hypotheses: As claimed.
        promise: As claimed.
    """

    theorem: str
    fields: dict[str, Any]
    playground: bool
    widths: tuple[int, ...]
    inputs: Rows | None
    labels: Rows
    start: list[Rows] | None
    radius: float
    step: float | None
    accuracy: float
    hypotheses: list[dict[str, Any]]
    promise: dict[str, Any]


def read(file: Path) -> Contents:
    """Read a certificate file.

    Args:
        file: Its path; an array file is looked for beside it.

    Returns:
        What it says, none of it believed yet.

    Raises:
        Refused: If it is not a whole, unchanged certificate of this version.
    """
    members = _parsed(file)
    if members.get("format") != FORMAT:
        raise Refused(f"format: this is no file of the format '{FORMAT}'.")
    if type(members.get("version")) is not int or members["version"] != VERSION:
        raise Refused(f"version: this checker reads version {VERSION} only.")
    only(members, (*PARTS, *REST, "digests"), "the file")
    _check_digests(members)
    if members["verdict"] != "proved":
        raise Refused("verdict: only a proved certificate can be verified.")
    step = members["step_size"]
    playground, widths, inputs, labels = _problem(members["problem"])
    return Contents(
        theorem=text(members["theorem"], "theorem"),
        fields=table(members["fields"], "fields"),
        playground=playground,
        widths=widths,
        inputs=inputs,
        labels=labels,
        start=_start(members["start"], widths, file),
        radius=number(members["radius"], "radius", least=0.0),
        step=None if step is None else number(step, "step_size", least=0.0),
        accuracy=number(members["accuracy"], "accuracy", least=0.0),
        hypotheses=[_hypothesis(h, i) for i, h in _listed(members, "hypotheses")],
        promise=_promise(members["promise"]),
    )


def _parsed(file: Path) -> dict[str, Any]:
    try:
        if not file.is_file():
            raise Refused("the file is not there.")
        if file.stat().st_size > LARGEST_FILE:
            raise Refused("the file is too large for a certificate.")
        members = json.loads(
            file.read_bytes().decode(),
            object_pairs_hook=_without_twins,
            parse_constant=_no_constant,
        )
    except OSError as error:
        raise Refused(f"the file cannot be read: {error}.") from None
    except RecursionError:
        raise Refused("the file is nested too deeply.") from None
    except ValueError as error:
        raise Refused(f"the file is not whole JSON: {error}.") from None
    return table(members, "the file")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("the file says one thing twice.")
    return found


def _no_constant(told: str) -> None:
    raise Refused(f"the file holds {told}, which is no number.")


def _check_digests(members: Mapping[str, Any]) -> None:
    told = table(members["digests"], "digests")
    only(told, (*PARTS, "rest"), "digests")
    rest = {name: members[name] for name in REST}
    for name in (*PARTS, "rest"):
        whole = rest if name == "rest" else members[name]
        plain = json.dumps(whole, sort_keys=True, separators=(",", ":"))
        if hashlib.sha256(plain.encode()).hexdigest() != told[name]:
            raise Refused(f"{name}: it was changed, its SHA-256 is another.")


def _problem(told: Any) -> tuple[bool, tuple[int, ...], Rows | None, Rows]:
    kind = table(told, "problem").get("kind")
    if kind == "playground":
        only(told, ("kind", "depth"), "problem")
        depth = whole(told["depth"], "problem.depth", least=1)
        if depth > LARGEST_NET:
            raise Refused("problem.depth: the net is absurdly deep.")
        return True, (1,) * (depth + 1), None, [[1.0]]
    if kind != "linear network":
        raise Refused("problem.kind: this checker knows no such problem.")
    only(told, ("kind", "widths", "inputs_factor", "labels_factor"), "problem")
    widths = tuple(
        whole(w, f"problem.widths[{i}]", least=1) for i, w in _listed(told, "widths")
    )
    if len(widths) < 2:
        raise Refused("problem.widths: a net has at least two.")
    if sum(a * b for a, b in pairwise(widths)) > LARGEST_NET:
        raise Refused("problem.widths: the net is absurdly large.")
    labels = _matrix(told["labels_factor"], "problem.labels_factor")
    inputs, columns = told["inputs_factor"], widths[0]
    if inputs is not None:
        inputs = _matrix(inputs, "problem.inputs_factor")
        columns = len(inputs[0])
        if len(inputs) != widths[0] or columns > widths[0]:
            raise Refused("problem.inputs_factor: its shape does not fit the widths.")
    if (len(labels), len(labels[0])) != (widths[-1], columns):
        raise Refused("problem.labels_factor: its shape does not fit the widths.")
    return False, widths, inputs, labels


def _start(told: Any, widths: tuple[int, ...], file: Path) -> list[Rows] | None:
    if told is None:
        return None
    if "layers" in table(told, "start"):
        only(told, ("layers",), "start")
        layers = [_matrix(w, f"start.layers[{i}]") for i, w in _listed(told, "layers")]
    else:
        only(told, ("shapes", "file", "sha256"), "start")
        layers = _layers_beside(told, file)
    shapes = [(len(layer), len(layer[0])) for layer in layers]
    if shapes != list(zip(widths[1:], widths[:-1], strict=True)):
        raise Refused("start: the layers do not fit the widths.")
    return layers


def _layers_beside(told: Mapping[str, Any], file: Path) -> list[Rows]:
    """Return the layers of an array file, a row a sequence of floats."""
    shapes = []
    for i, shape in _listed(told, "shapes"):
        if not isinstance(shape, list) or len(shape) != 2:
            raise Refused(f"start.shapes[{i}]: a layer has two sizes.")
        shapes.append([whole(n, f"start.shapes[{i}]", least=1) for n in shape])
    if sum(map(prod, shapes)) > LARGEST_NET:
        raise Refused("start.shapes: the net is absurdly large.")
    name = text(told["file"], "start.file")
    if Path(name).name != name or "\0" in name:
        raise Refused("start.file: it must lie beside the certificate.")
    try:
        beside = file.with_name(name)
        if not beside.is_file() or beside.stat().st_size != 8 * sum(map(prod, shapes)):
            raise Refused("start.file: it is missing, or of another length.")
        data = beside.read_bytes()
    except (OSError, ValueError) as error:
        raise Refused(f"start.file: it cannot be read: {error}.") from None
    if hashlib.sha256(data).hexdigest() != told["sha256"]:
        raise Refused("start.file: it was changed, its SHA-256 is another.")
    values = array("d", data)
    if sys.byteorder == "big":
        values.byteswap()
    if not all(map(isfinite, values)):
        raise Refused("start.file: it holds a number that is not finite.")
    layers, at = [], 0
    for rows, columns in shapes:
        starts = range(at, at + rows * columns, columns)
        layers.append([values[i : i + columns] for i in starts])
        at += rows * columns
    return layers


def _hypothesis(told: Any, i: int) -> dict[str, Any]:
    where = f"hypotheses[{i}]"
    only(table(told, where), ("name", "strict", "verdict", "slack"), where)
    name = text(told["name"], f"{where}.name")
    if told["verdict"] != "proved":
        raise Refused(f"{where} '{name}': it is not claimed to be proved.")
    if type(told["strict"]) is not bool:
        raise Refused(f"{where} '{name}': strict must be true or false.")
    slack = None if told["slack"] is None else _interval(told["slack"], where)
    return {"name": name, "strict": told["strict"], "slack": slack}


def _promise(told: Any) -> dict[str, Any]:
    numbers = ("promised", "factor", "rate", "floor", "probability")
    only(table(told, "promise"), ("statement", "clock", *numbers, "values"), "promise")
    text(told["statement"], "promise.statement")
    return {
        "clock": told["clock"],
        "values": {
            name: _interval(ends, f"promise.values['{name}']")
            for name, ends in table(told["values"], "promise.values").items()
        },
        **{
            name: None
            if told[name] is None
            else number(told[name], f"promise.{name}", endless=True)
            for name in numbers
        },
    }


def _interval(told: Any, where: str) -> tuple[float, float]:
    if not isinstance(told, list) or len(told) != 2:
        raise Refused(f"{where}: an interval has two ends.")
    low, high = (number(end, where, endless=True) for end in told)
    if low > high:
        raise Refused(f"{where}: the interval is empty.")
    return low, high


def _matrix(told: Any, where: str) -> Rows:
    if not isinstance(told, list) or not told or not isinstance(told[0], list):
        raise Refused(f"{where}: it is no list of rows.")
    size = len(told[0])
    if not size or any(not isinstance(r, list) or len(r) != size for r in told):
        raise Refused(f"{where}: its rows are not equally long.")
    return [[number(entry, where) for entry in row] for row in told]


def number(
    told: Any, where: str, *, least: float | None = None, endless: bool = False
) -> float:
    """Return the float that a canonical C99 hexadecimal says; refuse any other."""
    try:
        value = float.fromhex(told)
    except (TypeError, ValueError, OverflowError):
        raise Refused(
            f"{where}: {str(told)[:40]!r} is no hexadecimal number."
        ) from None
    if value.hex() != told or value != value or not (endless or isfinite(value)):
        raise Refused(f"{where}: {told[:40]!r} is no finite number as written here.")
    if least is not None and value < least:
        raise Refused(f"{where}: {told} is below {least:g}.")
    return value


def whole(told: Any, where: str, *, least: int) -> int:
    """Return a whole number that is not below `least`; refuse any other."""
    if type(told) is not int or told < least:
        raise Refused(f"{where}: it must be a whole number, at least {least}.")
    return told


def text(told: Any, where: str) -> str:
    """Return a text; refuse anything else."""
    if not isinstance(told, str):
        raise Refused(f"{where}: it must be a text.")
    return told


def table(told: Any, where: str) -> dict[str, Any]:
    """Return an object of JSON; refuse anything else."""
    if not isinstance(told, dict):
        raise Refused(f"{where}: it must be an object with named members.")
    return told


def only(members: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    """Refuse an object that lacks one of these members, or has another."""
    missing = [name for name in names if name not in members]
    unknown = [name for name in members if name not in names]
    if missing or unknown:
        what = f"no {missing[0]}" if missing else f"the unknown {unknown[0][:40]!r}"
        raise Refused(f"{where}: it has {what}.")


def _listed(members: Mapping[str, Any], name: str) -> list[tuple[int, Any]]:
    if not isinstance(members[name], list):
        raise Refused(f"{name}: it must be a list.")
    return list(enumerate(members[name]))
