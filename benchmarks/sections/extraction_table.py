"""Speed, number of columns and memory of every extractor."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import cpu_count

from common.data import load_mvsa_single, load_ravdess, minilm_folder
from common.process import measure
from common.report import markdown_table, versions
from common.section import Section
from sklearn_mmsent.feature_extraction.audio import (
    MFCC,
    STFT,
    AcousticFunctionals,
    LogMel,
    SpeechEmbedder,
)
from sklearn_mmsent.feature_extraction.image import ColorTexture, ImageEmbedder, Pixels
from sklearn_mmsent.feature_extraction.text import (
    SentimentLexicon,
    TextEmbedder,
    TfidfEmbedder,
    TokenIds,
    Word2VecEmbedder,
)
from sklearn_mmsent.feature_extraction.video import VideoFrames

TITLE = "All extractors"
N_TEXTS, N_FILES, N_SLOW = 1000, 256, 48
CLIP_SECONDS, CLIP_RATE, CLIP_SIZE = 6, 25, (240, 320)


def run(folder, options):
    """Measure each extractor on real cells, in a separate process each."""
    with tempfile.TemporaryDirectory() as scratch:
        cells = _cells(folder, Path(scratch))
        rows = [_row(*row, cells, options) for row in _extractors(Path(scratch))]
    table = pd.DataFrame(
        rows, columns=["extractor", "cells", "n_cells", "per_second", "width", "memory_mb"]
    )
    about = (
        "Cells per second of `transform` with one process and torch's default threads, number of "
        "columns, and increase of peak memory after the extractor is loaded. Texts and photos are "
        "from mvsa_single, sounds from RAVDESS (2.4 s on average). A video shows photos for "
        f"{CLIP_SECONDS} s at {CLIP_RATE} frames per second with a recording; one frame per second "
        "is read. The speed of a pretrained model does not depend on its weights: `ImageEmbedder` "
        "runs a ViT-B/16 and `SpeechEmbedder` a wav2vec 2.0 base with random weights."
    )
    lines = [
        [
            f"`{r.extractor}`",
            f"{r.n_cells} {r.cells}",
            f"{r.per_second:.4g}",
            r.width,
            f"{r.memory_mb:.0f}",
        ]
        for r in table.itertuples()
    ]
    heads = ["extractor", "cells", "per second", "columns", "MB"]
    machine = f"{versions('sklearn-mmsent', 'torch')}, on {cpu_count()} CPU cores."
    return Section("\n\n".join([about, markdown_table(heads, lines), machine]), table)


def _extractors(scratch):
    """Yield (label, extractor, kind of cells, number of cells)."""
    minilm = minilm_folder()
    plain = [
        (TfidfEmbedder(), "texts", N_TEXTS),
        (SentimentLexicon(), "texts", N_TEXTS),
        (Word2VecEmbedder(), "texts", N_TEXTS),
        (TokenIds(minilm), "texts", N_TEXTS),
        (TextEmbedder(minilm), "texts", N_TEXTS),
        (STFT(), "sounds", N_FILES),
        (LogMel(), "sounds", N_FILES),
        (MFCC(), "sounds", N_FILES),
        (AcousticFunctionals(), "sounds", N_FILES),
        (Pixels(), "photos", N_FILES),
        (ColorTexture(), "photos", N_FILES),
        (VideoFrames(ColorTexture()), "videos", N_SLOW),
        (LogMel(), "videos", N_SLOW),
        (SpeechEmbedder(_speech_model(scratch / "speech")), "sounds", N_SLOW),
        (ImageEmbedder(_vision_model(scratch / "vision")), "photos", N_SLOW),
    ]
    for extractor, kind, n in plain:
        inner = getattr(extractor, "extractor", None)
        name = type(extractor).__name__
        yield (f"{name}({type(inner).__name__})" if inner else name), extractor, kind, n


def _row(label, extractor, kind, n, cells, options):
    some = cells[kind][: n if options.limit is None else min(n, options.limit)]
    measured = measure(extractor, some, warm_up=min(8, len(some)))
    speed = len(some) / measured.seconds
    return label, kind, len(some), speed, measured.shape[1], measured.n_bytes / 1e6


def _cells(folder, scratch):
    posts = load_mvsa_single(folder).X
    sounds = [str(path) for path in load_ravdess(folder, channel="speech").X["audio"]]
    photos = [str(path) for path in posts["image"].drop_duplicates()]
    return {
        "texts": posts["text"].drop_duplicates().dropna().tolist(),
        "photos": photos,
        "sounds": sounds,
        "videos": [
            _write_video(scratch / f"{i}.mp4", photos[i * CLIP_SECONDS :], sounds[i])
            for i in range(N_SLOW)
        ],
    }


def _write_video(path, photos, sound):
    """Write a video that shows each photo for a second, with a recording as its sound."""
    import av
    import soundfile

    samples, rate = soundfile.read(sound, dtype="float32")
    frames = Pixels(size=CLIP_SIZE).fit_transform(photos[:CLIP_SECONDS])
    frames = (frames.reshape(CLIP_SECONDS, 3, *CLIP_SIZE).transpose(0, 2, 3, 1) * 255).round()
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=CLIP_RATE)
        (pictures.height, pictures.width), pictures.pix_fmt = CLIP_SIZE, "yuv420p"
        voice = container.add_stream("aac", rate=rate)
        voice.layout = "mono"
        for frame in frames.astype(np.uint8):
            for _ in range(CLIP_RATE):
                container.mux(pictures.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(pictures.encode())
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "fltp", "mono")
        frame.sample_rate = rate
        container.mux(voice.encode(frame))
        container.mux(voice.encode())
    return str(path)


def _speech_model(folder):
    import transformers

    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config()).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return str(folder)


def _vision_model(folder):
    import transformers

    transformers.ViTModel(transformers.ViTConfig()).save_pretrained(folder)
    transformers.ViTImageProcessorPil().save_pretrained(folder)
    return str(folder)
