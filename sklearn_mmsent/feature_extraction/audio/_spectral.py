"""Spectra of many clips at once, in torch, equal to librosa's of each clip alone.

Shapes: B clips, N frames of all clips one after another, T frames of the longest clip,
K = 1 + n_fft // 2 frequencies, M mel bands, C coefficients.

The clips are laid one after another into one signal, each between zeros of half a window and
starting at a multiple of the hop: one strided view holds the frames of all. No frame ever
sees a neighbour, so that the company a clip is in does not change its numbers.

From there on clips stand in one tensor (B, T, ...) in which a clip's last frame repeats after
its end: extremes need no mask, and sums take the repetitions off again.
"""

from functools import lru_cache

import numpy as np
import torch
from scipy.fft import dct
from scipy.signal import savgol_coeffs

_DELTA_WIDTH = 9  # frames, librosa's default
# frames per FFT call: the working set of one thread should stay in its cache; a GPU's need not
_CPU_FRAMES, _GPU_FRAMES = 1024, 1 << 17


def mel_filters(sample_rate, n_fft, n_mels, fmin, fmax):
    """Triangular filters on the Slaney mel scale, of equal area.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_fft, n_mels : int
        Window in samples; number of bands.
    fmin, fmax : float
        Edges of the lowest and highest band in Hz.

    Returns
    -------
    ndarray of shape (n_mels, 1 + n_fft // 2), float32
        Equal to ``librosa.filters.mel`` with its defaults.
    """
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    edges = _mel_to_hz(np.linspace(*_hz_to_mel(np.array([fmin, fmax], dtype=float)), n_mels + 2))
    widths = np.diff(edges)
    ramps = edges[:, None] - frequencies
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    filters *= (2 / (edges[2:] - edges[:-2]))[:, None]
    return filters.astype(np.float32)


# Slaney's scale: linear below 1 kHz, logarithmic above
_HZ_PER_MEL, _KNEE_HZ, _LOG_STEP = 200 / 3, 1000.0, np.log(6.4) / 27


def _hz_to_mel(hz):
    logarithmic = _KNEE_HZ / _HZ_PER_MEL + np.log(np.maximum(hz, _KNEE_HZ) / _KNEE_HZ) / _LOG_STEP
    return np.where(hz < _KNEE_HZ, hz / _HZ_PER_MEL, logarithmic)


def _mel_to_hz(mel):
    knee = _KNEE_HZ / _HZ_PER_MEL
    logarithmic = _KNEE_HZ * np.exp(_LOG_STEP * (np.maximum(mel, knee) - knee))
    return np.where(mel < knee, mel * _HZ_PER_MEL, logarithmic)


@lru_cache(maxsize=16)
def _mel_matrix(sample_rate, n_fft, n_mels, fmin, fmax, device):
    return torch.from_numpy(mel_filters(sample_rate, n_fft, n_mels, fmin, fmax).T.copy()).to(device)


@lru_cache(maxsize=16)
def _window(n_fft, device):
    return torch.hann_window(n_fft, periodic=True, dtype=torch.float64).float().to(device)


@lru_cache(maxsize=16)
def _dct_matrix(n_mels, n_mfcc, device):
    matrix = dct(np.eye(n_mels), type=2, norm="ortho", axis=1)[:, :n_mfcc]
    return torch.from_numpy(matrix.copy()).to(device)


