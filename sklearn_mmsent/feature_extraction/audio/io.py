"""Robust audio reading: any cell to mono samples at one rate, or a CellError with the cause."""

import io
import re
from math import gcd
from numbers import Integral

import numpy as np
from scipy.signal import resample_poly

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.cells import describe
from sklearn_mmsent.feature_extraction.files import is_file_cell, looks_like, open_cell
from sklearn_mmsent.feature_extraction.media import NoMediaError, open_media, sound_frames
from sklearn_mmsent.utils._optional import import_optional

_MIN_RATE, _MAX_RATE = 1_000, 1_000_000  # Hz; a header with another rate is corrupt
_MAX_CHANNELS = 64
_READ_FRAMES = 1 << 18
_MAX_AMPLITUDE = 2.0**31  # beyond the range of even unscaled 32-bit integers

# libsndfile silently corrects lengths in headers and only logs it
_CORRECTED_LENGTH = re.compile(
    r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE
)
_UNKNOWN_LENGTH = 0x7FFF0000  # streaming encoders write lengths from here on
_MP3_TOLERANCE = 0.9  # the length of an MP3 file is an estimate


class TooLongError(CellError):
    """An audio clip is longer than `max_seconds`."""


def read_audio(cell, *, sample_rate, max_seconds, owner="an audio extractor"):
    """Read one cell as mono samples at a given rate.

    Parameters
    ----------
    cell : str, Path, bytes, ndarray or tuple
        Supported cells are described in the Notes of `LogMel`.
    sample_rate : int
        Rate in Hz to resample to, also assumed for arrays without a rate.
    max_seconds : float
        Maximum duration in seconds.
    owner : str
        Name used in error messages.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        At least one sample, all of them finite.

    Raises
    ------
    CellError
        If the cell is not audio, is too long or truncated, or holds invalid samples.
    """
    return resample(
        *read_samples(cell, sample_rate=sample_rate, max_seconds=max_seconds, owner=owner),
        sample_rate,
    )


def read_samples(cell, *, sample_rate, max_seconds, owner="an audio extractor"):
    """Return one cell as mono samples, and their original rate; see `read_audio`."""
    if is_file_cell(cell):
        soundfile = import_optional("soundfile", extra="audio", needed_by=owner)
        with open_cell(cell) as file:
            samples, rate = _read_file(soundfile, file, max_seconds, owner)
    elif isinstance(cell, tuple) and len(cell) == 2:
        samples, rate = _from_pair(cell, max_seconds)
    elif isinstance(cell, np.ndarray):
        samples, rate = _from_array(cell, sample_rate, max_seconds), sample_rate
    else:
        raise CellError(
            "expected a path, the bytes of a sound file, an array, or a tuple (array, rate in "
            f"Hz); got {describe(cell)}"
        )
    _check_samples(samples)
    return samples, rate


class _LenientBytes(io.BytesIO):
    """Bytes in which libsndfile may seek before the start, as it does in corrupt files.

    It calls back from C, where an exception could only be printed.
    """

    def seek(self, offset, whence=io.SEEK_SET):
        try:
            return super().seek(offset, whence)
        except ValueError:
            return self.tell()


def _read_file(soundfile, file, max_seconds, owner):
    """Read an open audio file, or the audio track of a video; return mono samples and rate."""
    source = _LenientBytes(file.getvalue()) if isinstance(file, io.BytesIO) else file.name
    try:
        sound = soundfile.SoundFile(source)
    except (soundfile.SoundFileError, TypeError, ValueError) as error:
        return _read_container(file, max_seconds, owner, reason=_reason(error))
    with sound:
        rate = _check_rate(sound.samplerate)
        _check_seconds(sound.frames / rate, max_seconds)
        try:
            samples = _read_frames(sound, int(max_seconds * rate) + 1)
        except soundfile.SoundFileError as error:
            raise CellError(
                f"the sound is truncated or damaged, libsndfile cannot decode it ({_reason(error)})"
            ) from error
        _check_seconds(len(samples) / rate, max_seconds)  # some headers only estimate the length
        _check_complete(sound, len(samples))
    return samples, rate


def _read_container(file, max_seconds, owner, *, reason):
    """Read formats that libsndfile does not support: M4A and the audio track of videos."""
    pieces, rates, seconds = [], set(), 0.0
    try:
        with open_media(file, owner=owner, extra="audio") as container:
            for samples, rate in sound_frames(container):
                rates.add(_check_rate(rate))
                seconds += len(samples) / rate
                _check_seconds(seconds, max_seconds)
                pieces.append(_mono(samples))
    except NoMediaError as error:
        raise CellError(
            f"neither libsndfile ({reason}) nor FFmpeg can read it, or it is truncated; "
            f"{looks_like(file)}; expected WAV, FLAC, Ogg, MP3, AIFF or M4A sound, or a video"
        ) from error
    if len(rates) > 1:
        raise CellError(f"its sample rate changes within ({sorted(rates)} Hz); expected one rate")
    samples = np.concatenate(pieces) if pieces else np.empty(0, dtype=np.float32)
    return samples, rates.pop() if rates else _MIN_RATE


