"""`thalweg landscape`: critical points of a problem, or what one point is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from thalweg._core.errors import ConfigError
from thalweg.cli import telling
from thalweg.cli.options import NO_POSING, RECORD, Posing
from thalweg.cli.progress import Watch

FIGURES = ("png", "svg", "pdf")

LARGEST = 2000
"""Up to so many weights the whole spectrum is told; of more, its ends."""


def landscape(
    file: Path | None = None,
    /,
    *,
    posing: Posing = NO_POSING,
    at: Annotated[Path | None, Parameter(group=RECORD, show_default=False)] = None,
    most: Annotated[int, Parameter(group=RECORD)] = 24,
    every: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
    prove: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
    figures: Annotated[Path | None, Parameter(group=RECORD, show_default=False)] = None,
    format: Annotated[str, Parameter(group=RECORD)] = "svg",
    json: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
) -> int:
    """Map a problem's critical points: values, kinds, dimensions, ways out.

    Args:
        file: Settings as TOML, as for `run`; options win. Or the folder of a saved run:
            at which saddles it rested.
        posing: What is learned.
        at: Weights to look at, as NPZ or JSON: what kind of critical point they are,
            why, the Hessian's spectrum, the way out. A playground's are its --start.
        most: How many families of critical points to list, the lowest first.
        every: List every rank of the inner layers, not the largest only.
        prove: Prove of the point what can be proved, in exact arithmetic.
        figures: Folder for the pictures: the staircase of saddles; the loss along the
            ways out of a point; a run over the staircase, and in the plane in which
            it moves most.
        format: Of the pictures: png, svg or pdf.
        json: Print one JSON object and nothing else.

    Returns:
        The exit code: 0.

    Raises:
        ConfigError: If options do not go together.
    """
    if format not in FIGURES:
        raise ConfigError(f"--format is '{format}'; it must be one of png, svg, pdf.")
    with Watch(not json) as watch:
        subject = _Subject.of(file, posing, at)
        watch.phase("mapping")
        found = _Map(subject, (most, every), prove)
        files = [] if figures is None else found.drawn(figures, format)
    if json:
        telling.say_json({**found.record(), "files": files})
        return 0
    for part in found.tables():
        telling.show(part)
    for written in files:
        telling.say(f"figure: {written}")
    return 0


class _Subject:
    """What is mapped: a problem, and perhaps a point of it, or a path."""

    def __init__(self, problem: Any, point: Any = None, path: Any = None) -> None:
        self.problem, self.point, self.path = problem, point, path

    @classmethod
    def of(cls, file: Path | None, posing: Posing, at: Path | None) -> "_Subject":
        if file is not None and file.is_dir():
            return cls._saved(file, posing, at)
        from thalweg.cli.reading import read
        from thalweg.request.posing import problem_of

        reading = read(file, posing, runs=False)
        problem, _ = problem_of(reading.settings)
        if at is not None:
            from thalweg.inits.explicit import read_weights

            return cls(problem, problem.check(read_weights(at)))
        given = reading.settings.start if "start" in reading.given else None
        return cls(problem, None if given is None else problem.check(given))

    @classmethod
    def _saved(cls, folder: Path, posing: Posing, at: Path | None) -> "_Subject":
        from thalweg.motion.path import Path as Run

        given = [k for k, value in vars(posing).items() if value not in (None, ())]
        if given or at is not None:
            raise ConfigError(
                f"{folder} is a saved run, mapped as it is; leave out "
                f"{', '.join(f'--{name}' for name in [*given, *['at'] * bool(at)])}."
            )
        path = Run.load(folder)
        if path.batched:
            raise ConfigError(f"{folder} holds several runs; map a run of one start.")
        return cls(path.problem, path=path)


class _Map:
    """What was found, and how it is told."""

    def __init__(
        self, subject: _Subject, listed: tuple[int, bool], prove: bool
    ) -> None:
        from thalweg.landscape.strata import strata
        from thalweg.landscape.values import critical_values

        self.problem, self.point, self.path = (
            subject.problem,
            subject.point,
            subject.path,
        )
        self.values = critical_values(self.problem)
        most, every = listed
        self.strata = list(strata(self.problem, most=most, every=every))
        self.coefficient = _coefficient(self.problem)
        self.plateaus: Sequence[Any] = ()
        self.found: Any = None
        self.spectrum: Any = None
        self.ways: list[Any] = []
        if self.path is not None:
            from thalweg.landscape.marking import mark_plateaus

            self.plateaus = mark_plateaus(self.path)
        if self.point is not None:
            self._look(prove)

    def _look(self, prove: bool) -> None:
        from thalweg.landscape.directions import all_directions
        from thalweg.landscape.higher import escape_order
        from thalweg.landscape.spectrum import hessian_spectrum
        from thalweg.landscape.strictness import classify

        self.found = classify(self.problem, self.point, rigorous=prove)
        ends = None if self.problem.net.parameters <= LARGEST else 3
        self.spectrum = hessian_spectrum(
            self.problem, self.point, top=ends, bottom=ends
        )
        if self.found.kind == "strict saddle":
            ways = all_directions(self.problem, self.point)
            self.ways = sorted(ways, key=lambda way: way.curvature)
        elif self.found.kind == "non-strict saddle":
            self.ways = [escape_order(self.problem, self.point)]

    def record(self) -> dict[str, Any]:
        """Return everything for programs.

        Keys: `problem`, `critical_values` (`count`, `first`), `strata`,
        `learning_coefficient` (`null` where none is known), `point` (`null`, or the
        classification with `spectrum` and `ways`), `plateaus`.
        """
        point = None
        if self.found is not None:
            point = {
                **self.found.to_json(),
                "spectrum": self.spectrum.to_json(),
                "ways": [way.to_json() for way in self.ways],
            }
        return {
            "problem": telling.problem_record(self.problem),
            "critical_values": self.values.to_json(),
            "strata": [one.to_json() for one in self.strata],
            "learning_coefficient": self.coefficient and self.coefficient.to_json(),
            "point": point,
            "plateaus": [one.to_json() for one in self.plateaus],
        }

    def tables(self) -> list[Any]:
        """Return what a terminal shows."""
        from thalweg.report.landscape import plateau_table, point_table, strata_table

        shown: list[Any] = [strata_table(self.strata, self.values)]
        if self.coefficient is not None:
            shown.append(self._at_a_minimum())
        if self.found is not None:
            shown.append(point_table(self.found, self.spectrum, self.ways[:3]))
        if self.path is not None:
            shown.append(plateau_table(self.plateaus))
        return shown

    def _at_a_minimum(self) -> str:
        """Return how singular a minimum is, beside half the Hessian's rank there."""
        counted = [
            one.parameters - one.zero
            for one in self.strata
            if one.kind == "global minimum" and one.zero is not None
        ]
        beside = f"; half the Hessian's rank: {max(counted) / 2:g}" if counted else ""
        return f"At a global minimum: {self.coefficient}{beside}."

    def drawn(self, folder: Path, form: str) -> list[str]:
        """Return the pictures, written now."""
        from thalweg.report.figure import save_figure
        from thalweg.report.profile import profile
        from thalweg.report.staircase import staircase

        stairs = staircase(self.strata, self.path, self.plateaus)
        files = [save_figure(stairs, folder / f"staircase.{form}")]
        if self.path is not None and self.path.settings["kind"] != "training":
            from thalweg.landscape.path_plane import path_plane
            from thalweg.report.path_map import path_map

            drawn = path_map(path_plane(self.path), self.plateaus)
            files.append(save_figure(drawn, folder / f"path.{form}"))
        if self.ways:
            drawn = profile(self.problem, self.point, self.ways[:4])
            files.append(save_figure(drawn, folder / f"ways_out.{form}"))
        return [str(file) for file in files]


def _coefficient(problem: Any) -> Any:
    """Return the learning coefficient; `None` if the net cannot express the target."""
    from thalweg.landscape.coefficient import learning_coefficient
    from thalweg.landscape.reduced import Modes, factors, linear

    posed = linear(problem)
    labels = factors(posed)[1]
    rank = Modes.of(labels).rank
    if rank > posed.net.largest_rank:
        return None
    return learning_coefficient((labels.shape[1], *posed.net.widths[1:]), rank)
