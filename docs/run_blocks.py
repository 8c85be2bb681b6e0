"""Run the code blocks of Markdown pages, in order, each page in a namespace of its own.

What a fence says after its language decides what happens to it:

* `python` is run; what it prints, and the pictures it saves, stand below it;
* `python hide` is run, and only what it makes is shown;
* `python raises` must end in an exception of Thalweg, whose message is shown;
* `python file=src/thalweg/measures/x.py` is put on that shelf while the page lasts;
* `console` runs the lines that begin with `$ thalweg`; `console fails` must fail;
* `lines=8` after any of them shows the first eight lines of the output.

Other fences are left alone. A page runs in a temporary folder. From a shell,
`python docs/run_blocks.py docs/start/index.md` runs a page and prints what it prints.
"""

import importlib
import io
import os
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import (
    ExitStack,
    chdir,
    contextmanager,
    redirect_stderr,
    redirect_stdout,
)
from dataclasses import dataclass
from pathlib import Path

from thalweg._core.errors import ThalwegError
from thalweg.cli.main import execute

FENCE = re.compile(
    r"^```(?P<kind>python|console)(?P<words>[^\n`]*)\n(?P<code>.*?)^```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
PICTURES = (".svg", ".png")
FOLDERS = ("start", "how-to", "understand")
COLUMNS = "88"
"""Width of the terminal that the blocks see."""


class BlockFailed(Exception):
    """A block that did not do what its fence says."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page.

    Attributes:
        kind: `python` or `console`.
        words: What the fence says after its language.
        code: The text between the fences.
        line: Line of the page on which the code begins.
        span: Where the whole fence stands in the text.
    """

    kind: str
    words: tuple[str, ...]
    code: str
    line: int
    span: tuple[int, int]

    def value(self, key: str) -> str | None:
        """Return what follows `key=` on the fence, or `None`."""
        return dict(word.partition("=")[::2] for word in self.words).get(key)


@dataclass(frozen=True)
class Ran:
    """What a block printed, and the pictures it saved."""

    output: str
    pictures: tuple[Path, ...]


def pages(docs: Path) -> list[Path]:
    """Return the pages whose blocks are run."""
    found = [file for name in FOLDERS for file in sorted((docs / name).glob("*.md"))]
    return [docs / "index.md", *found]


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page that are run."""
    return [
        Block(
            kind=match["kind"],
            words=tuple(match["words"].split()),
            code=match["code"],
            line=text.count("\n", 0, match.start("code")) + 1,
            span=match.span(),
        )
        for match in FENCE.finditer(text)
    ]


@contextmanager
def ran(text: str, page: str) -> Iterator[list[tuple[Block, Ran]]]:
    """Run every block of a page; the pictures last as long as the context.

    Yields:
        The blocks with what they made.

    Raises:
        BlockFailed: If one did not do what its fence says.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        before = os.environ.get("COLUMNS")
        os.environ["COLUMNS"] = COLUMNS
        stack.callback(_restore, before)
        namespace: dict[str, object] = {"__name__": "__main__"}
        made = []
        with chdir(folder):
            for block in blocks(text):
                seen = _pictures(folder)
                output = _run(block, namespace, page, stack)
                new = [file for file in _pictures(folder) if file not in seen]
                made.append((block, Ran(_shortened(output, block), tuple(new))))
        yield made


def _run(block: Block, namespace: dict, page: str, stack: ExitStack) -> str:
    file = block.value("file")
    try:
        if file is not None:
            stack.enter_context(on_the_shelf(file, block.code))
            return ""
        if block.kind == "console":
            return _console(block)
        return _python(block, namespace, page)
    except BlockFailed:
        raise
    except Exception as error:
        told = "".join([block.code, "\n", *traceback.format_exception(error)])
        raise BlockFailed(f"{page}, line {block.line}:\n{told}") from error


def _python(block: Block, namespace: dict, page: str) -> str:
    code = compile("\n" * (block.line - 1) + block.code, page, "exec")
    out = io.StringIO()
    try:
        with redirect_stdout(out):
            exec(code, namespace)
    except ThalwegError as error:
        if "raises" not in block.words:
            raise
        return f"{out.getvalue()}{type(error).__name__}: {error}\n"
    if "raises" in block.words:
        raise BlockFailed(f"{page}, line {block.line} raises nothing.")
    return out.getvalue()


def _console(block: Block) -> str:
    told = []
    for line in block.code.splitlines():
        if not line.startswith("$ thalweg"):
            continue
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = execute(shlex.split(line)[2:])
        failed = "fails" in block.words
        if bool(code) is not failed:
            raise BlockFailed(f"'{line}' left with {code}: {err.getvalue()}")
        told.append(err.getvalue() if failed else out.getvalue())
    return "".join(told)


@contextmanager
def on_the_shelf(file: str, code: str) -> Iterator[None]:
    """Put a file on a shelf of the package without touching the package.

    Args:
        file: Where it would stand: `src/thalweg/measures/x.py`.
        code: What it holds.
    """
    module = ".".join(Path(file).with_suffix("").parts[1:])
    package = importlib.import_module(module.rpartition(".")[0])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / Path(file).name).write_text(code, encoding="utf-8")
        package.__path__.append(folder)
        package.shelf.__dict__.pop("cards", None)
        importlib.invalidate_caches()
        try:
            yield
        finally:
            package.__path__.remove(folder)
            package.shelf.__dict__.pop("cards", None)
            sys.modules.pop(module, None)


def _pictures(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*")) if file.suffix in PICTURES]


def _shortened(output: str, block: Block) -> str:
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    most = int(block.value("lines") or 10**6)
    return "\n".join(lines if len(lines) <= most else [*lines[:most], "..."])


def _restore(columns: str | None) -> None:
    if columns is None:
        os.environ.pop("COLUMNS", None)
    else:
        os.environ["COLUMNS"] = columns


def main(names: list[str]) -> int:
    """Run the pages named, or all of them; return the exit code."""
    chosen = [Path(name) for name in names] or pages(Path(__file__).parent)
    for page in chosen:
        print(f"== {page}")
        with ran(page.read_text(encoding="utf-8"), str(page)) as made:
            for _, result in made:
                if result.output:
                    print(result.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
