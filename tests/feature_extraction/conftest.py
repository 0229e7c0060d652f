"""Media files written with real encoders."""

import av
import numpy as np
import pytest

RATE = 16_000


@pytest.fixture(scope="session")
def write_clip():
    """Return a function that writes a clip and returns its path."""
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
    """Write a clip that fades from black to white, with a tone on the left channel."""
    with av.open(str(path), "w", format=format) as container:
        images = sound = None
        if video:
            images = container.add_stream(video, rate=frames_per_second)
            images.height, images.width = size
            images.pix_fmt = "yuv420p"
        if audio:
            sound = container.add_stream(audio, rate=rate)
            sound.layout = layout
        if video:
            n_frames = round(seconds * frames_per_second)
            for level in np.linspace(0, 255, n_frames):
                image = np.full((*size, 3), level, dtype=np.uint8)
                container.mux(images.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            container.mux(images.encode())
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
