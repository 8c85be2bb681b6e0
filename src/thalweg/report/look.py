"""How everything looks: the only place where colours and sizes are written.

Colours are Okabe and Ito's, told apart by colour-blind eyes and, by their lightness,
in grey. A bound is always dashed, a measured curve always solid.
"""

from typing import Any

INK = "#1b2733"
FAINT = "#8a97a3"
PAPER = "#ffffff"
TINT = "#f4f7f9"
LINE = "#d7dee4"
GOOD = "#007a5a"
BAD = "#b3261e"
OPEN = "#8a5a00"
BOUND = "#b3261e"
CURVES = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#5b3a8c",
    "#7a7a7a",
)
MEASURED = "-"
PROMISED = (0, (5, 3))

TEXT = 10
SMALL = 8.5
WIDTH, HEIGHT = 5.6, 3.5

RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "path",
    "svg.hashsalt": "thalweg",
}

CSS = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: {TINT}; color: {INK};
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }}
main {{ max-width: 1180px; margin: 0 auto; padding: 24px 20px 60px; }}
h1 {{ font-size: 1.6rem; margin: 0 0 4px; }}
h2 {{ font-size: 1.15rem; margin: 32px 0 10px; }}
p.lead {{ margin: 0 0 16px; font-size: 1.05rem; }}
.grid {{ display: grid; gap: 18px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); }}
.card {{ background: {PAPER}; border: 1px solid {LINE}; border-radius: 8px;
  padding: 14px 16px; min-width: 0; }}
figure {{ margin: 0; }}
figure svg {{ width: 100%; height: auto; display: block; }}
figcaption {{ font-size: .9rem; }}
figcaption .theory {{ color: #4a5864; display: block; }}
table {{ border-collapse: collapse; width: 100%; font-size: .92rem; }}
th, td {{ text-align: left; vertical-align: top; padding: 5px 10px 5px 0;
  border-bottom: 1px solid {LINE}; overflow-wrap: anywhere; }}
th {{ overflow-wrap: normal; }}
td:first-child, th:first-child {{ min-width: 9em; }}
td.proved, td.refuted, td.undecided, th.short {{ white-space: nowrap;
  overflow-wrap: normal; }}
td.wide {{ min-width: 17em; }}
td.number {{ font-variant-numeric: tabular-nums; white-space: nowrap; }}
.scroll {{ overflow-x: auto; }}
.proved {{ color: {GOOD}; font-weight: 600; }}
.refuted {{ color: {BAD}; font-weight: 600; }}
.undecided {{ color: {OPEN}; font-weight: 600; }}
details {{ margin: 2px 0; }}
summary {{ cursor: pointer; }}
pre {{ background: {TINT}; border: 1px solid {LINE}; border-radius: 6px;
  padding: 10px 12px; overflow-x: auto; font-size: .85rem; margin: 6px 0; }}
footer {{ color: #4a5864; font-size: .85rem; margin-top: 30px; }}
@media print {{ body {{ background: {PAPER}; }} .card {{ break-inside: avoid; }} }}
"""
