"""Batched spectra of audio clips in torch, equal to those of librosa for each clip.

Shapes: B clips, N frames of all clips in sequence, T frames of the longest clip,
K = 1 + n_fft // 2 frequencies, M mel bands, C coefficients.

Clips are concatenated into one signal, each between half a window of zeros and starting at a
multiple of the hop, so that one strided view holds the frames of all clips. No frame overlaps two
clips: results do not depend on the composition of the batch.

Features are padded to (B, T, ...) by repeating the last frame of each clip: extremes need no mask,
and sums subtract the repetitions.
"""

import math
import threading
from functools import lru_cache

import numpy as np
import torch
from scipy.fft import dct
from scipy.signal import savgol_coeffs

from sklearn_mmsent.feature_extraction.audio._mel import mel_filters

_DELTA_WIDTH = 9  # frames, librosa's default
_N_PARTS = 4  # of the mel filter bank
# samples per group and frames per FFT call, chosen so that the data fits into the cache
_CPU_SAMPLES, _GPU_SAMPLES = 1 << 17, 1 << 23
_CPU_FRAMES, _GPU_FRAMES = 512, 1 << 17
_MAX_KEPT = 1 << 22  # numbers in a workspace that is kept for the next call
_kept = threading.local()


@lru_cache(maxsize=16)
def mel_bands(sample_rate, n_fft, n_mels, fmin, fmax, device):
    """Return the mel filter bank for `powers`, in parts that skip most of the zeros.

    A part is a tuple of a slice of frequencies, a slice of bands, and the weights (frequencies,
    bands).
    """
    filters = mel_filters(sample_rate, n_fft, n_mels, fmin, fmax)
    parts = []
    for columns in np.array_split(np.arange(n_mels), min(_N_PARTS, n_mels)):
        used = np.flatnonzero(filters[columns].any(axis=0))
        rows = slice(used[0], used[-1] + 1) if len(used) else slice(0, 1)
        weights = torch.from_numpy(filters[columns, rows].T.copy()).to(device)
        parts.append((rows, slice(columns[0], columns[-1] + 1), weights))
    return tuple(parts)


@lru_cache(maxsize=16)
def _window(n_fft, device):
    return torch.hann_window(n_fft, periodic=True, dtype=torch.float64).float().to(device)


@lru_cache(maxsize=16)
def _dct_matrix(n_mels, n_mfcc, device):
    matrix = dct(np.eye(n_mels), type=2, norm="ortho", axis=1)[:, :n_mfcc]
    return torch.from_numpy(matrix.copy()).to(device)


def groups(clips, max_samples):
    """Sort clips by length and split them into groups that fit into cache or memory when padded.

    Yields lists of positions. The product of group size and longest clip is at most `max_samples`;
    a longer clip forms its own group.
    """
    group = []
    for i in sorted(range(len(clips)), key=lambda i: len(clips[i])):
        if group and len(clips[i]) * (len(group) + 1) > max_samples:
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def max_samples(device):
    """Return the preferred size of a group of clips on a device, in samples."""
    return _GPU_SAMPLES if device.type == "cuda" else _CPU_SAMPLES


