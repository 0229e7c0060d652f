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
        "experts": [Mapping, HasMethods(["predict_alone"]), None],
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
):
    """Tell row by row what each modality says alone, and which one the fusion followed.

    Parameters
    ----------
    estimator : estimator
        Fitted on all modalities: a classifier with ``predict_proba``, or a regressor.
    X : DataFrame or array-like of shape (n_samples, n_columns)
        Rows that it predicts: a numeric table of blocks, or raw cells.
    experts : ConflictDetector, mapping of str to estimator, or None, default=None
        Who speaks for a modality: the experts of a fitted detector, or fitted estimators by
        modality, each predicting rows of `X`. None asks `estimator` itself with all other
        modalities set missing, which it must have learned to read: train it with
        `modality_dropout`, or with fusion="decision".
    modalities : "auto" or mapping of str to list of str, default="auto"
        What counts as one modality; see :func:`modality_importance`.
    target : str or None, default=None
        Which target of a multi-task estimator; None where there is one.
    opposites : list of pairs of labels or None, default=None
        Classes that contradict each other, such as ``[("negative", "positive")]``, so that
        neutral contradicts none. None takes any two different classes.
    scale : float, default=1.0
        Of intensities: the distance that counts as a conflict of 1.

    Returns
    -------
    Bunch
        - ``table``: DataFrame, one row per row of `X`. Its columns are `prediction`, the label or
          intensity of all modalities; one per modality, what it says alone, missing where it is;
          `agreement`, the share of pairs of modalities that say the same label (for intensities:
          the same side of zero); `conflict`; and `followed`, the modality whose own prediction is
          nearest to that of all, in total variation or distance, missing for rows with fewer
          than two.
        - ``followed``: Series, the share of rows in which each modality was followed, of those
          rows in which modalities do not all agree.
        - ``alone``: dict from modality to probabilities of shape (n_samples, n_classes), or to
          intensities; NaN where it is missing.
        - ``classes``: of the probabilities; None for intensities.

    Raises
    ------
    BlockError
        If nothing tells modalities, or there is one only.
    ValueError
        If the estimator cannot read gaps, or experts and estimator do not fit.

    See Also
    --------
    ConflictDetector : Learns experts and a threshold, to find conflicts in new rows.
    modality_contributions : Shares a prediction out among modalities.

    Notes
    -----
    The conflict of two modalities is x / (x + s), where x is the probability that labels drawn
    from their predictions contradict each other, and s that they are the same; with `opposites`
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
    together = fused(rows.X)
    alone = _ask(rows, fused, experts, X)
    names = list(alone)
    says = [np.asarray(fused.labels(one)) for one in alone.values()]
    there = np.stack([~np.isnan(one.reshape(len(rows), -1)).any(axis=1) for one in alone.values()])
    if fused.classes is None:
        sides = [np.sign(one) for one in says]
        conflict = conflict_of_intensities(list(alone.values()), scale)
        distances = np.stack([np.abs(one - together) for one in alone.values()])
    else:
        sides = says
        matrix = contradictions(fused.classes, opposites, owner=_OWNER)
        conflict = conflict_of_classes(list(alone.values()), matrix)
        distances = np.stack([np.abs(one - together).sum(axis=1) for one in alone.values()])
    enough = there.sum(axis=0) > 1
    nearest = np.where(there, distances, np.inf).argmin(axis=0)
    index = rows.index
    table = pd.DataFrame({"prediction": fused.labels(together)}, index=index)
    for name, label, here in zip(names, says, there, strict=True):
        table[name] = pd.Series(label, index=index).where(here)
    table["agreement"] = _agreement(sides, there)
    table["conflict"] = conflict
    table["followed"] = pd.Series(np.array(names, dtype=object)[nearest], index=index).where(enough)
    split = enough & (table["agreement"] < 1).to_numpy()
    followed = table.loc[split, "followed"].value_counts(normalize=True)
    return Bunch(
        table=table,
        followed=followed.reindex(names, fill_value=0.0).rename("share").rename_axis("modality"),
        alone=alone,
        classes=fused.classes,
    )


def _ask(rows, fused, experts, X):
    """Return what each modality says alone, NaN where it is missing."""
    if experts is None:
        rows.check_masking()
        everything = set(rows.names)
        found = {name: fused(rows.masked(everything - {name})) for name in rows.names}
        return {name: _cut(one, rows.has(name)) for name, one in found.items()}
    if hasattr(experts, "predict_alone"):
        classes, found = experts.classes_, experts.predict_alone(rows.X)
        _check_classes("the detector", classes, fused.classes)
        return found
    if len(experts) < 2:
        raise ValueError(f"{_OWNER}: experts must speak for two modalities at least.")
    found = {}
    for name, expert in experts.items():
        one = Predictor(expert, None, _OWNER)
        _check_classes(f"the expert of {name!r}", one.classes, fused.classes)
        here = rows.has(name) if name in rows.names else np.ones(len(rows), dtype=bool)
        found[name] = _cut(one(X), here)
    return found


def _check_classes(who, classes, expected):
    def tell(labels):
        return "intensities" if labels is None else ", ".join(map(repr, labels.tolist()))

    same = classes is None if expected is None else np.array_equal(classes, expected)
    if not same:
        raise ValueError(
            f"{_OWNER}: {who} predicts {tell(classes)}, and the estimator {tell(expected)}; "
            "they must say the same kind of thing."
        )


def _cut(predictions, here):
    """Return predictions with NaN where the modality is missing."""
    predictions = predictions.astype(float)
    predictions[~here] = np.nan
    return predictions


def _agreement(says, there):
    """Return the share of pairs of modalities that say the same."""
    pairs = [(i, j) for i, j in combinations(range(len(says)), 2)]
    both = np.stack([there[i] & there[j] for i, j in pairs])
    same = np.stack([says[i] == says[j] for i, j in pairs]) & both
    count = both.sum(axis=0)
    return np.where(count > 0, same.sum(axis=0) / np.maximum(count, 1), np.nan)
