"""A comparison as one HTML file that needs nothing else."""

import io
import platform
from html import escape
from importlib.metadata import version

import numpy as np

from sklearn_mmsent import __version__
from sklearn_mmsent.model_selection.comparison import _summary
from sklearn_mmsent.utils._optional import import_optional

LIBRARIES = ("scikit-learn", "torch", "skorch", "numpy", "pandas")
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
  max-width: 75rem; margin: 0 auto; padding: 1rem; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.15rem; margin-top: 2rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }}
th, td {{ padding: .3rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #ddd; }}
th:first-child, td:first-child {{ text-align: left; }}
thead th {{ border-bottom: 2px solid #888; }}
td.best {{ font-weight: 700; }}
svg {{ width: 100%; max-width: 44rem; height: auto; margin-top: 1rem; }}
@media (min-width: 45rem) {{
  dl {{ display: grid; grid-template-columns: auto 1fr; gap: .2rem 1rem; }} }}
dt {{ font-weight: 600; }} dd {{ margin: 0; overflow-wrap: anywhere; }}
dd code {{ white-space: pre-wrap; }}
details {{ margin-top: 1rem; }} summary {{ cursor: pointer; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def write_html(comparison, title):
    """Write a comparison as a page.

    Parameters
    ----------
    comparison : Comparison
        What :func:`compare` gave.
    title : str
        Of the page.

    Returns
    -------
    str
        HTML with its pictures inside.
    """
    sections = [
        f"<p>{escape(comparison.note)}</p>",
        _scores(comparison),
        f"<h2>{escape(comparison.primary)}</h2>\n{_tests(comparison)}\n{_picture(comparison)}",
        *_breakdowns(comparison),
    ]
    if not comparison.chosen_.empty:
        cells = comparison.chosen_.map(_cell)
        table = _html([list(cells.columns), *cells.to_numpy().tolist()])
        sections.append(_folded("What searches chose", table))
    sections.append(_settings(comparison))
    return PAGE.format(title=escape(title), body="\n".join(sections))


def _scores(comparison):
    table = comparison.table
    rows, marked = [["model", *comparison.scores, "fit s", "predict s"]], set()
    best = [_summary.best_of(table[s, "mean"], s) for s in comparison.scores]
    for i, name in enumerate(table.index, start=1):
        of_model = table.loc[name]
        cells = [
            _with(of_model[score, "mean"], of_model[score, "std"]) for score in comparison.scores
        ]
        seconds = [f"{of_model['seconds', s]:.2g}" for s in ("fit", "predict")]
        rows.append([name, *cells, *seconds])
        marked |= {(i, j) for j, first in enumerate(best, start=1) if first == name}
    return f"<h2>Scores</h2>\n{_html(rows, marked)}"


def _tests(comparison):
    rows = [["model", "mean", "interval", "difference", "p", "p (Holm)"]]
    for name, row in comparison.table[comparison.primary].iterrows():
        interval = "-" if np.isnan(row["low"]) else f"{row['low']:.3f} to {row['high']:.3f}"
        numbers = _number(row["mean"]), interval, _number(row["difference"])
        rows.append([name, *numbers, _p(row["p"]), _p(row["p_holm"])])
    return _html(rows)


def _picture(comparison):
    import_optional("matplotlib", extra="report", needed_by="Comparison.to_html")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 0.4 * len(comparison.table) + 1.2), layout="constrained")
    comparison.plot(ax=figure.subplots())
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    picture = file.getvalue()
    return picture[picture.index("<svg") :]  # without the head of a file of its own


def _breakdowns(comparison):
    score = comparison.primary
    if comparison.presence is not None and len(set(comparison.presence)) > 1:
        table = comparison.breakdown("presence", scores=[score])
        yield f"<h2>{escape(score)} by the modalities that a row has</h2>\n{_parts(table, score)}"
    if comparison.groups is not None:
        table = comparison.breakdown("group", scores=[score])
        yield _folded(f"{score} by group", _parts(table, score))


def _parts(table, score):
    """Write a breakdown with a row per part and a column per model."""
    models = table.index.unique("model")
    rows = [["part", "rows", *models]]
    for part in table.index.unique("part"):
        of_part = table.xs(part, level="part")
        cells = []
        for model in models:
            row = of_part[score].loc[model]
            cells.append(_with(row["mean"], row["high"] - row["mean"]))
        rows.append([str(part), str(of_part["rows"].iloc[0].item()), *cells])
    return f"<p>Score ± half of its interval.</p>\n{_html(rows)}"


def _settings(comparison):
    installed = {"Python": platform.python_version(), "sklearn-mmsent": __version__}
    installed |= {name: version(name) for name in LIBRARIES}
    settings = {
        **comparison.settings,
        "versions": ", ".join(f"{name} {number}" for name, number in installed.items()),
    }
    items = (
        f"<dt>{escape(name)}</dt><dd><code>{escape(str(value))}</code></dd>"
        for name, value in settings.items()
    )
    return "<h2>Settings</h2>\n<dl>" + "\n".join(items) + "</dl>"


def _folded(title, content):
    return f"<details><summary><strong>{escape(title)}</strong></summary>\n{content}\n</details>"


def _html(rows, marked=()):
    """Write rows of texts, the first being the head, as a table that scrolls by itself."""
    head = "".join(f"<th>{escape(str(cell))}</th>" for cell in rows[0])
    body = []
    for i, row in enumerate(rows[1:], start=1):
        cells = (
            f"<td{' class=best' if (i, j) in marked else ''}>{escape(str(cell))}</td>"
            for j, cell in enumerate(row)
        )
        body.append(f"<tr>{''.join(cells)}</tr>")
    inside = f"<thead><tr>{head}</tr></thead>\n<tbody>{''.join(body)}</tbody>"
    return f'<div class="wide"><table>{inside}</table></div>'


def _with(value, spread):
    return _number(value) if np.isnan(spread) else f"{_number(value)} ± {_number(spread)}"


def _number(value):
    return "-" if np.isnan(value) else f"{value:.3f}"


def _cell(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _p(value):
    return "-" if np.isnan(value) else f"{value:.2g}"
