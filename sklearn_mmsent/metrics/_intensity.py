"""Scores of predicted sentiment intensity, equal to the reference code of the field."""

from numbers import Integral

import numpy as np
from sklearn.metrics import f1_score
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import Options, StrOptions, _check_sample_weight, validate_params

# Inner edges of the right-closed bins on [-1, 1], by number of classes.
_SIMS_EDGES = {2: (0.0,), 3: (-0.1, 0.1), 5: (-0.7, -0.1, 0.1, 0.7)}
_MOSI_LIMITS = {3: 1, 5: 2, 7: 3}

_COMMON = {
    "y_true": ["array-like"],
    "y_pred": ["array-like"],
    "convention": [StrOptions({"mosi", "sims"})],
    "sample_weight": ["array-like", None],
}
_ZEROS = [StrOptions({"include", "exclude"})]


@validate_params(_COMMON, prefer_skip_nested_validation=True)
def intensity_scores(y_true, y_pred, *, convention="mosi", sample_weight=None) -> dict[str, float]:
    """Compute the scores that are reported for sentiment intensity.

    Keys of the SIMS convention end in ``_sims``; those without a suffix follow the
    convention of MOSI and MOSEI.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True intensities.
    y_pred : array-like of shape (n_samples,)
        Predicted intensities, not clipped.
    convention : {"mosi", "sims"}, default="mosi"
        ``"mosi"`` for intensities in [-3, 3], ``"sims"`` for intensities in [-1, 1].
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; None weights all rows equally.

    Returns
    -------
    dict of str to float
        With ``"mosi"``: ``acc2_has0``, ``f1_weighted_has0``, ``acc2_non0``,
        ``f1_weighted_non0``, ``acc3``, ``acc5``, ``acc7``, ``mae``, ``corr``.
        With ``"sims"``: ``acc2_sims``, ``f1_weighted_sims``, ``acc3_sims``,
        ``acc5_sims``, ``mae_sims``, ``corr_sims``.

    Raises
    ------
    ValueError
        If lengths differ, a value is NaN or infinite, or there are no rows.

    See Also
    --------
    get_scorer : One of these scores as a ``scoring=`` callable.
    classification_scores : Scores of predicted classes.

    Notes
    -----
    Intensities are binned in float32, as in the reference code, so that a label 0.1 lies
    on the bin edge 0.1 in float32 and in float64. ``*_non0`` is NaN if all true
    intensities are zero, ``corr`` if one side is constant.

    References
    ----------
    .. [1] A. Zadeh et al., "MOSI: Multimodal Corpus of Sentiment Intensity and
       Subjectivity Analysis in Online Opinion Videos", 2016.
    .. [2] W. Yu et al., "CH-SIMS: A Chinese Multimodal Sentiment Analysis Dataset
       with Fine-grained Annotation of Modality", ACL 2020.

    Examples
    --------
    >>> from sklearn_mmsent import intensity_scores
    >>> scores = intensity_scores([-3, -1, 0, 0.5, 2.5], [-2, 0.2, 0.1, 0.6, 3.4])
    >>> {name: round(scores[name], 3) for name in ("acc2_has0", "acc7", "mae")}
    {'acc2_has0': 0.8, 'acc7': 0.2, 'mae': 0.66}
    """
    rows = {"sample_weight": sample_weight}
    if convention == "sims":
        rows["convention"] = "sims"
        return {
            "acc2_sims": intensity_accuracy(y_true, y_pred, **rows),
            "f1_weighted_sims": intensity_f1(y_true, y_pred, **rows),
            "acc3_sims": intensity_accuracy(y_true, y_pred, n_classes=3, **rows),
            "acc5_sims": intensity_accuracy(y_true, y_pred, n_classes=5, **rows),
            "mae_sims": intensity_mae(y_true, y_pred, **rows),
            "corr_sims": intensity_corr(y_true, y_pred, **rows),
        }
    return {
        "acc2_has0": intensity_accuracy(y_true, y_pred, **rows),
        "f1_weighted_has0": intensity_f1(y_true, y_pred, **rows),
        "acc2_non0": intensity_accuracy(y_true, y_pred, zeros="exclude", **rows),
        "f1_weighted_non0": intensity_f1(y_true, y_pred, zeros="exclude", **rows),
        "acc3": intensity_accuracy(y_true, y_pred, n_classes=3, **rows),
        "acc5": intensity_accuracy(y_true, y_pred, n_classes=5, **rows),
        "acc7": intensity_accuracy(y_true, y_pred, n_classes=7, **rows),
        "mae": intensity_mae(y_true, y_pred, **rows),
        "corr": intensity_corr(y_true, y_pred, **rows),
    }


