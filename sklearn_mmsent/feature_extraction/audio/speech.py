"""Speech embeddings from pretrained models."""

from numbers import Integral, Real
from pathlib import Path

import numpy as np

from sklearn_mmsent.blocks import indexed_names, numbered_names, statistic_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction._summaries import check_statistics
from sklearn_mmsent.feature_extraction.audio.io import read_audio
from sklearn_mmsent.feature_extraction.audio.log_mel import LogMel
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval, StrOptions

_OWNER = "SpeechEmbedder"
_SOURCE = {"owner": _OWNER, "extra": "audio"}


@document_shared_parameters(BaseExtractor, LogMel)
class SpeechEmbedder(BaseExtractor):
    """Speech embeddings from a pretrained model, as statistics over time or as a sequence.

    Models trained on thousands of hours of speech encode the voice, and Whisper also the words,
    so that little training data is needed. `fit` learns nothing; the weights are loaded on first
    use. Each process holds a model once: clones, folds and unpickled copies share it, and pickles
    do not contain it.

    Parameters
    ----------
    model : str or Path, default="microsoft/wavlm-base-plus"
        Local folder, which never accesses the network, or name on the Hugging Face hub, from where
        it is downloaded once. Any speech encoder of the transformers library: wav2vec 2.0 [1]_,
        HuBERT, WavLM [2]_, data2vec, or the encoder of Whisper [3]_.
    layer : int or None, default=None
        Hidden layer to use: 0 is the input of the first attention block, -1 the last layer. None
        uses the output of the model. Middle layers often carry more emotion than the last, which
        is closer to words.
    statistics : sequence of str, default=("mean", "std")
        Statistics for ``pooling="stats"``; see `LogMel`.
    frames_per_step : int, default=5
        With ``pooling=None``, number of consecutive frames averaged per step. A frame of the
        models above lasts 0.02 s, so a step lasts 0.1 s by default.
    long_clips : {"crop", "squeeze"}, default="crop"
        With ``pooling=None``, how to handle longer clips; see `LogMel`.
    window_seconds : float, default=20.0
        Longer clips are split into equal windows of at most this duration in seconds, which are
        encoded separately, because memory grows with the square of the duration. Whisper accepts
        at most 30 s.
    batch_size : int, default=8
        Number of clips loaded at a time. Clips of the same length are encoded in one batch.
    n_jobs : int or None, default=None
        Number of batches processed in parallel; None means 1. Each process loads the model, which
        is itself multi-threaded, so more than 1 is rarely faster.

    Attributes
    ----------
    n_features_out_ : int
        Hidden size of the model times the number of statistics, or times `max_steps`.

    See Also
    --------
    AcousticFunctionals : Interpretable features without a model.
    Cached : Stores embeddings on disk for reuse across folds and scripts.

    Notes
    -----
    See the Notes of `LogMel` for supported audio cells. Clips shorter than 0.1 s are padded with
    silence. Weights are only read from safetensors files, since other formats can execute code.

    References
    ----------
    .. [1] A. Baevski, H. Zhou, A. Mohamed and M. Auli, "wav2vec 2.0: A framework for
       self-supervised learning of speech representations", NeurIPS, 2020.
    .. [2] S. Chen et al., "WavLM: Large-scale self-supervised pre-training for full stack speech
       processing", IEEE Journal of Selected Topics in Signal Processing 16(6), 2022.
    .. [3] A. Radford et al., "Robust speech recognition via large-scale weak supervision", ICML,
       2023.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model
    >>> from sklearn_mmsent import SpeechEmbedder
    >>> tiny = Wav2Vec2Config(
    ...     hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    ...     conv_dim=(8, 8), conv_stride=(20, 16), conv_kernel=(20, 16), num_conv_pos_embeddings=4,
    ...     num_conv_pos_embedding_groups=2,
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:  # stands in for a pretrained model
    ...     _ = Wav2Vec2Model(tiny).save_pretrained(folder)
    ...     _ = Wav2Vec2FeatureExtractor().save_pretrained(folder)
    ...     embedder = SpeechEmbedder(folder, device="cpu", statistics=["mean"])
    ...     print(embedder.fit_transform([np.ones(8000), np.zeros(99)]).shape)
    (2, 16)
    """

    modality = "audio"

    _libraries = ("transformers", "torch", "numpy", "scipy", "soundfile", "av")
    _neutral_parameters = (*BaseExtractor._neutral_parameters, "device")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "model": [str, Path],
        "layer": [Integral, None],
        "pooling": [StrOptions({"stats"}), None],
        "statistics": [tuple, list],
        "frames_per_step": [Interval(Integral, 1, None, closed="left")],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
        "long_clips": [StrOptions({"crop", "squeeze"})],
        "window_seconds": [Interval(Real, 1, None, closed="left")],
        "max_seconds": [Interval(Real, 0, None, closed="neither")],
        "device": [str],
    }

    def __init__(
        self,
        model="microsoft/wavlm-base-plus",
        *,
        layer=None,
        pooling="stats",
        statistics=("mean", "std"),
        frames_per_step=5,
        max_steps=100,
        long_clips="crop",
        window_seconds=20.0,
        max_seconds=600.0,
        device="auto",
        on_error="raise",
        batch_size=8,
        n_jobs=None,
    ):
        self.model = model
        self.layer = layer
        self.pooling = pooling
        self.statistics = statistics
        self.frames_per_step = frames_per_step
        self.max_steps = max_steps
        self.long_clips = long_clips
        self.window_seconds = window_seconds
        self.max_seconds = max_seconds
        self.device = device
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        return read_audio(
            cell,
            sample_rate=self._config().sample_rate,
            max_seconds=self.max_seconds,
            owner=type(self).__name__,
        )

    def _encode(self, loaded):
        from sklearn_mmsent.pretrained.speech import SpeechModel

        model = loading.load(SpeechModel, self.model, self.device, _OWNER, **_SOURCE)
        clips = model.encode(loaded, window_seconds=self.window_seconds, layer=self.layer)
        return np.stack([self._pool(frames).cpu().numpy().ravel() for frames in clips])

    def _pool(self, frames):
        """Pool the frames (T, F) of one clip to a fixed width."""
        import torch

        from sklearn_mmsent.feature_extraction.audio import _time_pooling

        length = torch.tensor([len(frames)], device=frames.device)
        return _time_pooling.pool(self, frames[None], length)

    def _feature_names(self):
        check_statistics(self.statistics, type(self).__name__)
        config = self._config()
        if config.chunk_seconds is not None and self.window_seconds > config.chunk_seconds:
            raise ValueError(
                f"The 'window_seconds' parameter of SpeechEmbedder must be at most "
                f"{config.chunk_seconds}, the longest input of this model. Got "
                f"{self.window_seconds:g} instead."
            )
        names = numbered_names("emb", config.width)
        if self.pooling == "stats":
            return statistic_names(names, self.statistics)
        return indexed_names(names, self.max_steps)

    def _config(self):
        from sklearn_mmsent.pretrained.speech import SpeechConfig

        return loading.load(SpeechConfig, self.model, _OWNER, **_SOURCE)

    def _fingerprint(self):
        return loading.fingerprint(self.model, **_SOURCE)
