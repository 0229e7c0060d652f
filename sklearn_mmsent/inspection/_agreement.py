"""agreement_report."""

from collections.abc import Mapping
from itertools import combinations
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sklearn_mmsent.inspection._conflict import (
    conflict_of_classes,
    conflict_of_intensities,
    contradictions,
)
from sklearn_mmsent.inspection._masking import Rows
from sklearn_mmsent.inspection._predictions import Predictor
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, StrOptions, validate_params

_OWNER = "agreement_report"


@validate_params(
    {
        "estimator": [HasMethods(["predict"])],
        "experts": [Mapping, HasMethods(["predict_unimodal"]), None],
        "modalities": [StrOptions({"auto"}), Mapping],
        "target": [str, None],
        "opposites": [list, tuple, None],
        "scale": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def agreement_report(
    estimator,
    X,
    *,
    experts=None,
    modalities="auto",
    target=None,
    opposites=None,
    scale=1.0,
) -> Bunch:
    """Compare unimodal predictions with the prediction of the fusion, by row.

    Parameters
    ----------
    estimator : estimator
        Fitted on all modalities: a classifier with ``predict_proba``, or a regressor.
    X : DataFrame or array-like of shape (n_samples, n_columns)
        Rows to predict: a numeric table of blocks, or raw cells.
    experts : ConflictDetector, mapping of str to estimator, or None, default=None
        Source of the unimodal predictions: the experts of a fitted detector, or fitted estimators
        by modality, each predicting rows of `X`. None uses `estimator` itself with all other
        modalities set to missing; train it with `modality_dropout` or fusion="decision", so that
        it tolerates such rows.
    modalities : "auto" or mapping of str to list of str, default="auto"
        Definition of the modalities; see :func:`modality_importance`.
    target : str or None, default=None
        Target of a multi-task estimator; None if it has only one.
    opposites : list of pairs of labels or None, default=None
        Classes that contradict each other, such as ``[("negative", "positive")]``, so that
        neutral contradicts none. With None, any two different classes do.
    scale : float, default=1.0
        Distance of two intensities that counts as a conflict of 1.

    Returns
    -------
    Bunch
        - ``table``: DataFrame, one row per row of `X`. Its columns are `prediction`, the label or
          intensity predicted from all modalities; one column per modality with its unimodal
          prediction, missing where the modality is; `agreement`, the share of pairs of modalities
          that predict the same label (for intensities: the same sign); `conflict`; and
          `followed`, the modality whose prediction is nearest to that of the fusion, in total
          variation or distance, missing for rows with fewer than two modalities.
        - ``followed``: Series, the share of rows in which each modality was followed, among the
          rows in which modalities disagree.
        - ``unimodal``: dict from modality to probabilities of shape (n_samples, n_classes), or to
          intensities; NaN where it is missing.
        - ``classes``: classes of the probabilities; None for intensities.

    Raises
    ------
    BlockError
        If `X` names no modalities, or only one.
    ValueError
        If the estimator cannot predict rows with missing modalities, or if the experts and the
        estimator predict different things.

    See Also
    --------
    ConflictDetector : Trains experts and learns a threshold, to find conflicts in new rows.
    modality_contributions : Attributes a prediction to modalities.

    Notes
    -----
    The conflict of two modalities is x / (x + s), where x is the probability that labels drawn
    from their predictions contradict each other, and s that they are equal; with `opposites`
    None it is the probability that they differ. For intensities it is the distance in units of
    `scale`. With more than two modalities it is the mean over pairs.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn_mmsent import FillBlocks, make_pipeline
    >>> from sklearn_mmsent.inspection import agreement_report
    >>> X = pd.DataFrame({"text__tone": [-1.0, 1.0, 2.0, -2.0], "voice__pitch": [-1, 1, -1, 1]})
    >>> y = 2 * X["text__tone"] + X["voice__pitch"]
    >>> model = make_pipeline(FillBlocks(), LinearRegression()).fit(X, y)
    >>> agreement_report(model, X).table.round(3)
       prediction  text  voice  agreement  conflict followed
    0        -3.0  -2.0   -1.0        1.0       1.0     text
    1         3.0   2.0    1.0        1.0       1.0     text
    2         3.0   4.0   -1.0        0.0       5.0     text
    3        -3.0  -4.0    1.0        0.0       5.0     text
    """
    rows = Rows(estimator, X, modalities, _OWNER)
    fused = Predictor(rows.estimator, target, _OWNER)
    prediction = fused(rows.X)
    unimodal = _predict_unimodal(rows, fused, experts, X)
    names = list(unimodal)
    labels = [np.asarray(fused.labels(one)) for one in unimodal.values()]
    present = np.stack([~np.isnan(p.reshape(len(rows), -1)).any(axis=1) for p in unimodal.values()])
    if fused.classes is None:
        sides = [np.sign(one) for one in labels]
        conflict = conflict_of_intensities(list(unimodal.values()), scale)
        distances = np.stack([np.abs(one - prediction) for one in unimodal.values()])
    else:
        sides = labels
        matrix = contradictions(fused.classes, opposites, owner=_OWNER)
        conflict = conflict_of_classes(list(unimodal.values()), matrix)
        distances = np.stack([np.abs(one - prediction).sum(axis=1) for one in unimodal.values()])
    several = present.sum(axis=0) > 1
    nearest = np.where(present, distances, np.inf).argmin(axis=0)
    index = rows.index
    table = pd.DataFrame({"prediction": fused.labels(prediction)}, index=index)
    for name, label, has in zip(names, labels, present, strict=True):
        table[name] = pd.Series(label, index=index).where(has)
    table["agreement"] = _agreement(sides, present)
    table["conflict"] = conflict
    followed = pd.Series(np.array(names, dtype=object)[nearest], index=index)
    table["followed"] = followed.where(several)
    split = several & (table["agreement"] < 1).to_numpy()
    followed = table.loc[split, "followed"].value_counts(normalize=True)
    return Bunch(
        table=table,
        followed=followed.reindex(names, fill_value=0.0).rename("share").rename_axis("modality"),
        unimodal=unimodal,
        classes=fused.classes,
    )


def _predict_unimodal(rows, fused, experts, X):
    """Return unimodal predictions, NaN where the modality is missing."""
    if experts is None:
        rows.check_masking()
        everything = set(rows.names)
        found = {name: fused(rows.masked(everything - {name})) for name in rows.names}
        return {name: _mask(one, rows.has(name)) for name, one in found.items()}
    if hasattr(experts, "predict_unimodal"):
        classes, found = experts.classes_, experts.predict_unimodal(rows.X)
        _check_classes("the detector", classes, fused.classes)
        return found
    if len(experts) < 2:
        raise ValueError(f"{_OWNER}: experts must cover at least two modalities.")
    found = {}
    for name, expert in experts.items():
        one = Predictor(expert, None, _OWNER)
        _check_classes(f"the expert of {name!r}", one.classes, fused.classes)
        has = rows.has(name) if name in rows.names else np.ones(len(rows), dtype=bool)
        found[name] = _mask(one(X), has)
    return found


def _check_classes(expert, classes, expected):
    def describe(labels):
        return "intensities" if labels is None else ", ".join(map(repr, labels.tolist()))

    same = classes is None if expected is None else np.array_equal(classes, expected)
    if not same:
        raise ValueError(
            f"{_OWNER}: {expert} predicts {describe(classes)}, but the estimator predicts "
            f"{describe(expected)}. Both must predict the same classes, or intensities."
        )


def _mask(predictions, present):
    """Return predictions with NaN where the modality is missing."""
    predictions = predictions.astype(float)
    predictions[~present] = np.nan
    return predictions


def _agreement(labels, present):
    """Return the share of pairs of modalities that predict the same label."""
    pairs = list(combinations(range(len(labels)), 2))
    both = np.stack([present[i] & present[j] for i, j in pairs])
    same = np.stack([labels[i] == labels[j] for i, j in pairs]) & both
    count = both.sum(axis=0)
    return np.where(count > 0, same.sum(axis=0) / np.maximum(count, 1), np.nan)
