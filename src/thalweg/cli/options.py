"""The options of `run` and `certify`, and how they win over a file."""

import tomllib
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Group, Parameter

from thalweg._core.errors import ConfigError
from thalweg.request.keys import FLOWING, FLOWLESS

PROBLEM = Group("Problem", sort_key=1)
START = Group("Start and step", sort_key=2)
MOTION = Group("Motion", sort_key=3)
RECORD = Group("Records and results", sort_key=4)

PROBLEMS = ("data", "file", "target", "playground")
"""Options that say what is learned, of which one may come."""

AS_THEY_ARE = (
    "out",
    "data_dir",
    "solver",
    "optimizer",
    "page",
    "compress",
    "flow",
    "leap",
)
"""Keys whose options are text or switches, not TOML values."""

KEPT = ("center", "whiten", "labels", "scale", "bias", "data_dir")
"""Keys of a file's data that stay when an option names other data."""


def _word(group: Group, name: str, shape: str) -> Parameter:
    return Parameter(
        name=f"--{name}", group=group, allow_leading_hyphen=True, help=shape
    )


Text = str | None


@Parameter(name="*")
@dataclass(frozen=True)
class Posing:
    """Options that say what is learned, from which start, by which step."""

    data: Annotated[
        Text, Parameter(group=PROBLEM, help="Data set; see thalweg data list.")
    ] = None
    file: Annotated[
        Text, Parameter(group=PROBLEM, help="Or a CSV, Parquet or NPZ file.")
    ] = None
    targets: Annotated[
        Text, Parameter(group=PROBLEM, help="Columns of the file to predict: a,b.")
    ] = None
    target: Annotated[
        Text,
        _word(PROBLEM, "target", "Or white data: singular values 3,2,1 or [[2,0],..]."),
    ] = None
    data_dir: Annotated[
        Text, Parameter(group=PROBLEM, help="Folder of the data set's files.")
    ] = None
    playground: Annotated[
        Text, _word(PROBLEM, "playground", "Or the lecture's playground of this depth.")
    ] = None
    hidden: Annotated[
        Text, _word(PROBLEM, "hidden", "Hidden widths: 32,32; 'none' for one layer.")
    ] = None
    init: Annotated[
        Text, Parameter(group=START, help="Way to start; see thalweg list inits.")
    ] = None
    std: Annotated[Text, _word(START, "std", "The init's standard deviation.")] = None
    start: Annotated[
        Text, _word(START, "start", "The playground's start: 0.5,0.5.")
    ] = None
    seed: Annotated[Text, _word(START, "seed", "Seed of the start.")] = None
    step_size: Annotated[
        Text, _word(START, "step-size", "A number, 'auto' or 'certified'.")
    ] = None
    accuracy: Annotated[
        Text, _word(MOTION, "accuracy", "Excess loss to stop at and to certify to.")
    ] = None
    set: Annotated[
        tuple[str, ...],
        Parameter(
            group=RECORD,
            negative=(),
            show_default=False,
            help="Any other key: KEY=VALUE, as in data.whiten=false. Repeatable.",
        ),
    ] = ()


@Parameter(name="*")
@dataclass(frozen=True)
class Moving:
    """Options that say how to move, and what to keep of it."""

    iterations: Annotated[Text, _word(MOTION, "iterations", "Most iterations.")] = None
    momentum: Annotated[
        Text, _word(MOTION, "momentum", "Heavy-ball coefficient, below 1.")
    ] = None
    leap: Annotated[
        bool | None,
        Parameter(group=MOTION, help="Leap over iterations: 10^11 in seconds."),
    ] = None
    tolerance: Annotated[
        Text, _word(MOTION, "tolerance", "Error a leaping run may make: 1e-9.")
    ] = None
    optimizer: Annotated[
        Text, Parameter(group=MOTION, help="sgd, heavy_ball, nesterov or adam.")
    ] = None
    flow: Annotated[
        bool | None,
        Parameter(group=MOTION, help="Integrate the gradient flow instead."),
    ] = None
    horizon: Annotated[Text, _word(MOTION, "horizon", "Flow time to reach.")] = None
    solver: Annotated[
        Text, Parameter(group=MOTION, help="dopri8, tsit5, kvaerno5 or exact.")
    ] = None
    compress: Annotated[
        bool | None,
        Parameter(group=MOTION, help="Move the smallest equal net (it does)."),
    ] = None
    measures: Annotated[
        Text, Parameter(group=RECORD, help="What to record: loss,imbalance.")
    ] = None
    records: Annotated[Text, _word(RECORD, "records", "About how many records.")] = None
    every: Annotated[
        Text, _word(RECORD, "every", "Or record every so many iterations.")
    ] = None
    theorems: Annotated[
        Text, Parameter(group=RECORD, help="'all', 'none' or names: a,b.")
    ] = None
    out: Annotated[Text, Parameter(group=RECORD, help="Folder of the result.")] = None
    figures: Annotated[
        Text, Parameter(group=RECORD, help="Write the figures too: png,svg,pdf.")
    ] = None
    page: Annotated[
        bool | None, Parameter(group=RECORD, help="Write the HTML page (it is).")
    ] = None


