"""STFT, LogMel and MFCC and librosa on the acted speech of RAVDESS."""

import time

import librosa
import numpy as np
import pandas as pd
import soundfile
import torch
from joblib import Parallel, cpu_count, delayed
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from common.data import load_ravdess
from common.report import markdown_table, versions
from common.section import Section
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
    """Compare values and speed."""
    paths = load_ravdess(folder, channel="speech").X["audio"]
    n_files = min(options.limit or N_FILES, len(paths))
    files = [str(paths.iloc[i]) for i in np.linspace(0, len(paths) - 1, n_files).astype(int)]
    cells = {"files": files, "arrays": [_read(file) for file in files]}
    table = pd.DataFrame([_compare(name, cells, options) for name in EXTRACTORS])
    seconds = np.mean([len(samples) for samples in cells["arrays"]]) / RATE
    return Section(_page(table, n_files, seconds, options), table)


def _compare(name, cells, options):
    """Return the largest difference from librosa and the clips per second of each variant."""
    row = {"extractor": name}
    expected = _peer(cells["arrays"], name)
    for device in _devices():
        found = clone(EXTRACTORS[name]).set_params(device=device).fit_transform(cells["arrays"])
        row[f"difference_{device}"] = np.abs(found - expected).max() / np.ptp(expected)
    repeats = REPEATS if options.limit is None else 3
    with Parallel(n_jobs=options.jobs) as parallel:
        for source in INPUTS:
            variants = _variants(name, cells[source], parallel, options.jobs)
            for variant, seconds in _medians(variants, repeats).items():
                row[f"{variant}_{source}"] = len(cells[source]) / seconds
    return row


def _variants(name, cells, parallel, n_jobs):
    """Return the variants that are timed: functions without arguments by name."""
    size = -(-len(cells) // (4 * n_jobs))  # about four chunks per process
    parts = [cells[start : start + size] for start in range(0, len(cells), size)]
    variants = {
        "librosa_loop": lambda: _peer_one_thread(cells, name),
        "librosa_processes": lambda: parallel(delayed(_peer)(part, name) for part in parts),
    }
    settings = {f"ours_{device}": {"device": device} for device in _devices()}
    settings["ours_processes"] = {"device": "cpu", "n_jobs": n_jobs, "batch_size": size}
    for variant, parameters in settings.items():
        extractor = clone(EXTRACTORS[name]).set_params(**parameters).fit([])
        variants[variant] = lambda extractor=extractor: extractor.transform(cells)
    return variants


def _medians(variants, repeats):
    """Time all variants in turn, so that other load on the machine affects each of them."""
    times = {name: [] for name in variants}
    for repeat in range(repeats + 1):
        for name, variant in variants.items():
            start = time.perf_counter()
            variant()
            if repeat:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    return {name: float(np.median(seconds)) for name, seconds in times.items()}


def _devices():
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def _read(cell):
    return soundfile.read(cell, dtype="float32")[0] if isinstance(cell, str) else cell


def _peer(cells, name):
    """Compute the same features with librosa: mean, std, min and max of each row."""
    return np.stack([_pooled(_read(cell), name) for cell in cells])


def _peer_one_thread(cells, name):
    # its matrix products are too small for several threads
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
        f"{n_files} recordings of acted speech from RAVDESS (16 kHz, {seconds:.1f} s on average): "
        "mean, standard deviation, minimum and maximum over time of a spectrogram "
        f"(`n_fft={N_FFT}`, `hop_length={HOP}`), of {N_MELS} log-mel bands, and of {N_MFCC} MFCC "
        "with their first derivatives. *Difference*: the largest over all recordings and columns, "
        "relative to the range of librosa's values.",
        _speeds(table, options.jobs),
    ]
    if "ours_cuda_files" in table:
        parts += [f"On a GPU ({torch.cuda.get_device_name()}):", _gpu_speeds(table)]
    parts += [
        f"Recordings per second, medians of {REPEATS} rounds in which all variants take turns. "
        "*Arrays*: decoded beforehand; *files*: FLAC, read through libsndfile on both sides. One "
        "process: `transform`, and a loop over the recordings that calls librosa. "
        f"{options.jobs} processes: `transform` with `n_jobs={options.jobs}`, and the same loop "
        "in warm processes of joblib. librosa's frames are pooled with NumPy.",
        "STFT gains least: the Fourier transform dominates its time, and librosa computes it in "
        "compiled code, too.",
        f"`python benchmarks/extraction.py --only spectral --jobs {options.jobs}` with "
        f"{versions('sklearn-mmsent', 'librosa', 'torch', 'numpy')}, on {cpu_count()} CPU cores.",
    ]
    return "\n\n".join(parts)


def _speeds(table, n_jobs):
    several = f"ours, {n_jobs} processes"
    heads = ["", "difference", "input", "ours, 1 process", "librosa", "ratio"]
    return markdown_table(
        [*heads, several, "librosa", "ratio"],
        [
            [
                f"`{row['extractor']}`",
                f"{row['difference_cpu']:.1e}",
                source,
                *_pair(row, source, "ours_cpu", "librosa_loop"),
                *_pair(row, source, "ours_processes", "librosa_processes"),
            ]
            for _, row in table.iterrows()
            for source in INPUTS
        ],
    )


def _gpu_speeds(table):
    return markdown_table(
        ["", "difference", "input", "ours", "librosa, 1 process", "ratio"],
        [
            [
                f"`{row['extractor']}`",
                f"{row['difference_cuda']:.1e}",
                source,
                *_pair(row, source, "ours_cuda", "librosa_loop"),
            ]
            for _, row in table.iterrows()
            for source in INPUTS
        ],
    )


def _pair(row, source, ours, theirs):
    ours, theirs = row[f"{ours}_{source}"], row[f"{theirs}_{source}"]
    return [f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}"]
