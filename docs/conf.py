"""How the pages are built: `sphinx-build -W -q -b html docs docs/_build`.

Nothing here needs the network, nor do the pages: formulas are MathML, the font is the
reader's own. The reference is written by `_ext/shelves.py` from the package itself.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "_ext")]

import thalweg  # noqa: E402

project = "Thalweg"
author = "The Thalweg authors"
copyright = "The Thalweg authors, MIT licence"
version = release = thalweg.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "mathml",
    "shelves",
    "blocks",
]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
default_role = "code"
html_math_renderer = "mathml"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_use_rtype = False
napoleon_custom_sections = ["Source"]

html_theme = "furo"
html_title = f"Thalweg {version}"
html_static_path = ["_static"]
html_css_files = ["thalweg.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
pygments_style = "friendly"
