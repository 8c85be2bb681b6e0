"""The command `thalweg`: its commands, and the boundary where errors become words."""

import contextlib
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App, CycloptsError

import thalweg
from thalweg._core.errors import ThalwegError
from thalweg.cli import telling
from thalweg.cli.basins import basins
from thalweg.cli.certify import certify
from thalweg.cli.data import data
from thalweg.cli.landscape import landscape
from thalweg.cli.laws import laws
from thalweg.cli.list import show_list
from thalweg.cli.reproduce import reproduce
from thalweg.cli.run import run
from thalweg.cli.show import show
from thalweg.cli.sweep import sweep
from thalweg.cli.verify import verify

LIMITS = (OSError, MemoryError, RuntimeError)
"""What is raised where the machine cannot do what was asked."""

BAD_INPUT, INTERRUPTED = 2, 130

app = App(
    name="thalweg",
    version=thalweg.__version__,
    help="What gradient descent really does on deep linear networks.",
    help_format="plaintext",
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
)
app.command(run)
app.command(certify)
app.command(verify)
app.command(show)
app.command(landscape)
app.command(basins)
app.command(laws)
app.command(sweep)
app.command(reproduce)
app.command(data)
app.command(show_list, name="list")


def main(tokens: Sequence[str] | None = None) -> None:
    """Carry out a command line and leave with its exit code.

    Args:
        tokens: The words after `thalweg`; those of the process by default.

    Raises:
        SystemExit: Always, with the exit code.
    """
    raise SystemExit(execute(sys.argv[1:] if tokens is None else tokens))


def execute(tokens: Sequence[str]) -> int:
    """Carry out a command line.

    Args:
        tokens: The words after `thalweg`.

    Returns:
        The exit code: 0 for any result, 2 for bad input, 130 after Ctrl-C.
    """
    _keep_programs()
    try:
        return _carried_out(tokens)
    except KeyboardInterrupt:
        sys.stderr.write("thalweg: interrupted.\n")
        return INTERRUPTED


def _keep_programs() -> None:
    """Let JAX keep compiled programs in the user's cache: later runs start sooner."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "thalweg" / "programs"
    with contextlib.suppress(OSError, RuntimeError):
        place.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(place))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")


def _carried_out(tokens: Sequence[str]) -> int:
    """Return the exit code of a command, errors told in words."""
    telling.COMMAND.set(shlex.join(["thalweg", *tokens]))
    try:
        code = app(list(tokens))
        sys.stdout.flush()
    except (ThalwegError, CycloptsError) as error:
        return _complain(str(error), tokens)
    except BrokenPipeError:
        # Nobody reads on: nor must the interpreter's own flush complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except LIMITS as error:
        sentence = _of_the_machine(error)
        if sentence is None:
            raise
        return _complain(sentence, tokens)
    return code if isinstance(code, int) else 0


def _complain(sentence: str, tokens: Sequence[str]) -> int:
    sys.stderr.write(f"thalweg: {sentence.strip()}\n")
    if "--json" in tokens:
        telling.say_json({"error": sentence.strip()})
    return BAD_INPUT


def _of_the_machine(error: Exception) -> str | None:
    """Return the sentence for what the machine cannot do; `None` for our mistakes."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror[:1].lower()}{error.strerror[1:]}."
    if isinstance(error, MemoryError) or str(error).startswith("RESOURCE_EXHAUSTED"):
        cause = str(error).partition(": ")[2].partition("\n")[0].rstrip(". ")
        return f"there is not enough memory for this{cause and f' ({cause})'}."
    return None
