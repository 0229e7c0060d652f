"""Every extractor: what goes in, how wide it comes out, how fast, in how much memory."""

import tempfile
from importlib.metadata import version
from pathlib import Path

import _data
import numpy as np
import pandas as pd
from _process import measure
from _section import Section
from joblib import cpu_count

import sklearn_mmsent as mm

TITLE = "Every extractor"
N_TEXTS, N_FILES, N_SLOW = 1000, 256, 48
CLIP_SECONDS, CLIP_RATE, CLIP_SIZE = 6, 25, (240, 320)


def run(folder, options):
    """Measure each extractor on real cells, one process each; see the benchmark's documentation."""
    with tempfile.TemporaryDirectory() as scratch:
        cells = _cells(folder, Path(scratch))
        rows = [_row(*row, cells, options) for row in _extractors(Path(scratch))]
    table = pd.DataFrame(
        rows, columns=["extractor", "cells", "n_cells", "per_second", "width", "memory_mb"]
    )
    lines = [
        "Cells per second of `transform` with one process and torch's own threads, the number of "
        "columns, and the largest memory in use above what the loaded extractor takes. Texts and "
        "photos are those of mvsa_single, sounds those of RAVDESS (2.4 s on average), videos "
        f"{CLIP_SECONDS} s of its photos at {CLIP_RATE} frames per second with a recording, of "
        "which one frame per second is taken. The speed of a pretrained model does not depend on "
        "its weights: `ImageEmbedder` is measured with a ViT-B/16 and `SpeechEmbedder` with a "
        "wav2vec 2.0 base of random ones.",
        "",
        "| extractor | cells | per second | columns | MB |",
        "|---|---|---|---|---|",
        *(
            f"| `{r.extractor}` | {r.n_cells} {r.cells} | {r.per_second:.4g} | {r.width} | "
            f"{r.memory_mb:.0f} |"
            for r in table.itertuples()
        ),
        "",
        f"sklearn-mmsent {version('sklearn-mmsent')}, torch {version('torch')}, on {cpu_count()} "
        "CPU cores.",
    ]
    return Section("\n".join(lines), table)


def _extractors(scratch):
    """Give (label, extractor, kind of cells, number of cells)."""
    minilm = _data.minilm()
    plain = [
        (mm.TfidfEmbedder(), "texts", N_TEXTS),
        (mm.SentimentLexicon(), "texts", N_TEXTS),
        (mm.Word2VecEmbedder(), "texts", N_TEXTS),
        (mm.TokenIds(minilm), "texts", N_TEXTS),
        (mm.TextEmbedder(minilm), "texts", N_TEXTS),
        (mm.STFT(), "sounds", N_FILES),
        (mm.LogMel(), "sounds", N_FILES),
        (mm.MFCC(), "sounds", N_FILES),
        (mm.AcousticFunctionals(), "sounds", N_FILES),
        (mm.Pixels(), "photos", N_FILES),
        (mm.ColorTexture(), "photos", N_FILES),
        (mm.VideoFrames(mm.ColorTexture()), "videos", N_SLOW),
        (mm.LogMel(), "videos", N_SLOW),
        (mm.SpeechEmbedder(_speech_model(scratch / "speech")), "sounds", N_SLOW),
        (mm.ImageEmbedder(_vision_model(scratch / "vision")), "photos", N_SLOW),
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
    posts = _data.mvsa_single(folder).X
    sounds = [str(path) for path in _data.ravdess(folder, channel="speech").X["audio"]]
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
    """Show each photo for a second while a recording sounds."""
    import av
    import soundfile

    samples, rate = soundfile.read(sound, dtype="float32")
    frames = mm.Pixels(size=CLIP_SIZE).fit_transform(photos[:CLIP_SECONDS])
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
