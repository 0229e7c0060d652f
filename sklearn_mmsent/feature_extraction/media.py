"""Decode audio and frames of media containers (mp4, mkv, webm, avi ...) with PyAV.

FFmpeg also reads playlists, which open the files that they list, so that an untrusted file could
access local files or the network. Only self-contained formats are allowed, and no protocols.
"""

import re
from contextlib import contextmanager

import numpy as np

from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction.files import looks_like
from sklearn_mmsent.utils._optional import import_optional

_FORMATS = (
    "mov,matroska,webm,avi,asf,flv,mpeg,mpegts,mpegvideo,h264,hevc,ivf,mp3,aac,ac3,wav,w64,ogg,"
    "flac,aiff,amr,caf"
)
_MAX_MISSING = 0.1  # share of the duration in the header, which may be rounded or estimated
_SLACK = 0.2  # seconds that encoders add, such as AAC's first and last frame
_DURATION = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


class NoMediaError(CellError):
    """FFmpeg finds no audio or video in a file."""


@contextmanager
def open_media(file, *, owner, extra):
    """Open a seekable file as a media container of PyAV, as a context manager.

    `extra` is the extra of this package that installs PyAV. Raises NoMediaError if FFmpeg finds no
    audio or video in the file, and CellError if it turns out to be damaged while the container is
    in use.
    """
    av = import_optional("av", extra=extra, needed_by=owner)
    file.seek(0)
    try:
        container = av.open(
            file, options={"format_whitelist": _FORMATS, "protocol_whitelist": "none"}
        )
    except (av.FFmpegError, ValueError, OSError) as error:
        raise NoMediaError(
            f"FFmpeg finds no sound or video in it ({_reason(error)}); {looks_like(file)}"
        ) from error
    with container:
        try:
            yield container
        except (av.FFmpegError, UnicodeDecodeError) as error:
            raise CellError(
                f"it is truncated or damaged, FFmpeg cannot decode it ({_reason(error)})"
            ) from error


def sound_frames(container):
    """Yield the next samples of a container, (n_samples, n_channels) in float32, and their rate.

    Raises CellError if there is no sound, or less than the header promises.
    """
    from av import AudioResampler

    stream = container.streams.best("audio")
    if stream is None:
        content = "video without sound" if container.streams.video else "neither sound nor video"
        raise CellError(f"it holds no sound ({container.format.name}: {content})")
    same_but_float = AudioResampler(format="fltp")
    seconds = 0.0
    for frame in container.decode(stream):
        for part in same_but_float.resample(frame):
            samples = part.to_ndarray().T
            seconds += len(samples) / part.sample_rate
            yield samples, part.sample_rate
    _check_complete(container, stream, seconds, "sound")


def picture_frames(container, frames_per_second, *, max_pixels):
    """Yield the frames that are visible at regular times, upright RGB (height, width, 3) in uint8.

    `frames_per_second` counts from the first frame on; a higher rate than that of the clip repeats
    frames. Raises CellError if there is no video, it is truncated, or the width times height of
    its frames exceeds `max_pixels`.
    """
    stream = video_stream(container)
    stream.thread_type = "AUTO"
    start = time = shown = None
    due, n_given = 0.0, 0
    for frame in container.decode(stream):
        _check_pixels(frame, max_pixels)
        # some old containers have no timestamps
        time = frame.time if frame.time is not None else (time or 0.0) + _frame_seconds(stream)
        start = time if start is None else start
        while shown is not None and due < time - start - 1e-6:
            yield _upright(shown)
            n_given += 1
            due = n_given / frames_per_second
        shown = frame
    if shown is None:
        raise CellError("its video has no frames")
    seconds = time - start + _frame_seconds(stream)
    while due < seconds - 1e-6:
        yield _upright(shown)
        n_given += 1
        due = n_given / frames_per_second
    _check_complete(container, stream, seconds, "video")


def video_stream(container):
    """Return the video stream; raise CellError if there is none but a cover image."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    content = "sound without video" if container.streams.audio else "neither sound nor video"
    raise CellError(f"it holds no video ({container.format.name}: {content})")


def measure_seconds(container, stream):
    """Return the duration of a stream in seconds, by its header or its packets."""
    promised = _promised_seconds(container, stream)
    if promised is not None:
        return promised
    first = last = 0.0
    for n, packet in enumerate(container.demux(stream)):
        if packet.pts is not None:
            time = float(packet.pts * packet.time_base)
            first = time if n == 0 else min(first, time)
            last = max(last, time + float((packet.duration or 0) * packet.time_base))
    container.seek(0)
    return last - first


def _promised_seconds(container, stream):
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    noted = _DURATION.match(stream.metadata.get("DURATION", ""))
    if noted:  # Matroska
        hours, minutes, seconds = map(float, noted.groups())
        return 3600 * hours + 60 * minutes + seconds
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / 1e6
    return None


def _check_complete(container, stream, seconds, kind):
    promised = _promised_seconds(container, stream)
    if promised is not None and seconds < promised * (1 - _MAX_MISSING) - _SLACK:
        raise CellError(
            f"its {kind} is truncated: the header promises {promised:.6g} s, the file holds "
            f"{seconds:.6g} s"
        )


def _check_pixels(frame, max_pixels):
    if frame.width * frame.height > max_pixels:
        raise CellError(
            f"its frames have {frame.width} x {frame.height} = {frame.width * frame.height} "
            f"pixels, more than max_pixels={max_pixels}; shrink the video, or raise max_pixels if "
            "it can be trusted"
        )


def _frame_seconds(stream):
    rate = stream.average_rate or stream.guessed_rate
    return float(1 / rate) if rate else 0.0


def _upright(frame):
    """Return a frame, rotated by the metadata of the container, as of videos of phones."""
    picture = frame.to_ndarray(format="rgb24")
    quarters = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters else picture


def _reason(error):
    return (getattr(error, "strerror", None) or str(error)).strip().rstrip(".")
