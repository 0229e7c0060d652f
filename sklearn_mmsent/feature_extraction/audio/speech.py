"""Embeddings of speech by a pretrained model."""

from numbers import Integral, Real
from pathlib import Path

import numpy as np

from sklearn_mmsent.blocks import indexed_names, numbered_names, statistic_names
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction._summaries import check_statistics
from sklearn_mmsent.feature_extraction.audio.io import read_audio
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._sklearn import Interval, StrOptions

_SOURCE = {"owner": "SpeechEmbedder", "extra": "audio"}


class SpeechEmbedder(BaseExtractor):
    """Embeddings of speech by a pretrained model, as statistics or as a sequence.

    Models that have heard thousands of hours know voices, and Whisper's also words, so that
    little training data goes far. `fit` learns nothing and loads no weights; the model loads
    when the first sound comes. A process holds each model once: clones, folds and unpickled
    copies share it, and pickles do not carry it.

    Parameters
    ----------
    model : str or Path, default="microsoft/wavlm-base-plus"
        A local folder, which never touches the network, or the name of a model on the Hugging
        Face hub, which is downloaded once. Any speech encoder of the transformers library: wav2vec
        2.0 [1]_, HuBERT, WavLM [2]_, data2vec, or Whisper [3]_, of which the encoder is used.

    layer : int or None, default=None
        Layer that is read: 0 is the one below the first block of attention, -1 the last. None
        means the model's own output. Middle layers often know more of mood than the last, which
        is close to words.

    pooling : {"stats"} or None, default="stats"
        ``"stats"``: a flat block, each feature summarised over the clip's frames. None: a
        sequence block of `max_steps` steps; steps after the clip's end are NaN, which is
        padding.

    statistics : sequence of str, default=("mean", "std")
        What ``pooling="stats"`` takes: "mean", "std", "min", "max", and percentiles from "p00"
        to "p99".

    frames_per_step : int, default=5
        With ``pooling=None``, the neighbouring frames that are averaged into one step. A frame of
        the models named above lasts 0.02 s, so that by default a step lasts 0.1 s.

    max_steps : int, default=100
        With ``pooling=None``, the number of steps that the table has room for.

    long_clips : {"crop", "squeeze"}, default="crop"
        With ``pooling=None``, what happens to clips of more than `max_steps` steps; see `LogMel`.

    window_seconds : float, default=20.0
        A longer clip is cut into equal windows of at most this length, which the model hears one
        by one: its memory grows with the square of the length. Whisper hears no more than 30 s at
        a time.

    max_seconds : float, default=600.0
        Longest sound that is read, in seconds; a longer one is an error and not cut silently.

    device : str, default="auto"
        "cpu", "cuda", "cuda:1" and so on; "auto" takes a GPU if there is one.

    on_error : {"raise", "missing"}, default="raise"
        For a cell that cannot be used: raise a `CellError`, or count it as missing and warn
        once with the number.

    batch_size : int, default=8
        Sounds that are held in memory at a time. Those of one length pass through the model
        together.

    n_jobs : int or None, default=None
        Processes that work on batches at the same time; None means one. Each loads the model,
        which itself uses several threads: more than one rarely pays.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of cells.

    n_features_out_ : int
        Width of the model times the number of statistics, or times `max_steps`.

    See Also
    --------
    AcousticFunctionals : Numbers with names, without a model.
    Cached : Keeps embeddings on disk, so that folds and later scripts do not compute them again.

    Notes
    -----
    What a cell may be, and how it is read, stands in the notes of `LogMel`. Sounds shorter than
    0.1 s are lengthened with silence. Weights are read from safetensors files only, since other
    formats can run code.

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
    >>> with tempfile.TemporaryDirectory() as folder:  # in place of a model that was trained
    ...     _ = Wav2Vec2Model(tiny).save_pretrained(folder)
    ...     _ = Wav2Vec2FeatureExtractor().save_pretrained(folder)
    ...     embedder = SpeechEmbedder(folder, device="cpu", statistics=["mean"])
    ...     print(embedder.fit_transform([np.ones(8000), np.zeros(99)]).shape)
    (2, 16)
    """

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
            sample_rate=self._notes().sample_rate,
            max_seconds=self.max_seconds,
            owner=type(self).__name__,
        )

    def _encode(self, loaded):
        from sklearn_mmsent.pretrained.speech import SpeechModel

        model = loading.load(SpeechModel, self.model, self.device, **_SOURCE)
        clips = model.encode(loaded, window_seconds=self.window_seconds, layer=self.layer)
        return np.stack([self._pool(frames).cpu().numpy().ravel() for frames in clips])

    def _pool(self, frames):
        """Bring the frames of one clip, (T, F), to one width."""
        import torch

        from sklearn_mmsent.feature_extraction.audio import _time_pooling

        frames, length = frames[None], torch.tensor([len(frames)], device=frames.device)
        if self.pooling == "stats":
            return _time_pooling.statistics(frames, length, self.statistics)
        return _time_pooling.sequences(
            frames,
            length,
            frames_per_step=self.frames_per_step,
            max_steps=self.max_steps,
            squeeze=self.long_clips == "squeeze",
        )

    def _feature_names(self):
        check_statistics(self.statistics, type(self).__name__)
        notes = self._notes()
        if notes.chunk_seconds is not None and self.window_seconds > notes.chunk_seconds:
            raise ValueError(
                f"The 'window_seconds' parameter of SpeechEmbedder must be at most "
                f"{notes.chunk_seconds}, which is all that this model hears at a time. Got "
                f"{self.window_seconds:g} instead."
            )
        names = numbered_names("emb", notes.width)
        if self.pooling == "stats":
            return statistic_names(names, self.statistics)
        return indexed_names(names, self.max_steps)

    def _notes(self):
        from sklearn_mmsent.pretrained.speech import SpeechNotes

        return loading.load(SpeechNotes, self.model, **_SOURCE)

    def _fingerprint(self):
        return loading.fingerprint(self.model, **_SOURCE)
