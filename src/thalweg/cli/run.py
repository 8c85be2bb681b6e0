"""`thalweg run`: from data to a trajectory, certificates, a summary and a page."""

import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from thalweg._core.outcome import Status
from thalweg.cli import telling
from thalweg.cli.options import NO_MOVING, NO_POSING, RECORD, Moving, Posing
from thalweg.cli.place import Place, check, reserve
from thalweg.cli.progress import Watch

SAVE_SECONDS = 5.0
"""How often an unfinished descent is saved."""

PAGE = "page.html"
FIGURES = "figures"


@dataclass(frozen=True)
class Wishes:
    """What is wanted beside the path.

    Attributes:
        page: Whether to write the page.
        figures: Formats of the figures.
        json: Whether to print one JSON object.
        quiet: Whether to print only where the result lies.
    """

    page: bool
    figures: tuple[str, ...]
    json: bool
    quiet: bool


def run(
    file: Path | None = None,
    /,
    *,
    posing: Posing = NO_POSING,
    moving: Moving = NO_MOVING,
    resume: Annotated[Path | None, Parameter(group=RECORD)] = None,
    overwrite: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
    json: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
    quiet: Annotated[bool, Parameter(group=RECORD, negative=())] = False,
) -> int:
    """Run gradient descent, leaps or flow: trajectory, certificates, summary, page.

    Args:
        file: Settings as TOML; its keys are the options. Options win.
        posing: What is learned.
        moving: How to move.
        resume: Go on with the run saved in this folder, bit for bit.
        overwrite: Replace an earlier result in --out.
        json: Print one JSON object and nothing else.
        quiet: Print only where the result lies.

    Returns:
        The exit code: 0, or 130 if it was interrupted.
    """
    began = time.perf_counter()
    if resume is not None:
        return _resumed(file, resume, posing, moving, (json, quiet), began)
    from thalweg.cli.reading import read

    settings = read(file, posing, moving).settings
    wishes = Wishes(settings.page, settings.figures, json, quiet)
    check(settings.out, overwrite)
    with Watch(not quiet) as watch:
        from thalweg.request.moving import mover
        from thalweg.request.posing import notes, pose, step_of

        posed = pose(settings)
        watch.phase("choosing the step")
        step = step_of(settings, posed)
        noted = notes(settings, posed, telling.COMMAND.get())
        with _reserved(settings.out, settings.label) as place:
            watch.phase("compiling")
            keeper = Keeper(place, noted, watch, settings.accuracy)
            path = keeper.carried(mover(settings, posed, step))
        return _finish(path, place, wishes, watch, began)


class Keeper:
    """Saves a path on its way and at its end, and shows how far it is.

    Args:
        place: Where to.
        notes: What is noted on the path.
        watch: The progress line.
        accuracy: Excess loss at which the path may stop early.
    """

    def __init__(
        self, place: Place, notes: dict[str, Any], watch: Watch, accuracy: float | None
    ) -> None:
        self._place, self._notes = place, notes
        self._watch, self._accuracy = watch, accuracy
        self._due = time.perf_counter() + SAVE_SECONDS

    def __call__(self, progress: Any) -> None:
        """Take note of a slice; the callback of `descend` and `flow`."""
        if hasattr(progress, "horizon"):
            self._watch.flow(progress)
        else:
            self._watch.descent(progress, self._accuracy)
        begun = time.perf_counter()
        if begun >= self._due:
            self._save(progress.snapshot())
            ended = time.perf_counter()
            self._due = ended + max(SAVE_SECONDS, 20 * (ended - begun))

    def carried(self, mover: Callable[..., Any]) -> Any:
        """Return the finished path, saved.

        Args:
            mover: `descend`, `flow` or `resume`, but for the callback.

        Returns:
            The path with its notes.
        """
        return self._save(mover(on_progress=self))

    def _save(self, path: Any) -> Any:
        noted = path.with_notes(**self._notes)
        with unhurried():
            noted.save(self._place.folder)
        return noted


