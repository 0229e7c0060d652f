"""Cost of a second pass through Cached."""

import tempfile

from common.data import load_mvsa_single, minilm_folder
from common.process import measure
from common.report import markdown_table
from common.section import Section
from sklearn_mmsent import Cached, ColorTexture, TextEmbedder

TITLE = "Second pass of Cached"


def run(folder, options):
    """Time two passes over mvsa_single."""
    posts = load_mvsa_single(folder).X.iloc[: options.limit]
    rows = [
        ("`Cached(TextEmbedder)` (MiniLM)", TextEmbedder(minilm_folder()), posts["text"]),
        ("`Cached(ColorTexture)`", ColorTexture(n_jobs=options.jobs), posts["image"]),
    ]
    about = (
        f"Seconds of `transform` for {len(posts)} posts of mvsa_single (text and photo), each pass "
        "in a separate process."
    )
    lines, totals = [], [0.0, 0.0]
    for name, extractor, cells in rows:
        with tempfile.TemporaryDirectory() as store:
            cached = Cached(extractor, store)
            seconds = [measure(cached, cells, warm_up=0).seconds for _ in range(2)]
        totals = [total + s for total, s in zip(totals, seconds, strict=True)]
        lines.append(_row(name, *seconds))
    lines.append(_row("both", *totals))
    table = markdown_table(["", "first pass", "second pass", "share"], lines)
    return Section(f"{about}\n\n{table}")


def _row(name, first, second):
    return [name, f"{first:.1f}", f"{second:.2f}", f"{second / first:.2%}"]
