"""OutlierRemover: rows that are unlike the others of their class."""

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
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, StrOptions

JOINT = "all"  # stands for the modality where they are judged together


class OutlierRemover(BaseRowSampler):
    """Remove the rows that are most unlike the others of their class.

    A detector looks at each class by itself, so what is rare about a row of a small class is not
    its class, and each class loses the same share of its rows: a small one is never removed. A
    modality is judged by the rows that have it; a missing block, padding and single missing
    values make nobody an outlier. A row is as far out as its worst modality.

    Parameters
    ----------
    detector : outlier detector or None, default=None
        Any of scikit-learn's, such as ``LocalOutlierFactor()`` or ``EllipticEnvelope()``; its own
        `contamination` plays no part. None takes ``IsolationForest()`` [1]_.
    per : {"modality", "joint"}, default="modality"
        "modality" asks one detector for each modality, and finds a broken photo beside a good
        text; "joint" asks one for all together, and finds photos and texts that do not go
        together.
    contamination : float or mapping, default=0.05
        Share of a class's rows to remove, rounded down, from 0 to 0.5. A mapping gives it class by
        class; classes that it leaves out lose nothing.
    modalities : "auto", mapping or None, default="auto"
        Block layout of the columns; "auto" infers it from the column names. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    random_state : int, RandomState or None, default=None
        Decides what a detector without a `random_state` of its own draws.

    Attributes
    ----------
    report_ : DataFrame
        One row for each that was removed: its number ``row``, its ``label``, the ``modality`` that
        was judged ("all" for "joint"), and by how many deviations its ``score`` stands above the
        median of its class.
    sample_indices_ : ndarray of int of shape (n_samples_new,)
        Indices of the rows that are kept.
    sampling_strategy_ : dict
        The classes, as imbalanced-learn tells them.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of features seen during fit. Defined only when X has feature names that are all
        strings.

    See Also
    --------
    FillBlocks : Must stand before imbalanced-learn's own cleaning samplers.

    Notes
    -----
    Features are standardised; a sequence is judged by the mean and the deviation of its real
    steps, token numbers are not judged. Deviations are median absolute deviations, by 1.4826.
    A far row must score further out than a near one: ``OneClassSVM`` with its radial kernel breaks
    this, since a row that becomes a support vector props itself up.

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
        n_removed = self._numbers(y)
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

    def _numbers(self, y):
        """Return how many rows each class is to lose."""
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
                    f"{type(self).__name__}: contamination of the class {label!r} must be a share "
                    f"from 0 to 0.5. Got {share!r} instead."
                )
        # 0.07 of 100 rows is 7.000000000000001 or 6.999999999999999
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
        """Return how far out each row of a class is, and in which modality."""
        layout, present = space.table.layout, space.table.present[rows]
        scores = np.full(len(rows), -np.inf)
        names = np.full(len(rows), JOINT, dtype=object)
        judged = [JOINT] if self.per == "joint" else layout.modalities
        for modality in judged:
            blocks = [i for i in space.blocks if modality in (JOINT, layout.blocks[i].modality)]
            has = present[:, blocks].any(axis=1)
            if has.sum() < 2:  # nobody to be compared with
                continue
            values = space.summary(rows[has], blocks)
            far = np.full(len(rows), -np.inf)
            far[has] = _deviations(self._judge(detector, values, label, modality))
            names[far > scores] = modality
            scores = np.maximum(far, scores)
        return scores, names

    def _judge(self, detector, values, label, modality):
        """Return the abnormality of rows, the higher the less normal."""
        detector, owner = clone(detector), type(self).__name__
        kind = type(detector).__name__
        try:
            detector.fit(values)
        except ValueError as error:
            raise ValueError(
                f"{owner}: {kind} cannot judge the {len(values)} rows of the class "
                f"{plain(label)!r} by the modality {modality!r}: {error} Leave the class out by "
                "contamination={class: share}, or take another detector."
            ) from error
        if hasattr(detector, "negative_outlier_factor_"):  # of the training rows themselves
            return -detector.negative_outlier_factor_
        if hasattr(detector, "score_samples"):
            return -detector.score_samples(values)
        raise ValueError(
            f"{owner}: the detector {kind} has neither score_samples nor "
            "negative_outlier_factor_, by which rows could be ordered. Take one of scikit-learn's, "
            "such as IsolationForest or LocalOutlierFactor."
        )


def _deviations(scores):
    """Return by how many robust deviations scores stand above their median."""
    above = scores - np.median(scores)
    scale = 1.4826 * np.median(np.abs(above)) or scores.std() or 1.0
    return above / scale
