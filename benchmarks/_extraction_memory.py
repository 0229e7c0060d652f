"""Memory of extraction at one, four and sixteen times as many files."""

import _data
from _process import measure
from _section import Section

from sklearn_mmsent import MFCC, AcousticFunctionals, ColorTexture, LogMel, TextEmbedder
from sklearn_mmsent.feature_extraction.image import Pixels

TITLE = "Memory, as files grow in number"
TIMES = (1, 4, 16)


def run(folder, options):
    """Measure peak memory over more and more distinct files; see the benchmark's documentation."""
    posts = _data.mvsa_single(folder).X
    photos = [str(path) for path in posts["image"].drop_duplicates()]
    sounds = [
        str(path)
        for channel in ("speech", "song")
        for path in _data.ravdess(folder, channel=channel).X["audio"]
    ]
    texts = posts["text"].drop_duplicates().dropna().tolist()
    rows = [
        ("`ColorTexture`", "photos of mvsa_single", ColorTexture(), photos),
        ("`Pixels`", "photos of mvsa_single", Pixels(), photos),
        ("`LogMel`", "recordings of RAVDESS", LogMel(), sounds),
        ("`MFCC`", "recordings of RAVDESS", MFCC(), sounds),
        ("`AcousticFunctionals`", "recordings of RAVDESS", AcousticFunctionals(), sounds),
        ("`TextEmbedder` (MiniLM)", "texts of mvsa_single", TextEmbedder(_data.minilm()), texts),
    ]
    lines = [
        "Largest memory in use while `transform` runs, above what was in use before, in a process "
        "of its own; without the table that comes out, which has to grow. MB at "
        f"{', '.join(f'{times} x' for times in TIMES)} n distinct files.",
        "",
        f"| extractor | files | n | {' | '.join(f'{times} n' for times in TIMES)} |",
        f"|---|---|---|{'---|' * len(TIMES)}",
    ]
    for name, what, extractor, cells in rows:
        cells = cells[: options.limit]
        n = len(cells) // TIMES[-1]
        peaks = []
        for times in TIMES:
            measured = measure(extractor, cells[: n * times], warm_up=n)
            table = 4 * measured.shape[0] * measured.shape[1]
            peaks.append(f"{(measured.n_bytes - table) / 1e6:.0f}")
        lines.append(f"| {name} | {what} | {n} | {' | '.join(peaks)} |")
    return Section("\n".join(lines))
