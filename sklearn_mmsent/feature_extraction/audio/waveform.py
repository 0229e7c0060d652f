"""Raw audio waveforms."""

from numbers import Integral, Real

import numpy as np

from sklearn_mmsent.blocks import indexed_names
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.audio.io import TooLongError, read_audio
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Interval

_MAX_SECONDS_READ = 600.0


@document_shared_parameters(BaseExtractor)
class Waveform(BaseExtractor):
    """Raw audio samples, for networks that train their own speech encoder.

    A sequence block with one column per sample, from -1 to 1, padded with NaN after the end of
    the clip. For other estimators, `MFCC` or `AcousticFunctionals` are better suited.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sampling rate in Hz to resample to, also assumed for arrays without a rate. Most speech
        models expect 16,000.
    max_seconds : float, default=4.0
        Duration of the block in seconds. Unlike in other extractors, longer clips are truncated.
        Each second takes `sample_rate` columns, 64 kB per row by default.
    batch_size : int, default=32
        Number of clips loaded at a time.

    Attributes
    ----------
    n_features_out_ : int
        `sample_rate` times `max_seconds`, rounded.

    See Also
    --------
    SpeechEmbedder : Also runs the model; preferable unless the encoder itself is trained.
    AudioCleaner : Trims silence first, which saves columns.

    Notes
    -----
    See the Notes of `LogMel` for supported audio cells. Clips longer than 600 s are an error.
    Use the encoder "pretrained_speech" for this block.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mmsent.feature_extraction.audio import Waveform
    >>> waveform = Waveform(sample_rate=8000, max_seconds=0.0005)  # 4 samples
    >>> waveform.fit_transform([np.array([0.0, 0.5, -0.5])])
    array([[ 0. ,  0.5, -0.5,  nan]], dtype=float32)
    >>> print(*waveform.get_feature_names_out())
    sample@000 sample@001 sample@002 sample@003
    """

    modality = "audio"

    _libraries = ("numpy", "scipy", "soundfile", "av")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "sample_rate": [Interval(Integral, 1_000, 1_000_000, closed="both")],
        "max_seconds": [Interval(Real, 0, _MAX_SECONDS_READ, closed="right")],
    }

    def __init__(
        self,
        sample_rate=16000,
        *,
        max_seconds=4.0,
        on_error="raise",
        batch_size=32,
        n_jobs=None,
    ):
        self.sample_rate = sample_rate
        self.max_seconds = max_seconds
        self.on_error = on_error
        self.batch_size = batch_size
        self.n_jobs = n_jobs

    def _load(self, cell):
        try:
            samples = read_audio(
                cell, sample_rate=self.sample_rate, max_seconds=_MAX_SECONDS_READ, owner="Waveform"
            )
        except TooLongError:
            raise CellError(
                f"the clip is longer than {_MAX_SECONDS_READ:g} s, the most that is read; "
                "pass a part of it"
            ) from None
        return samples[: self._max_steps()].copy()  # not a view, to free the rest

    def _encode(self, loaded):
        block = np.full((len(loaded), self._max_steps()), np.nan, dtype=np.float32)
        for row, samples in zip(block, loaded, strict=True):
            row[: len(samples)] = samples
        return block

    def _feature_names(self):
        return indexed_names(["sample"], self._max_steps())

    def _max_steps(self):
        return max(1, round(self.sample_rate * self.max_seconds))