NO_POSING, NO_MOVING = Posing(), Moving()
"""No option at all."""


def merged(raw: dict[str, Any], *options: Posing | Moving) -> dict[str, Any]:
    """Return the keys of a file with options put over them.

    An option that cannot live beside a key of the file removes it: `--playground`
    the data, `--flow` the step size.

    Args:
        raw: What the file holds.
        *options: What the command line holds.

    Returns:
        One tree of keys, not yet checked.
    """
    tree = dict(raw)
    for given in options:
        _check_one_problem(given)
        for key in _ousted(given):
            tree.pop(key, None)
    for given in options:
        for name, value in vars(given).items():
            if value is not None and name != "set":
                _put_option(tree, name, value)
    for given in options:
        for assignment in getattr(given, "set", ()):
            _assign(tree, assignment)
    return tree


def _check_one_problem(given: Posing | Moving) -> None:
    kinds = [name for name in PROBLEMS if getattr(given, name, None) is not None]
    if len(kinds) > 1:
        raise ConfigError(
            f"{' and '.join(f'--{name}' for name in kinds)} came together; they name "
            "different problems, leave one of them out."
        )


def _ousted(given: Posing | Moving) -> tuple[str, ...]:
    """Return the keys of a file that the kind of motion asked for does away with."""
    flow, leap = getattr(given, "flow", None), getattr(given, "leap", None)
    keys: tuple[str, ...] = ()
    if flow is not None:
        keys += FLOWLESS if flow else FLOWING
    if leap is not None:
        keys += ("flow", *FLOWING) if leap else ("tolerance",)
    return keys


def literal(text: str) -> Any:
    """Return an option's text as the value a TOML file would give; else as text.

    Example:
        >>> literal("1e-3"), literal(".5"), literal("[2, 3]"), literal("auto")
        (0.001, 0.5, [2, 3], 'auto')
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _put_option(tree: dict[str, Any], name: str, value: Any) -> None:
    if name in PROBLEMS:
        _put_problem(tree, name, value)
    elif name == "init":
        old = _table(tree.get("init"))
        tree["init"] = old if old.get("name") == value else {"name": value}
        tree.pop("start", None)
    elif name == "start":
        tree.pop("init", None)
        tree["start"] = _listed(value)
    elif name in ("records", "every"):
        tree.pop("every" if name == "records" else "records", None)
        tree[name] = literal(value)
    else:
        places = {"targets": "data.targets", "data_dir": "data.data_dir"}
        places["std"] = "init.std"
        put(tree, places.get(name, name), _value(name, value))


def _value(name: str, value: Any) -> Any:
    if name in AS_THEY_ARE:
        return value
    if name == "hidden":
        return _listed(value)
    if name in ("targets", "measures", "theorems", "figures"):
        return value if value == "all" else _names(value)
    return literal(value)


def _put_problem(tree: dict[str, Any], name: str, value: str) -> None:
    """Take the problem from an option, whatever the file says it is."""
    old = _table(tree.pop("data", None))
    if name == "playground":
        tree.pop("hidden", None)
        tree["playground"] = literal(value)
        return
    tree.pop("playground", None)
    tree.pop("start", None)
    if name == "target":
        scale = {"scale": old["scale"]} if "scale" in old else {}
        tree["data"] = {**scale, "target": _rows(value)}
        return
    same = name == "data" and old.get("name") == value
    kept = old if same else {key: old[key] for key in KEPT if key in old}
    tree["data"] = {**kept, ("name" if name == "data" else "file"): value}


def put(tree: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a dotted path, making the tables on the way.

    Example:
        >>> tree = {"data": "digits"}
        >>> put(tree, "data.coding", "one-hot")
        >>> tree
        {'data': {'name': 'digits', 'coding': 'one-hot'}}
    """
    *parents, last = path.split(".")
    for parent in parents:
        tree[parent] = _table(tree.get(parent))
        tree = tree[parent]
    tree[last] = value


def _assign(tree: dict[str, Any], assignment: str) -> None:
    path, sign, text = assignment.partition("=")
    if not sign or not all(path.strip().split(".")):
        raise ConfigError(
            f"--set came with '{assignment}'; write KEY=VALUE, as in data.whiten=false."
        )
    put(tree, path.strip(), literal(text.strip()))


def _rows(text: str) -> Any:
    """Return a target's rows; numbers in a list are its singular values."""
    values = _listed(text)
    if not isinstance(values, list) or any(isinstance(v, list) for v in values):
        return values
    return [
        [value if row == column else 0.0 for column in range(len(values))]
        for row, value in enumerate(values)
    ]


def _table(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"name": value}
    return dict(value) if isinstance(value, dict) else {}


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [] if names == ["none"] else names


def _listed(text: str) -> Any:
    if text.strip().startswith("["):
        return literal(text)
    return [literal(name) for name in _names(text)]
