"""OutlierRemover: removal of outliers per class and modality."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.utils import check_random_state

from sklearn_mmsent.sampling._base import BaseRowSampler, Resampled
from sklearn_mmsent.sampling._neighbors import BlockSpace
from sklearn_mmsent.sampling._rows import BlockRows, plain
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, StrOptions

JOINT = "all"  # name used in the report if all modalities are scored jointly


@document_shared_parameters(BaseRowSampler)
class OutlierRemover(BaseRowSampler):
    """Remove the outliers of each class.

    A detector scores each class separately and removes the same fraction of its rows, so that a
    rare class is not an outlier itself. A modality is scored on the rows that have it; missing
    blocks, padding and single missing values do not make a row an outlier. The score of a row is
    that of its worst modality.

    Parameters
    ----------
    detector : outlier detector or None, default=None
        Any outlier detector of scikit-learn, such as ``LocalOutlierFactor()`` or
        ``EllipticEnvelope()``; its `contamination` is ignored. None uses ``IsolationForest()``
        [1]_.
    per : {"modality", "joint"}, default="modality"
        "modality" scores each modality with a separate detector, which finds a corrupt photo next
        to a valid text; "joint" scores all modalities with one detector, which finds mismatched
        photos and texts.
    contamination : float or mapping, default=0.05
        Fraction of the rows of each class to remove, from 0 to 0.5, rounded down. A mapping gives
        a fraction per class; other classes are unchanged.
    random_state : int, RandomState or None, default=None
        Seed of a detector whose `random_state` is None.

    Attributes
    ----------
    report_ : DataFrame
        One row per removed row: its index ``row``, its ``label``, the ``modality`` with the
        highest score ("all" for "joint"), and the ``score`` in deviations above the median of its
        class.
    sample_indices_ : ndarray of int of shape (n_samples_new,)
        Indices of the rows that are kept.
    sampling_strategy_ : dict
        The classes, as in imbalanced-learn.

    See Also
    --------
    FillBlocks : Required before the cleaning samplers of imbalanced-learn.

    Notes
    -----
    Features are standardised; sequences are described by mean and standard deviation over their
    steps; token ids are ignored. Scores are scaled by the median absolute deviation times 1.4826.
    Detectors must score distant rows higher: ``OneClassSVM`` with an RBF kernel does not, since a
    row that becomes a support vector raises its own density.

    References
    ----------
    .. [1] F. T. Liu, K. M. Ting, Z.-H. Zhou, "Isolation forest", ICDM 2008.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent.sampling import OutlierRemover
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(40, 3)), columns=["text__a", "text__b", "face__smile"])
    >>> X.loc[7, "face__smile"] = 100.0
    >>> y = np.repeat(["neg", "pos"], 20)
    >>> remover = OutlierRemover(random_state=0)
    >>> X_new, y_new = remover.fit_resample(X, y)
    >>> remover.report_[["row", "label", "modality"]].head(1)
       row label modality
    0    7   neg     face
    """

    _sampling_type = "clean-sampling"
    _strategy = "all"
    _parameter_constraints: dict = {
        "detector": [HasMethods(["fit", "fit_predict"]), None],
        "per": [StrOptions({"modality", "joint"})],
        "contamination": [Interval(Real, 0, 0.5, closed="both"), Mapping],
        "modalities": [StrOptions({"auto"}), Mapping, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        detector=None,
        *,
        per="modality",
        contamination=0.05,
        modalities="auto",
        random_state=None,
    ):
        self.detector = detector
        self.per = per
        self.contamination = contamination
        self.modalities = modalities
        self.random_state = random_state

    def _fit_resample(self, X, y):
        n_removed = self._n_removed(y)
        detector = self._seeded_detector()
        space = BlockSpace(BlockRows(X, self.modalities, type(self).__name__))
        found = []
        for label, n in n_removed.items():
            rows = np.flatnonzero(y == label)
            if n:
                scores, names = self._scores(space, rows, detector, label)
                worst = np.argsort(-scores, kind="stable")[:n]
                found += [(rows[i], plain(label), names[i], scores[i]) for i in worst]
        report = pd.DataFrame(found, columns=["row", "label", "modality", "score"])
        self.report_ = report.astype({"row": np.intp, "score": np.float64})
        return Resampled(np.delete(np.arange(len(y)), self.report_["row"]))

    def _n_removed(self, y):
        """Return the number of rows to remove from each class."""
        labels, counts = np.unique(y, return_counts=True)
        shares = self.contamination
        if not isinstance(shares, Mapping):
            shares = dict.fromkeys(labels.tolist(), shares)
        if unknown := [label for label in shares if label not in labels.tolist()]:
            raise ValueError(
                f"{type(self).__name__}: contamination names the class {unknown[0]!r}, which is "
                f"not in y; its classes are {', '.join(map(repr, labels.tolist()))}."
            )
        for label, share in shares.items():
            if not isinstance(share, Real) or not 0 <= share <= 0.5:
                raise ValueError(
                    f"{type(self).__name__}: contamination of the class {label!r} must be a "
                    f"fraction from 0 to 0.5. Got {share!r} instead."
                )
        # the epsilon corrects rounding: 0.07 * 100 is 7.000000000000001
        return {
            label: int(shares.get(plain(label), 0) * n + 1e-9)
            for label, n in zip(labels, counts, strict=True)
        }

    def _seeded_detector(self):
        detector = IsolationForest() if self.detector is None else clone(self.detector)
        if detector.get_params().get("random_state", 0) is None:
            seed = check_random_state(self.random_state).randint(2**31 - 1)
            detector.set_params(random_state=seed)
        return detector

    def _scores(self, space, rows, detector, label):
        """Return the outlier score of each row of a class, and the modality that causes it."""
        layout, present = space.table.layout, space.table.present[rows]
        scores = np.full(len(rows), -np.inf)
        names = np.full(len(rows), JOINT, dtype=object)
        scored = [JOINT] if self.per == "joint" else layout.modalities
        for modality in scored:
            blocks = [i for i in space.blocks if modality in (JOINT, layout.blocks[i].modality)]
            has = present[:, blocks].any(axis=1)
            if has.sum() < 2:  # no rows to compare with
                continue
            values = space.summary(rows[has], blocks)
            far = np.full(len(rows), -np.inf)
            far[has] = _robust_deviations(self._abnormality(detector, values, label, modality))
            names[far > scores] = modality
            scores = np.maximum(far, scores)
        return scores, names

    def _abnormality(self, detector, values, label, modality):
        """Return the abnormality of rows, higher for outliers."""
        detector, owner = clone(detector), type(self).__name__
        kind = type(detector).__name__
        try:
            detector.fit(values)
        except ValueError as error:
            raise ValueError(
                f"{owner}: {kind} cannot score the {len(values)} rows of the class "
                f"{plain(label)!r} by the modality {modality!r}: {error} Exclude the class with "
                "contamination={class: share}, or use another detector."
            ) from error
        if hasattr(detector, "negative_outlier_factor_"):  # of the training rows
            return -detector.negative_outlier_factor_
        if hasattr(detector, "score_samples"):
            return -detector.score_samples(values)
        raise ValueError(
            f"{owner}: the detector {kind} has neither score_samples nor "
            "negative_outlier_factor_. Use a detector of scikit-learn, such as IsolationForest or "
            "LocalOutlierFactor."
        )


def _robust_deviations(scores):
    """Return scores as robust deviations above their median."""
    above = scores - np.median(scores)
    scale = 1.4826 * np.median(np.abs(above)) or scores.std() or 1.0
    return above / scale
