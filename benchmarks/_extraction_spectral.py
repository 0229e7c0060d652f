"""STFT, LogMel and MFCC beside librosa, on the acted speech of RAVDESS."""

import time
from importlib.metadata import version

import _data
import librosa
import numpy as np
import pandas as pd
import soundfile
import torch
from _section import Section
from joblib import Parallel, cpu_count, delayed
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from sklearn_mmsent import MFCC, LogMel
from sklearn_mmsent.feature_extraction.audio import STFT

TITLE = "STFT, LogMel and MFCC and librosa"
N_FILES, REPEATS = 300, 15
RATE, N_FFT, HOP, N_MELS, N_MFCC = 16_000, 512, 160, 64, 20
INPUTS = ("arrays", "files")
EXTRACTORS = {
    "STFT": STFT(RATE, n_fft=N_FFT, hop_length=HOP),
    "LogMel": LogMel(RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS),
    "MFCC": MFCC(N_MFCC, sample_rate=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS),
}


def run(folder, options):
    """Measure agreement and speed; see the benchmark's own documentation."""
    paths = _data.ravdess(folder, channel="speech").X["audio"]
    n_files = min(options.limit or N_FILES, len(paths))
    files = [str(paths.iloc[i]) for i in np.linspace(0, len(paths) - 1, n_files).astype(int)]
    cells = {"files": files, "arrays": [_read(file) for file in files]}
    table = pd.DataFrame([_compare(name, cells, options) for name in EXTRACTORS])
    seconds = np.mean([len(samples) for samples in cells["arrays"]]) / RATE
    return Section(_page(table, n_files, seconds, options), table)


def _compare(name, cells, options):
    """Compare one extractor with its peer: agreement, and clips per second of every way."""
    row = {"extractor": name}
    expected = _peer(cells["arrays"], name)
    for device in _devices():
        found = clone(EXTRACTORS[name]).set_params(device=device).fit_transform(cells["arrays"])
        row[f"difference_{device}"] = np.abs(found - expected).max() / np.ptp(expected)
    repeats = REPEATS if options.limit is None else 3
    with Parallel(n_jobs=options.jobs) as parallel:
        for source in INPUTS:
            ways = _ways(name, cells[source], parallel, options.jobs)
            for way, seconds in _medians(ways, repeats).items():
                row[f"{way}_{source}"] = len(cells[source]) / seconds
    return row


def _ways(name, cells, parallel, n_jobs):
    """Give what is timed: a function without arguments by name."""
    size = -(-len(cells) // (4 * n_jobs))  # each process gets some four pieces of work
    parts = [cells[start : start + size] for start in range(0, len(cells), size)]
    ways = {
        "librosa_loop": lambda: _peer_alone(cells, name),
        "librosa_processes": lambda: parallel(delayed(_peer)(part, name) for part in parts),
    }
    settings = {f"ours_{device}": {"device": device} for device in _devices()}
    settings["ours_processes"] = {"device": "cpu", "n_jobs": n_jobs, "batch_size": size}
    for way, parameters in settings.items():
        extractor = clone(EXTRACTORS[name]).set_params(**parameters).fit([])
        ways[way] = lambda extractor=extractor: extractor.transform(cells)
    return ways


def _medians(ways, repeats):
    """Time all ways in turn, so that what else the machine does hits them alike."""
    times = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if repeat:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    return {name: float(np.median(seconds)) for name, seconds in times.items()}


def _devices():
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def _read(cell):
    return soundfile.read(cell, dtype="float32")[0] if isinstance(cell, str) else cell


def _peer(cells, name):
    """Compute the same by librosa, sound by sound: mean, std, min and max of each row."""
    return np.stack([_pooled(_read(cell), name) for cell in cells])


def _peer_alone(cells, name):
    # its products are too small for several threads, which only wait for each other
    with threadpool_limits(1, user_api="blas"):
        return _peer(cells, name)


def _pooled(samples, name):
    if name == "STFT":
        frames = np.abs(librosa.stft(samples, n_fft=N_FFT, hop_length=HOP))
    else:
        frames = librosa.power_to_db(
            librosa.feature.melspectrogram(
                y=samples, sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS
            )
        )
    if name == "MFCC":
        frames = librosa.feature.mfcc(S=frames, n_mfcc=N_MFCC)
        frames = np.concatenate([frames, librosa.feature.delta(frames)])
    summaries = [frames.mean(1), frames.std(1), frames.min(1), frames.max(1)]
    return np.stack(summaries, axis=1).ravel()


def _page(table, n_files, seconds, options):
    parts = [
        f"{n_files} recordings of RAVDESS' acted speech (16 kHz, {seconds:.1f} s on average): "
        "mean, standard deviation, minimum and maximum over time of a spectrogram "
        f"(`n_fft={N_FFT}`, `hop_length={HOP}`), of {N_MELS} log-mel bands, and of {N_MFCC} MFCC "
        "with their first derivatives. *Difference*: the largest over all recordings and columns, "
        "as a share of the range of librosa's numbers.",
        _speeds(table, options.jobs),
    ]
    if "ours_cuda_files" in table:
        parts += [f"On a GPU ({torch.cuda.get_device_name()}):", _gpu_speeds(table)]
    parts += [
        f"Recordings per second, medians of {REPEATS} rounds in which all ways take turns. "
        "*Arrays*: decoded before, in memory; *files*: FLAC, read by each side itself through "
        "libsndfile. One process: `transform`, and a loop over the recordings that calls librosa. "
        f"{options.jobs} processes: `transform` with `n_jobs={options.jobs}`, and the same loop "
        "in warm processes of joblib. librosa's numbers are pooled with NumPy.",
        "STFT gains least: most of its work is the Fourier transform, which librosa also leaves to "
        "compiled code.",
        f"`python benchmarks/extraction.py --only spectral --jobs {options.jobs}` with "
        f"sklearn-mmsent {version('sklearn-mmsent')}, librosa {version('librosa')}, torch "
        f"{version('torch')}, numpy {version('numpy')}, on {cpu_count()} CPU cores.",
    ]
    return "\n\n".join(parts)


def _speeds(table, n_jobs):
    lines = [
        "| | difference | input | ours, 1 process | librosa | ratio | "
        f"ours, {n_jobs} processes | librosa | ratio |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for _, row in table.iterrows():
        for source in INPUTS:
            pairs = [("ours_cpu", "librosa_loop"), ("ours_processes", "librosa_processes")]
            cells = [_pair(row, source, *pair) for pair in pairs]
            lines.append(
                f"| `{row['extractor']}` | {row['difference_cpu']:.1e} | {source} | "
                f"{' | '.join(cells)} |"
            )
    return "\n".join(lines)


def _gpu_speeds(table):
    lines = [
        "| | difference | input | ours | librosa, 1 process | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for _, row in table.iterrows():
        lines += [
            f"| `{row['extractor']}` | {row['difference_cuda']:.1e} | {source} | "
            f"{_pair(row, source, 'ours_cuda', 'librosa_loop')} |"
            for source in INPUTS
        ]
    return "\n".join(lines)


def _pair(row, source, ours, theirs):
    ours, theirs = row[f"{ours}_{source}"], row[f"{theirs}_{source}"]
    return f"{ours:.0f} | {theirs:.0f} | {ours / theirs:.2f}"