@contextmanager
def unhurried() -> Iterator[None]:
    """Let Ctrl-C wait until a save is whole.

    Yields:
        Nothing.

    Raises:
        KeyboardInterrupt: After the save, if Ctrl-C was pressed during it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


@contextmanager
def _reserved(out: str | None, label: str) -> Iterator[Place]:
    """Make the folder, and remove it again if nothing came to lie in it.

    Yields:
        The place.
    """
    place = reserve(out, label)
    try:
        yield place
    except BaseException:
        place.leave()
        raise


def _resumed(
    file: Path | None,
    folder: Path,
    posing: Posing,
    moving: Moving,
    manner: tuple[bool, bool],
    began: float,
) -> int:
    """Return the exit code of going on with a saved run."""
    from functools import partial

    from thalweg.cli.reading import read_resumed

    asked = read_resumed(file, posing, moving)
    iterations = asked.settings.iterations
    json, quiet = manner
    with Watch(not quiet) as watch:
        from thalweg.motion.descend import resume
        from thalweg.motion.path import Path as Run

        path = Run.load(folder)
        noted = dict(path.notes)
        if iterations is not None and iterations != path.settings.get("iterations"):
            noted = _longer(noted, iterations)
        watch.phase("compiling")
        keeper = Keeper(Place(folder), noted, watch, path.settings.get("accuracy"))
        path = keeper.carried(partial(resume, path, iterations=iterations))
        wishes = Wishes(
            page=_as_before("page", asked, path),
            figures=tuple(_as_before("figures", asked, path)),
            json=json,
            quiet=quiet,
        )
        return _finish(path, Place(folder), wishes, watch, began)


def _as_before(key: str, asked: Any, path: Any) -> Any:
    """Return a setting as asked for now, else as it was when the run began."""
    now = getattr(asked.settings, key)
    if key in asked.given:
        return now
    return path.notes.get("settings", {}).get(key, now)


def _longer(noted: dict[str, Any], iterations: int) -> dict[str, Any]:
    """Return notes whose command and settings ask for other iterations."""
    noted = dict(noted)
    if "settings" in noted:
        noted["settings"] = {**noted["settings"], "iterations": iterations}
    if "command" in noted:
        words, kept = iter(shlex.split(noted["command"])), []
        for word in words:
            if word == "--iterations":
                next(words, None)
            elif not word.startswith("--iterations="):
                kept.append(word)
        noted["command"] = shlex.join([*kept, "--iterations", str(iterations)])
    return noted


def _finish(path: Any, place: Place, wishes: Wishes, watch: Watch, began: float) -> int:
    """Return the exit code after certifying, drawing, printing; or only printing."""
    interrupted = path.outcome.status is Status.INTERRUPTED
    files: dict[str, Any] = {"run": str(place.folder), "page": None, "figures": []}
    certified: list[Any] = []
    if not interrupted:
        watch.phase("certifying")
        certified = certificates_of(path)
        watch.phase("drawing")
        if wishes.page:
            files["page"] = telling.write_page(path, certified, place.folder / PAGE)
        if wishes.figures:
            files["figures"] = telling.write_figures(
                path, certified, place.folder / FIGURES, wishes.figures
            )
    watch.__exit__()
    if wishes.json:
        seconds = time.perf_counter() - began
        telling.say_json(telling.run_record(path, certified, files, seconds))
    else:
        _tell(path, certified, files, wishes.quiet)
    if interrupted:
        _tell_how_to_go_on(path, place)
    return 130 if interrupted else 0


def _tell(path: Any, certified: list[Any], files: dict[str, Any], quiet: bool) -> None:
    if not quiet:
        telling.show(telling.summary(path, certified))
        for line in remarks(path):
            telling.say(line)
        telling.say()
    if files["figures"]:
        folder = Path(files["figures"][0]).parent
        telling.say(f"figures: {folder} ({len(files['figures'])} files)")
    if files["page"]:
        telling.say(f"page: {files['page']}")
    telling.say(f"run: {files['run']}")


def _tell_how_to_go_on(path: Any, place: Place) -> None:
    if path.is_flow:
        return
    again = shlex.join(["thalweg", "run", "--resume", str(place.folder)])
    sys.stderr.write(f"thalweg: {path.outcome} Go on with: {again}\n")


def certificates_of(path: Any) -> list[Any]:
    """Return the certificates of a run, promised and observed side by side.

    Args:
        path: A path, with the settings noted on it if it came from here.

    Returns:
        The certificates; none for a batch. Under momentum nothing observed is set
        beside them: they are about plain descent.
    """
    from thalweg.request.posing import certificates

    if path.batched:
        return []
    return certificates(
        _noted_settings(path),
        path.problem,
        path.start,
        step_size=path.step_size,
        path=path if _is_plain(path) else None,
    )


def remarks(path: Any) -> list[str]:
    """Return what must be said beside the tables."""
    if _is_plain(path):
        return []
    return [
        "Certificates are about descent without momentum; nothing observed is compared."
    ]


def _is_plain(path: Any) -> bool:
    """Return whether a path is a flow or plain descent, of which theorems speak."""
    training = path.settings["kind"] == "training"
    return not training and not path.settings.get("momentum")


def _noted_settings(path: Any) -> Any:
    from pydantic import ValidationError

    from thalweg.request.settings import Settings

    try:
        return Settings.model_validate(path.notes["settings"])
    except (KeyError, ValidationError):
        return None
