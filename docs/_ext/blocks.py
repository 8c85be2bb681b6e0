"""Run the blocks of a page while Sphinx reads it, and put their output below them."""

import shutil
from pathlib import Path

import run_blocks
from sphinx.errors import ExtensionError

FIGURES = Path("reference/generated/figures")


def read(app, docname, source):
    """Replace the text of a page by the same with outputs and pictures."""
    page = Path(app.env.doc2path(docname))
    if page.suffix != ".md" or page not in run_blocks.pages(Path(app.srcdir)):
        return
    text, parts, end = source[0], [], 0
    try:
        with run_blocks.ran(text, str(page.relative_to(app.srcdir))) as made:
            for block, result in made:
                parts += [text[end : block.span[0]], _shown(block)]
                parts += [_output(result.output, block.kind)]
                parts += [_picture(app, docname, file) for file in result.pictures]
                end = block.span[1]
    except run_blocks.BlockFailed as error:
        raise ExtensionError(str(error)) from error
    source[0] = "".join([*parts, text[end:]])


def _shown(block):
    if "hide" in block.words:
        return ""
    file = block.value("file")
    caption = f":caption: {file}\n" if file else ""
    return f"```{{code-block}} {block.kind}\n{caption}\n{block.code}```\n"


def _output(text, kind):
    if not text:
        return ""
    return f"\n```{{code-block}} text\n:class: output\n\n{text}\n```\n"


def _picture(app, docname, file):
    folder = Path(app.srcdir) / FIGURES
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{docname.replace('/', '-')}-{file.name}"
    shutil.copyfile(file, folder / name)
    alt = file.stem.replace("_", " ").replace("-", " ")
    return f"\n```{{image}} /{FIGURES}/{name}\n:alt: {alt}\n:class: picture\n```\n"


def setup(app):
    """Connect the hook."""
    app.connect("source-read", read)
    return {"parallel_read_safe": False}
