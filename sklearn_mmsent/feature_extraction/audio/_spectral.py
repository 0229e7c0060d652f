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

from sklearn_mmsent.feature_extraction.audio._mel import mel_filters

_DELTA_WIDTH = 9  # frames, librosa's default
# frames per FFT call: the working set of one thread should stay in its cache; a GPU's need not
_CPU_FRAMES, _GPU_FRAMES = 1024, 1 << 17


@lru_cache(maxsize=16)
def mel_matrix(sample_rate, n_fft, n_mels, fmin, fmax, device):
    """Give the mel filters as what `powers` multiplies with, a tensor of shape (K, M)."""
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


def powers(clips, *, n_fft, hop_length, bands, device):
    """Power spectra of many clips, or sums of them over bands.

    Parameters
    ----------
    clips : list of ndarray of shape (n_samples,), float32
        Mono clips, none of them empty.
    n_fft, hop_length : int
        Window, and from one to the next, in samples.
    bands : Tensor of shape (K, M) or slice
        Weights of each frequency in each band; or the frequencies to take as they are.
    device : torch.device
        Where to compute.

    Returns
    -------
    powers : Tensor of shape (B, T, M or number of frequencies), float32
        A clip's last frame repeats after its end.
    lengths : Tensor of shape (B,), int64
        Frames of each clip.
    """
    signal, firsts = _join(clips, n_fft, hop_length)
    frames = torch.from_numpy(signal).to(device).unfold(0, n_fft, hop_length)  # (N, n_fft)
    window = _window(n_fft, device)
    summed = isinstance(bands, torch.Tensor)
    width = bands.shape[1] if summed else bands.stop - bands.start
    flat = torch.empty(len(frames), width, device=device)
    step = _GPU_FRAMES if device.type == "cuda" else _CPU_FRAMES * torch.get_num_threads()
    for start in range(0, len(frames), step):
        spectra = torch.fft.rfft(frames[start : start + step] * window)  # (step, K)
        spectra = spectra if summed else spectra[:, bands]
        power = spectra.real.square().add_(spectra.imag.square())
        if summed:
            torch.matmul(power, bands, out=flat[start : start + step])
        else:
            flat[start : start + step] = power

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
