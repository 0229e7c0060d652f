"""What a second pass through Cached costs."""

import tempfile

import _data
from _process import measure
from _section import Section

from sklearn_mmsent import Cached, ColorTexture, TextEmbedder

TITLE = "Cached, the second pass"


def run(folder, options):
    """Time two passes over mvsa_single, each in a fresh process."""
    posts = _data.mvsa_single(folder).X.iloc[: options.limit]
    rows = [
        ("`Cached(TextEmbedder)` (MiniLM)", TextEmbedder(_data.minilm()), posts["text"]),
        ("`Cached(ColorTexture)`", ColorTexture(n_jobs=options.jobs), posts["image"]),
    ]
    lines = [
        f"{len(posts)} posts of mvsa_single (text and photo), seconds of `transform`, each pass in "
        "a process of its own.",
        "",
        "| | first pass | second pass | share |",
        "|---|---|---|---|",
    ]
    totals = [0.0, 0.0]
    for name, extractor, cells in rows:
        with tempfile.TemporaryDirectory() as store:
            cached = Cached(extractor, store)
            seconds = [measure(cached, cells, warm_up=0).seconds for _ in range(2)]
        totals = [total + s for total, s in zip(totals, seconds, strict=True)]
        lines.append(_row(name, *seconds))
    lines.append(_row("both", *totals))
    return Section("\n".join(lines))


def _row(name, first, second):
    return f"| {name} | {first:.1f} | {second:.2f} | {second / first:.2%} |"