def groups(clips, max_samples=1 << 23):
    """Sort clips by length and cut them into groups that fit into memory when padded.

    Parameters
    ----------
    clips : list of ndarray of shape (n_samples,)
        Mono clips.
    max_samples : int, default=8_388_608
        Largest product of a group's size and its longest clip; a longer clip stands alone.

    Yields
    ------
    list of int
        Positions of one group's clips in the list.
    """
    group = []
    for i in sorted(range(len(clips)), key=lambda i: len(clips[i])):
        if group and len(clips[i]) * (len(group) + 1) > max_samples:
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def n_frames(n_samples, n_fft, hop_length):
    """Count the frames of a clip between zeros of half a window on either side."""
    return 1 + (n_samples + 2 * (n_fft // 2) - n_fft) // hop_length


def mel_powers(clips, *, sample_rate, n_fft, hop_length, n_mels, fmin, fmax, device):
    """Mel-band powers of many clips.

    Parameters
    ----------
    clips : list of ndarray of shape (n_samples,), float32
        Mono clips, none of them empty.
    sample_rate, n_fft, hop_length, n_mels, fmin, fmax
        As `LogMel` has them, none of them None.
    device : torch.device
        Where to compute.

    Returns
    -------
    powers : Tensor of shape (B, T, M), float32
        A clip's last frame repeats after its end.
    lengths : Tensor of shape (B,), int64
        Frames of each clip.
    """
    signal, firsts = _join(clips, n_fft, hop_length)
    frames = torch.from_numpy(signal).to(device).unfold(0, n_fft, hop_length)  # (N, n_fft)
    window = _window(n_fft, device)
    matrix = _mel_matrix(sample_rate, n_fft, n_mels, fmin, fmax, device)
    flat = torch.empty(len(frames), n_mels, device=device)
    step = _GPU_FRAMES if device.type == "cuda" else _CPU_FRAMES * torch.get_num_threads()
    for start in range(0, len(frames), step):
        spectra = torch.fft.rfft(frames[start : start + step] * window)  # (step, K)
        power = spectra.real.square().add_(spectra.imag.square())
        torch.matmul(power, matrix, out=flat[start : start + step])

    lengths = torch.tensor([n_frames(len(clip), n_fft, hop_length) for clip in clips])
    frame = torch.minimum(torch.arange(int(lengths.max())), lengths[:, None] - 1)  # (B, T)
    rows = (torch.from_numpy(firsts)[:, None] + frame).to(device)
    return flat[rows], lengths.to(device)


def _join(clips, n_fft, hop_length):
    """Lay the clips between zeros into one signal; give it and each clip's first frame."""
    spans = [-(-(len(clip) + n_fft) // hop_length) for clip in clips]  # in hops, rounded up
    firsts = np.concatenate([[0], np.cumsum(spans)[:-1]])
    signal = np.zeros(sum(spans) * hop_length + n_fft, dtype=np.float32)
    for clip, first in zip(clips, firsts, strict=True):
        start = first * hop_length + n_fft // 2
        signal[start : start + len(clip)] = clip
    return signal, firsts


def power_to_db(powers, *, ref, amin, top_db):
    """Decibels of (B, T, M) powers as ``librosa.power_to_db``, clip by clip; works in place."""
    loudest = powers.amax(dim=(1, 2), keepdim=True).clamp_(min=amin)  # (B, 1, 1)
    reference = loudest if ref == "max" else powers.new_tensor(ref).clamp_(min=amin)
    decibels = powers.clamp_(min=amin).log10_().mul_(10).sub_(10 * reference.log10())
    if top_db is not None:
        decibels.clamp_(min=10 * (loudest.log10() - reference.log10()) - top_db)
    return decibels


def cepstrum(decibels, n_mfcc):
    """Orthonormal cosine transform over the bands: (B, T, M) to (B, T, C)."""
    matrix = _dct_matrix(decibels.shape[-1], n_mfcc, decibels.device)
    # in float64: bands of -100 dB cancel out, what float32 leaves depends on the matrix's shape
    return (decibels.double() @ matrix).float()


def deltas(features, lengths, order):
    """Local derivatives over time, as ``librosa.feature.delta`` takes them clip by clip.

    Parameters
    ----------
    features : Tensor of shape (B, T, C)
        Frames of many clips.
    lengths : Tensor of shape (B,)
        Frames of each clip.
    order : {1, 2}
        Slope of a line, or curvature of a parabola, fitted to 9 frames. A clip that is
        shorter gives one fit over all that it has, and zeros if these are too few to fit.

    Returns
    -------
    Tensor of shape (B, T, C)
        A clip's last frame repeats after its end.
    """
    half = _DELTA_WIDTH // 2
    steps = torch.arange(features.shape[1], device=features.device)
    result = torch.zeros_like(features)
    if features.shape[1] >= _DELTA_WIDTH:
        fits = features.unfold(1, _DELTA_WIDTH, 1) @ _fit(_DELTA_WIDTH, order).to(features.device)
        # near the ends the fit to the first, or last, nine frames holds on
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
    """Weights that give the `order`-th derivative of a polynomial fitted to `width` frames."""
    if width <= order:
        return torch.zeros(width)
    weights = savgol_coeffs(width, order, deriv=order, pos=(width - 1) // 2, use="dot")
    return torch.from_numpy(weights.astype(np.float32))


def statistics(features, lengths, names):
    """Summaries over a clip's frames.

    Parameters
    ----------
    features : Tensor of shape (B, T, C)
        Frames of many clips.
    lengths : Tensor of shape (B,)
        Frames of each clip.
    names : sequence of str
        Any of "mean", "std", "min", "max", "p00" to "p99".

    Returns
    -------
    Tensor of shape (B, C, len(names))
        In the order of `names`.
    """
    summaries = {}
    if {"mean", "std"} & set(names):
        # summed in float64: the last digits must not tell how much padding follows
        count = lengths[:, None].double()
        surplus = features.shape[1] - count
        last = features[:, -1].double()
        mean = (features.sum(1, dtype=torch.double) - surplus * last) / count
        shifted = features - mean[:, None].float()
        squares = shifted.square_().sum(1, dtype=torch.double) - surplus * shifted[:, -1]
        summaries["mean"], summaries["std"] = mean, (squares / count).clamp_(min=0).sqrt_()
    if {"min", "max"} & set(names):
        summaries["min"], summaries["max"] = features.amin(1), features.amax(1)
    percentiles = [name for name in names if name.startswith("p")]
    if percentiles:
        padding = torch.arange(features.shape[1], device=features.device) >= lengths[:, None]
        ordered = features.masked_fill(padding[..., None], torch.inf).transpose(1, 2)
        ordered = _sort(ordered.contiguous())  # (B, C, T)
        for name in percentiles:
            summaries[name] = _percentile(ordered, lengths, int(name[1:]) / 100)
    return torch.stack([summaries[name].float() for name in names], dim=-1)


def _sort(values):
    if values.device.type == "cpu":  # numpy sorts short float32 rows several times faster
        return torch.from_numpy(np.sort(values.numpy(), axis=-1))
    return values.sort(dim=-1).values


def _percentile(ordered, lengths, share):
    position = (lengths - 1).double() * share  # (B,)
    below = position.floor().long()
    above = torch.minimum(below + 1, lengths - 1)
    weight = (position - below)[:, None]
    clips = torch.arange(len(ordered), device=ordered.device)
    low, high = ordered[clips, :, below], ordered[clips, :, above]
    return low + (high - low) * weight


def sequences(features, lengths, *, frames_per_step, max_steps, squeeze):
    """Average neighbouring frames into steps, NaN after a clip's last step.

    Parameters
    ----------
    features : Tensor of shape (B, T, C)
        Frames of many clips.
    lengths : Tensor of shape (B,)
        Frames of each clip.
    frames_per_step, max_steps : int
        Frames that a step averages; steps that a clip has at most.
    squeeze : bool
        True: a clip that is too long averages as many more frames per step as it needs to
        fit. False: what stands over is cut off.

    Returns
    -------
    Tensor of shape (B, max_steps, C)
        A clip's last step averages the frames that are left.
    """
    widths = torch.full_like(lengths, frames_per_step)  # (B,)
    if squeeze:
        widths = torch.maximum(widths, -(-lengths // max_steps))
    steps = features.new_full((len(features), max_steps, features.shape[2]), torch.nan)
    for width in widths.unique().tolist():  # one, as long as no clip has to be squeezed
        clips = widths == width
        averages = _averages(features[clips], lengths[clips], width, max_steps)
        steps[clips, : averages.shape[1]] = averages
    return steps


def _averages(features, lengths, width, max_steps):
    """Average each `width` frames: (B, T, C) to (B, at most max_steps, C)."""
    n_steps = min(max_steps, -(-features.shape[1] // width))
    lacking = n_steps * width - features.shape[1]
    if lacking > 0:
        features = torch.cat([features, features[:, -1:].expand(-1, lacking, -1)], dim=1)
    pieces = features[:, : n_steps * width].unflatten(1, (n_steps, width))  # (B, S, width, C)
    starts = torch.arange(n_steps, device=lengths.device) * width
    real = (lengths[:, None] - starts).clamp_(0, width)[..., None]  # (B, S, 1)
    # in float64, so that taking the repetitions of the last frame off leaves no trace of them
    last = features[:, -1:].double()
    sums = pieces.sum(2, dtype=torch.double) - (width - real) * last
    return (sums / real).float().masked_fill_(real == 0, torch.nan)
