"""Peak memory of extraction for a growing number of files."""

from common.data import load_mvsa_single, load_ravdess, minilm_folder
from common.process import measure
from common.report import markdown_table
from common.section import Section
from sklearn_mmsent import MFCC, AcousticFunctionals, ColorTexture, LogMel, TextEmbedder
from sklearn_mmsent.feature_extraction.image import Pixels

TITLE = "Memory and number of files"
TIMES = (1, 4, 16)


def run(folder, options):
    """Measure peak memory for n, 4 n and 16 n distinct files."""
    posts = load_mvsa_single(folder).X
    photos = [str(path) for path in posts["image"].drop_duplicates()]
    sounds = [
        str(path)
        for channel in ("speech", "song")
        for path in load_ravdess(folder, channel=channel).X["audio"]
    ]
    texts = posts["text"].drop_duplicates().dropna().tolist()
    rows = [
        ("`ColorTexture`", "photos of mvsa_single", ColorTexture(), photos),
        ("`Pixels`", "photos of mvsa_single", Pixels(), photos),
        ("`LogMel`", "recordings of RAVDESS", LogMel(), sounds),
        ("`MFCC`", "recordings of RAVDESS", MFCC(), sounds),
        ("`AcousticFunctionals`", "recordings of RAVDESS", AcousticFunctionals(), sounds),
        ("`TextEmbedder` (MiniLM)", "texts of mvsa_single", TextEmbedder(minilm_folder()), texts),
    ]
    about = (
        "Increase of peak memory during `transform`, in MB, without the output table, which has to "
        "grow. n, 4 n and 16 n distinct files, each in a separate process."
    )
    lines = []
    for name, files, extractor, cells in rows:
        cells = cells[: options.limit]
        n = len(cells) // TIMES[-1]
        peaks = []
        for times in TIMES:
            measured = measure(extractor, cells[: n * times], warm_up=n)
            table = 4 * measured.shape[0] * measured.shape[1]
            peaks.append(f"{(measured.n_bytes - table) / 1e6:.0f}")
        lines.append([name, files, n, *peaks])
    heads = ["extractor", "files", "n", *(f"{times} n" for times in TIMES)]
    return Section(f"{about}\n\n{markdown_table(heads, lines)}")
