"""Pipelines that streams are predicted by."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import (
    MFCC,
    ColorTexture,
    FillBlocks,
    FusionClassifier,
    LogMel,
    TfidfEmbedder,
    make_extractor,
    make_pipeline,
)
from sklearn_mmsent.feature_extraction.audio import STFT

RATE = 8000


def noise(seconds, seed=0, rate=RATE):
    """Soft noise whose loudness changes, so that windows differ."""
    n = round(seconds * rate)
    rng = np.random.default_rng(seed)
    loudness = 0.05 + 0.04 * np.sin(np.arange(n) / rate * 2)
    return (rng.normal(size=n) * loudness).astype(np.float32)


def rows(n=24):
    """Raw rows of sound, text and picture, with gaps."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "audio": pd.Series([noise(1, i) * (1 + i % 2) for i in range(n)], dtype=object),
            "text": pd.Series([["good fun", "bad day"][i % 2] for i in range(n)], dtype=object),
            "image": pd.Series([rng.random((32, 32, 3)) for i in range(n)], dtype=object),
        }
    )
    X.loc[3, "audio"] = X.loc[4, "text"] = X.loc[5, "image"] = None
    return X, np.array(["pos", "neg"] * (n // 2))


@pytest.fixture(scope="session")
def hearing():
    """One modality, three extractors of spectra, a plain classifier."""
    X, y = rows()
    parts = {
        "mel": LogMel(RATE, n_mels=16),
        "mfcc": MFCC(8, sample_rate=RATE, n_mels=16, deltas=2, pooling=None, max_steps=12),
        "stft": STFT(RATE, n_fft=256, hop_length=100, scale="db", ref="max", top_db=40),
    }
    pipe = make_pipeline(
        make_extractor(audio=parts), FillBlocks(), StandardScaler(), LogisticRegression()
    )
    return pipe.fit(X[["audio"]], y)


@pytest.fixture(scope="session")
def fused():
    """Three modalities, a network."""
    X, y = rows()
    pipe = make_pipeline(
        make_extractor(
            audio=LogMel(RATE, n_mels=16),
            text=TfidfEmbedder(n_components=2),
            image=ColorTexture(size=(32, 32)),
        ),
        FusionClassifier(max_epochs=3, random_state=0),
    )
    return pipe.fit(X, y)


@pytest.fixture(name="noise", scope="session")
def _noise():
    return noise


@pytest.fixture(name="rows", scope="session")
def _rows():
    return rows()


@pytest.fixture(name="cut_at_random")
def _cut_at_random():
    """Return a generator of chunks of random lengths."""
    return cut_at_random


def cut_at_random(samples, largest, seed=0):
    rng, start = np.random.default_rng(seed), 0
    while start < len(samples):
        stop = start + int(rng.integers(1, largest))
        yield samples[start:stop]
        start = stop