def _reason(error):
    message = getattr(error, "error_string", None) or str(error)
    return message.strip().partition("\n")[0].rstrip(".")


def _read_frames(sound, limit):
    """Read the samples in pieces, since a header may announce more than fits into memory."""
    pieces, n_read = [], 0
    while n_read < limit:
        piece = sound.read(min(_READ_FRAMES, limit - n_read), dtype="float32", always_2d=True)
        if not len(piece):
            break
        pieces.append(_mono(piece))
        n_read += len(piece)
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.float32)


def _mono(samples):
    """Average the channels of (n_samples, n_channels)."""
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)


def _check_complete(sound, n_read):
    announced = sound.frames
    if sound.format == "MP3":
        announced *= _MP3_TOLERANCE
    for declared, present in _CORRECTED_LENGTH.findall(sound.extra_info):
        if int(present) < int(declared) < _UNKNOWN_LENGTH:
            announced = max(announced, n_read * int(declared) / max(int(present), 1))
    if n_read < announced:
        raise CellError(
            f"the sound is truncated: its header promises {announced / sound.samplerate:.6g} s, "
            f"the file holds {n_read / sound.samplerate:.6g} s"
        )


def _from_pair(cell, max_seconds):
    samples, rate = cell
    if isinstance(rate, np.ndarray) and isinstance(samples, Integral | float):
        raise CellError("a tuple (rate, samples); expected (samples, rate in Hz), so swap the two")
    if not isinstance(rate, Integral | float | np.floating) or int(rate) != rate:
        raise CellError(
            f"a tuple whose second part is {describe(rate)}; expected (samples, rate in Hz)"
        )
    rate = _check_rate(int(rate))
    if not isinstance(samples, np.ndarray):
        raise CellError(
            f"a tuple whose first part is {describe(samples)}; expected (array of samples, rate "
            "in Hz)"
        )
    return _from_array(samples, rate, max_seconds), rate


def _from_array(samples, rate, max_seconds):
    if samples.ndim not in (1, 2):
        raise CellError(
            f"an array of shape {samples.shape}; expected (n_samples,) or (n_samples, n_channels)"
        )
    if samples.ndim == 2 and samples.shape[1] > _MAX_CHANNELS:
        raise CellError(
            f"an array of shape {samples.shape}, which would be {samples.shape[1]} channels; "
            "expected (n_samples, n_channels), so pass array.T"
        )
    _check_seconds(len(samples) / rate, max_seconds)
    kind, n_bits = samples.dtype.kind, samples.dtype.itemsize * 8
    if kind == "f":
        scaled = samples
    elif kind == "i" and n_bits <= 32:
        scaled = samples / 2.0 ** (n_bits - 1)
    elif kind == "u" and n_bits == 8:
        scaled = (samples - 128.0) / 128.0
    else:
        raise CellError(
            f"samples of dtype {samples.dtype}; expected floats (full scale -1 to 1), int16, "
            "int32, int8 or uint8"
        )
    with np.errstate(over="ignore"):  # infinite samples are reported by _check_samples
        scaled = scaled.astype(np.float32, copy=False)
    return _mono(scaled.reshape(len(scaled), -1)) if scaled.size else scaled.ravel()


def _check_rate(rate):
    if not _MIN_RATE <= rate <= _MAX_RATE:
        raise CellError(f"a sample rate of {rate} Hz; expected {_MIN_RATE} to {_MAX_RATE} Hz")
    return rate


def _check_seconds(seconds, max_seconds):
    if seconds > max_seconds:
        raise TooLongError(
            f"the sound lasts {seconds:.6g} s by its length in samples, more than max_seconds="
            f"{max_seconds:g}; cut it, or raise max_seconds"
        )


def _check_samples(samples):
    if not samples.size:
        raise CellError("the sound has no samples (0 s)")
    lowest, highest = samples.min(), samples.max()  # NaN if any of them is
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        finite = np.isfinite(samples)
        raise CellError(
            f"{(~finite).sum()} of {samples.size} samples are NaN or infinite, the first at "
            f"{int(np.argmin(finite))}"
        )
    loudest = max(-lowest, highest)
    if loudest > _MAX_AMPLITUDE:
        raise CellError(f"samples reach {loudest:g}; expected full scale -1 to 1")


def resample(samples, rate, target):
    """Resample from one rate to another, both in Hz."""
    if rate != target:
        common = gcd(rate, target)
        samples = resample_poly(samples, target // common, rate // common)
    return np.ascontiguousarray(samples, dtype=np.float32)
