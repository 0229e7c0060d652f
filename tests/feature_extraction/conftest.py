"""Media files made with real encoders."""

import av
import numpy as np
import pytest

RATE = 16_000


@pytest.fixture(scope="session")
def write_clip():
    """Give a function that writes a clip and returns its path."""
    return _write_clip


def _write_clip(
    path,
    *,
    seconds=1.0,
    frames_per_second=10,
    video="mpeg4",
    audio="aac",
    rate=RATE,
    layout="mono",
    size=(48, 64),
    pitch=440.0,
    format=None,
):
    """Write a clip whose frames fade from black to white while a tone sounds on the left."""
    with av.open(str(path), "w", format=format) as container:
        pictures = sound = None
        if video:
            pictures = container.add_stream(video, rate=frames_per_second)
            pictures.height, pictures.width = size
            pictures.pix_fmt = "yuv420p"
        if audio:
            sound = container.add_stream(audio, rate=rate)
            sound.layout = layout
        if video:
            n_frames = round(seconds * frames_per_second)
            for level in np.linspace(0, 255, n_frames):
                picture = np.full((*size, 3), level, dtype=np.uint8)
                container.mux(pictures.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(pictures.encode())
        if audio:
            time = np.arange(round(seconds * rate)) / rate
            wave = 0.5 * np.sin(2 * np.pi * pitch * time, dtype=np.float32)
            channels = np.zeros((sound.codec_context.layout.nb_channels, len(time)), np.float32)
            channels[0] = wave
            frame = av.AudioFrame.from_ndarray(channels, "fltp", layout)
            frame.sample_rate = rate
            container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return path