@document_shared_parameters(intensity_scores)
@validate_params(
    {**_COMMON, "n_classes": [Options(Integral, {2, 3, 5, 7})], "zeros": _ZEROS},
    prefer_skip_nested_validation=True,
)
def intensity_accuracy(
    y_true, y_pred, *, n_classes=2, convention="mosi", zeros="include", sample_weight=None
) -> float:
    """Compute the accuracy of binned intensities.

    Parameters
    ----------
    n_classes : {2, 3, 5, 7}, default=2
        Number of classes. With ``"mosi"``, 3, 5 and 7 clip to [-1, 1], [-2, 2] and
        [-3, 3] and round half to even. With ``"sims"`` (2, 3, 5), bins are
        right-closed, with edges at 0, at +-0.1, and at +-0.1 and +-0.7.
    zeros : {"include", "exclude"}, default="include"
        For two classes of ``"mosi"``. ``"include"`` ("has0") compares ``>= 0`` on all
        rows; ``"exclude"`` ("non0") compares ``> 0`` on rows whose true intensity is not 0.

    Returns
    -------
    float
        Accuracy in [0, 1]; NaN if no row is left.

    Raises
    ------
    ValueError
        If lengths differ, a value is NaN or infinite, there are no rows, or the
        convention does not define this number of classes.

    See Also
    --------
    intensity_f1 : F1 of two classes of unequal size.

    Examples
    --------
    >>> from sklearn_mmsent.metrics import intensity_accuracy
    >>> intensity_accuracy([-1, 0, 2, 3], [-0.6, -0.2, 1.2, 4.0], n_classes=7)
    0.75
    """
    y_true, y_pred, weight = _check(y_true, y_pred, sample_weight)
    true, pred, weight = _classes(y_true, y_pred, weight, n_classes, convention, zeros)
    return _mean(true == pred, weight)


@document_shared_parameters(intensity_scores)
@validate_params({**_COMMON, "zeros": _ZEROS}, prefer_skip_nested_validation=True)
def intensity_f1(
    y_true, y_pred, *, convention="mosi", zeros="include", sample_weight=None
) -> float:
    """Compute the support-weighted F1 of negative against positive intensities.

    Parameters
    ----------
    zeros : {"include", "exclude"}, default="include"
        How rows with intensity zero are counted; see :func:`intensity_accuracy`.

    Returns
    -------
    float
        F1 in [0, 1], weighted by the support of each class; NaN if no row is left.

    Raises
    ------
    ValueError
        If lengths differ, a value is NaN or infinite, or there are no rows.

    See Also
    --------
    intensity_accuracy : Accuracy, for two, three, five or seven classes.

    Examples
    --------
    >>> from sklearn_mmsent.metrics import intensity_f1
    >>> round(intensity_f1([-1, -2, 0, 3], [-0.6, 0.2, -1.2, 4.0]), 3)
    0.5
    """
    y_true, y_pred, weight = _check(y_true, y_pred, sample_weight)
    true, pred, weight = _classes(y_true, y_pred, weight, 2, convention, zeros)
    if weight.sum() == 0:
        return float("nan")
    return float(f1_score(true, pred, average="weighted", sample_weight=weight, zero_division=0.0))


@document_shared_parameters(intensity_scores)
@validate_params(_COMMON, prefer_skip_nested_validation=True)
def intensity_mae(y_true, y_pred, *, convention="mosi", sample_weight=None) -> float:
    """Compute the mean absolute error of intensities.

    Parameters
    ----------
    convention : {"mosi", "sims"}, default="mosi"
        ``"mosi"`` uses values unchanged, ``"sims"`` clips both sides to [-1, 1].

    Returns
    -------
    float
        Error in units of the intensity; the best value is 0.

    Raises
    ------
    ValueError
        If lengths differ, a value is NaN or infinite, or there are no rows.

    See Also
    --------
    sklearn.metrics.mean_absolute_error : The same as ``"mosi"``, for any target.

    Examples
    --------
    >>> from sklearn_mmsent.metrics import intensity_mae
    >>> intensity_mae([-1, 0, 1], [-1.5, 0, 2])
    0.5
    >>> intensity_mae([-1, 0, 1], [-1.5, 0, 2], convention="sims")
    0.0
    """
    y_true, y_pred, weight = _check(y_true, y_pred, sample_weight)
    y_true, y_pred = _clip_sims(y_true, y_pred, convention)
    return _mean(np.abs(y_pred - y_true), weight)


