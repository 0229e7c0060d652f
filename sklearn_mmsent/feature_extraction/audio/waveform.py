"""The samples of sounds themselves."""

from numbers import Integral, Real

import numpy as np

from sklearn_mmsent.blocks import indexed_names
from sklearn_mmsent.exceptions import CellError
from sklearn_mmsent.feature_extraction._base import BaseExtractor
from sklearn_mmsent.feature_extraction.audio.io import TooLongError, read_audio
from sklearn_mmsent.utils._sklearn import Interval

_LONGEST = 600.0  # seconds that are read at all, as by the other extractors


class Waveform(BaseExtractor):
    """Samples of sounds, for networks that train their own speech encoder.

    A sequence block of one column per sample: from -1 to 1, and NaN where the sound has ended.
    For any other estimator `MFCC` or `AcousticFunctionals` serve better.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz that every sound is brought to, and the rate of arrays that come without one.
        Most speech models want 16,000.

    max_seconds : float, default=4.0
        Seconds that the table has room for; unlike in other extractors, what stands over is cut
        off. A second costs `sample_rate` columns: 16,000 by default, or 64 kB a row.

    on_error : {"raise", "missing"}, default="raise"
        For a cell that cannot be used: raise a `CellError`, or count it as missing and warn
        once with the number.

    batch_size : int, default=32
        Sounds that are held in memory at a time.

    n_jobs : int or None, default=None
        Processes that work on batches at the same time; None means one.

    Attributes
    ----------
    n_features_in_ : int
        Always 1, the column of cells.

    n_features_out_ : int
        `sample_rate` times `max_seconds`, rounded.

    See Also
    --------
    SpeechEmbedder : Runs the model too; better unless the encoder itself is to be trained.
    AudioCleaner : Before this one, cuts off silence, which spares columns.

    Notes
    -----
    What a cell may be, and how it is read, stands in the notes of `LogMel`. Sounds of more than
    600 s are an error and not read. The network's encoder for this block is
    "pretrained_speech".

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

    _libraries = ("numpy", "scipy", "soundfile", "av")
    _parameter_constraints: dict = {
        **BaseExtractor._parameter_constraints,
        "sample_rate": [Interval(Integral, 1_000, 1_000_000, closed="both")],
        "max_seconds": [Interval(Real, 0, _LONGEST, closed="right")],
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
                cell, sample_rate=self.sample_rate, max_seconds=_LONGEST, owner="Waveform"
            )
        except TooLongError:
            raise CellError(
                f"the sound lasts more than the {_LONGEST:g} s that are read before it is cut; "
                "bring a part of it"
            ) from None
        return samples[: self._max_steps()].copy()  # and not a view of the whole

    def _encode(self, loaded):
        block = np.full((len(loaded), self._max_steps()), np.nan, dtype=np.float32)
        for row, samples in zip(block, loaded, strict=True):
            row[: len(samples)] = samples
        return block

    def _feature_names(self):
        return indexed_names(["sample"], self._max_steps())

    def _max_steps(self):
        return max(1, round(self.sample_rate * self.max_seconds))