def n_frames(n_samples, n_fft, hop_length):
    """Return the number of frames of a clip padded with half a window on either side."""
    return 1 + (n_samples + 2 * (n_fft // 2) - n_fft) // hop_length


def powers(clips, *, n_fft, hop_length, bands, device):
    """Compute power spectra of many clips, or sums of them over bands.

    `clips` are not empty; `n_fft` and `hop_length` are in samples; `bands` are mel bands from
    `mel_bands`, or a slice of the frequencies to keep.

    Yields powers of shape (B, T, bands) in float32, padded by repeating the last frame of a clip;
    the number of frames of each clip, (B,); and the slice of these clips in the list. A GPU yields
    all clips at once; a CPU yields them one by one (B = 1), which needs neither a copy nor
    padding, and reuses the memory for the next clips.
    """
    signal, firsts = _join(clips, n_fft, hop_length)
    frames = torch.from_numpy(signal).to(device).unfold(0, n_fft, hop_length)  # (N, n_fft)
    flat = powers_of_frames(frames, bands)
    lengths = torch.tensor([n_frames(len(clip), n_fft, hop_length) for clip in clips])
    if device.type == "cpu":
        for i, (first, length) in enumerate(zip(firsts.tolist(), lengths.tolist(), strict=True)):
            yield flat[None, first : first + length], lengths[i : i + 1], slice(i, i + 1)
        return
    frame = torch.minimum(torch.arange(int(lengths.max())), lengths[:, None] - 1)  # (B, T)
    rows = (torch.from_numpy(firsts)[:, None] + frame).to(device)
    yield flat[rows], lengths.to(device), slice(0, len(clips))


def powers_of_frames(frames, bands):
    """Compute power spectra of frames (N, n_fft) before windowing, or sums of them over bands.

    Returns a float32 tensor (N, M or number of frequencies) on the device of the frames. On a CPU
    its memory is reused by the next call.
    """
    n_fft, device = frames.shape[1], frames.device
    window = _window(n_fft, device)
    width = bands.stop - bands.start if isinstance(bands, slice) else bands[-1][1].stop
    flat = _workspace("flat", len(frames), width, device)
    step = min(_GPU_FRAMES if device.type == "cuda" else _CPU_FRAMES, len(frames))
    for start in range(0, len(frames), step):
        n = min(step, len(frames) - start)
        windowed = _workspace("windowed", n, n_fft, device)
        torch.mul(frames[start : start + n], window, out=windowed)
        spectra = _workspace("spectra", n, 1 + n_fft // 2, device, torch.complex64)
        torch.fft.rfft(windowed, out=spectra)
        squares = torch.view_as_real(spectra).square_()  # (n, K, 2)
        if isinstance(bands, slice):
            kept = squares[:, bands]
            torch.add(kept[..., 0], kept[..., 1], out=flat[start : start + n])
            continue
        power = _workspace("power", n, 1 + n_fft // 2, device)
        torch.add(squares[..., 0], squares[..., 1], out=power)
        for rows, columns, weights in bands:
            torch.matmul(power[:, rows], weights, out=flat[start : start + n, columns])
    return flat


def _workspace(name, n_rows, n_columns, device, dtype=torch.float32):
    """Return uninitialised memory that is reused by the next call with this name.

    On a CPU, allocating memory costs more than the computation. The allocator of a GPU caches it.
    """
    if device.type != "cpu":
        return torch.empty(n_rows, n_columns, dtype=dtype, device=device)
    kept = getattr(_kept, name, None)
    if kept is None or kept.numel() < n_rows * n_columns:
        kept = torch.empty(n_rows * n_columns, dtype=dtype)
        if kept.numel() <= _MAX_KEPT:
            setattr(_kept, name, kept)
    return kept[: n_rows * n_columns].view(n_rows, n_columns)


def _join(clips, n_fft, hop_length):
    """Concatenate the zero-padded clips; return the signal and the first frame of each clip."""
    spans = [-(-(len(clip) + n_fft) // hop_length) for clip in clips]  # in hops, rounded up
    firsts = np.concatenate([[0], np.cumsum(spans)[:-1]])
    signal = np.zeros(sum(spans) * hop_length + n_fft, dtype=np.float32)
    for clip, first in zip(clips, firsts, strict=True):
        start = first * hop_length + n_fft // 2
        signal[start : start + len(clip)] = clip
    return signal, firsts


def power_to_db(powers, *, ref, amin, top_db):
    """Convert powers (B, T, M) to decibels like ``librosa.power_to_db``, in place."""
    decibels = _log10(powers.clamp_(min=amin)).mul_(10)
    if ref == "max":
        decibels -= decibels.amax(dim=(1, 2), keepdim=True)  # (B, 1, 1)
    elif max(ref, amin) != 1:
        decibels -= 10 * math.log10(max(ref, amin))
    if top_db is not None:
        decibels.clamp_(min=decibels.amax(dim=(1, 2), keepdim=True) - top_db)
    return decibels


def _log10(values):
    """Take logarithms in place."""
    if values.device.type == "cpu":  # numpy is several times faster than torch
        np.log10(values.numpy(), out=values.numpy())
        return values
    return values.log10_()


def cepstrum(decibels, n_mfcc):
    """Apply the orthonormal cosine transform over the bands: (B, T, M) to (B, T, C)."""
    matrix = _dct_matrix(decibels.shape[-1], n_mfcc, decibels.device)
    if len(decibels) == 1:
        return decibels @ matrix.float()
    # in float64: at -100 dB bands cancel out, and the float32 residue depends on the matrix shape
    return (decibels.double() @ matrix).float()


def deltas(features, lengths, order):
    """Compute local derivatives over time like ``librosa.feature.delta``, (B, T, C) to (B, T, C).

    Slope of a line (order 1) or curvature of a parabola (order 2), fitted to 9 frames. A clip with
    fewer frames gets one fit over all of them, and zeros if they are too few for a fit.
    """
    half = _DELTA_WIDTH // 2
    steps = torch.arange(features.shape[1], device=features.device)
    result = torch.zeros_like(features)
    if features.shape[1] >= _DELTA_WIDTH:
        n_fits = features.shape[1] - _DELTA_WIDTH + 1
        fits = torch.zeros_like(features[:, :n_fits])
        for i, weight in enumerate(_fit(_DELTA_WIDTH, order).tolist()):
            fits.add_(features[:, i : i + n_fits], alpha=weight)
        # near the ends the fit to the first or last nine frames applies
        centres = (steps - half).clamp(min=0).expand(len(features), -1)
        last = (lengths - _DELTA_WIDTH).clamp(min=0)[:, None]
        index = torch.minimum(centres, last)[..., None].expand_as(features)
        result = fits.gather(1, index)
    for i in torch.nonzero(lengths < _DELTA_WIDTH).flatten().tolist():
        n = int(lengths[i])
        fit = _fit(n, order).to(features.device)
        result[i] = fit @ features[i, :n]
    return result


@lru_cache(maxsize=32)
def _fit(width, order):
    """Return weights for the `order`-th derivative of a polynomial fitted to `width` frames."""
    if width <= order:
        return torch.zeros(width)
    weights = savgol_coeffs(width, order, deriv=order, pos=(width - 1) // 2, use="dot")
    return torch.from_numpy(weights.astype(np.float32))