@document_shared_parameters(intensity_scores, intensity_mae)
@validate_params(_COMMON, prefer_skip_nested_validation=True)
def intensity_corr(y_true, y_pred, *, convention="mosi", sample_weight=None) -> float:
    """Compute Pearson's correlation of true and predicted intensities.

    Returns
    -------
    float
        Correlation in [-1, 1]; NaN, as in SciPy but without a warning, if one side is
        constant or has a single row.

    Raises
    ------
    ValueError
        If lengths differ, a value is NaN or infinite, or there are no rows.

    See Also
    --------
    scipy.stats.pearsonr : Adds a p-value and an interval; does not support weights.

    Examples
    --------
    >>> from sklearn_mmsent.metrics import intensity_corr
    >>> round(intensity_corr([-1, 0, 1, 2], [-0.5, 0.4, 0.3, 1.5]), 3)
    0.927
    >>> intensity_corr([-1, 0, 1, 2], [0.3, 0.3, 0.3, 0.3])
    nan
    """
    y_true, y_pred, weight = _check(y_true, y_pred, sample_weight)
    y_true, y_pred = _clip_sims(y_true, y_pred, convention)
    counted = weight > 0
    true, pred, weight = y_true[counted], y_pred[counted], weight[counted]
    if len(true) == 0 or np.ptp(true) == 0 or np.ptp(pred) == 0:
        return float("nan")
    true = true - np.average(true, weights=weight)
    pred = pred - np.average(pred, weights=weight)
    covariance = np.sum(weight * true * pred)
    scale = np.sqrt(np.sum(weight * true**2)) * np.sqrt(np.sum(weight * pred**2))
    return float(np.clip(covariance / scale, -1.0, 1.0)) if scale > 0 else float("nan")


def _check(y_true, y_pred, sample_weight):
    columns = []
    for name, y in (("y_true", y_true), ("y_pred", y_pred)):
        y = check_array(y, ensure_2d=False, dtype=np.float64, ensure_min_samples=1, input_name=name)
        columns.append(column_or_1d(y))
    check_consistent_length(*columns)
    weight = _check_sample_weight(
        sample_weight, columns[0], dtype=np.float64, ensure_non_negative=True
    )
    return *columns, weight


def _clip_sims(y_true, y_pred, convention):
    if convention == "mosi":
        return y_true, y_pred
    return np.clip(y_true, -1, 1), np.clip(y_pred, -1, 1)


def _classes(y_true, y_pred, weight, n_classes, convention, zeros):
    """Bin both sides into classes; also return the weights of the rows that are counted."""
    if zeros == "exclude" and (convention, n_classes) != ("mosi", 2):
        raise ValueError(
            "zeros='exclude' is defined for two classes of convention='mosi'; got "
            f"n_classes={n_classes} of convention={convention!r}. Use zeros='include'."
        )
    true, pred = y_true.astype(np.float32), y_pred.astype(np.float32)
    if convention == "sims":
        if n_classes not in _SIMS_EDGES:
            raise ValueError(
                f"convention='sims' defines 2, 3 and 5 classes; got n_classes={n_classes}. "
                "Choose one of these, or convention='mosi' for intensities in [-3, 3]."
            )
        edges = np.asarray(_SIMS_EDGES[n_classes], dtype=np.float32)
        return np.digitize(true, edges, right=True), np.digitize(pred, edges, right=True), weight
    if n_classes == 2 and zeros == "include":
        return true >= 0, pred >= 0, weight
    if n_classes == 2:
        counted = true != 0
        return true[counted] > 0, pred[counted] > 0, weight[counted]
    limit = _MOSI_LIMITS[n_classes]
    return np.round(np.clip(true, -limit, limit)), np.round(np.clip(pred, -limit, limit)), weight


def _mean(values, weight):
    total = weight.sum()
    return float(np.sum(values * weight) / total) if total > 0 else float("nan")
