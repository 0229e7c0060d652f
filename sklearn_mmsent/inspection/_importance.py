"""modality_importance."""

from collections.abc import Callable, Mapping
from numbers import Integral, Real

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import t as student_t
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_random_state

from sklearn_mmsent.inspection._coalitions import check_number, shapley, values_of
from sklearn_mmsent.inspection._masking import Rows
from sklearn_mmsent.metrics import get_scorer
from sklearn_mmsent.model_selection import batched_cross_validate
from sklearn_mmsent.utils._metadata import fit_metadata
from sklearn_mmsent.utils._random import set_seeds
from sklearn_mmsent.utils._sklearn import (
    HasMethods,
    Interval,
    StrOptions,
    _safe_indexing,
    validate_params,
)

_OWNER = "modality_importance"


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict"]), list, tuple],
        "method": [StrOptions({"shapley", "ablation", "permutation"})],
        "by": [StrOptions({"auto", "masking", "permutation"})],
        "scoring": [str, Callable, None],
        "modalities": [StrOptions({"auto"}), Mapping],
        "cv": ["cv_object"],
        "seeds": [list, tuple, range, None],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def modality_importance(
    estimator,
    X,
    y,
    *,
    method="shapley",
    by="auto",
    scoring=None,
    modalities="auto",
    cv=None,
    groups=None,
    seeds=None,
    n_repeats=5,
    confidence_level=0.95,
    random_state=None,
    n_jobs=None,
):
    """Tell how much of an estimator's score each modality brings.

    Parameters
    ----------
    estimator : estimator, or list of estimators
        Fitted, or several fitted ones whose values are averaged; with `cv`, one that is fitted on
        each split's training rows and asked on the others.
    X : DataFrame or array-like of shape (n_samples, n_columns)
        Rows that it predicts: a numeric table of blocks, or raw cells.
    y : array-like of shape (n_samples,)
        Their targets.
    method : {"shapley", "ablation", "permutation"}, default="shapley"
        - "shapley": the exact Shapley value [1]_: what the modality adds to the score, averaged
          over all orders in which modalities could come. The values sum to the score of all less
          the score of none. Takes 2^M predictions of all rows, for 12 modalities at most.
        - "ablation": the score of all, less that without the modality (leave one out). Takes
          M + 1 predictions. Two modalities that say the same both count as nothing.
        - "permutation": the same, the modality's blocks shuffled between rows [2]_.
    by : {"auto", "masking", "permutation"}, default="auto"
        How modalities are taken away for "shapley" and "ablation": "masking" sets them missing,
        for estimators that read rows with gaps; train a network with `modality_dropout`, so that
        it knows such rows. "permutation" takes whole blocks from another row, one for all absent
        modalities together, and suits any estimator. "auto" masks where the estimator can.
    scoring : str, callable or None, default=None
        A name of :func:`get_scorer_names` or a scorer; None takes the estimator's own score.
    modalities : "auto" or mapping of str to list of str, default="auto"
        A mapping joins modalities, blocks or raw columns under names, such as
        ``{"face": ["vision", "motion"], "voice": ["audio"]}``; what it leaves out always stays.
    cv : int, splitter, iterable or None, default=None
        How rows are split; None takes the estimator as it is fitted.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row, for `cv` and for estimators whose ``fit`` takes it.
    seeds : sequence of int or None, default=None
        With `cv`: the estimator is fitted once for each, all its `random_state` set to it. None
        fits once, as it is.
    n_repeats : int, default=5
        Permutations that are averaged.
    confidence_level : float, default=0.95
        Of the intervals.
    random_state : int, RandomState instance or None, default=None
        Of the permutations.
    n_jobs : int or None, default=None
        Fitted estimators that are asked at the same time; None means 1.

    Returns
    -------
    Bunch
        - ``importances``: DataFrame indexed by modality, of `mean`, `std`, and `low` and `high`
          of the interval. It is that of Student's t over folds and seeds, their variance corrected
          for rows that folds share [3]_; over the repeats for a single estimator by permutation;
          NaN where there is one number only.
        - ``runs``: DataFrame of one row per fold and seed, or repeat: `fold`, `seed`, `repeat`,
          the `score` of all modalities, the `baseline` without any (NaN but for "shapley"), and
          the importance of each.
        - ``score`` and ``baseline``: their means.
        - ``method`` and ``by``: what was done.

    Raises
    ------
    BlockError
        If nothing tells modalities, or there is one only.
    ValueError
        If there are too many modalities, `y` is missing, or the estimator cannot read gaps.

    See Also
    --------
    modality_contributions : The same for each row's prediction, which needs no targets.
    ModalityImportanceDisplay : Draws it.

    References
    ----------
    .. [1] Shapley (1953), A value for n-person games. Lundberg, Lee (2017), A unified approach to
       interpreting model predictions, NeurIPS.
    .. [2] Breiman (2001), Random forests, Machine Learning 45.
    .. [3] Nadeau, Bengio (2003), Inference for the generalization error, Machine Learning 52.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn_mmsent import FillBlocks, make_pipeline, modality_importance
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(2000, 2)), columns=["text__tone", "voice__pitch"])
    >>> y = 2 * X["text__tone"] + X["voice__pitch"]
    >>> model = make_pipeline(FillBlocks(), LinearRegression()).fit(X, y)
    >>> modality_importance(model, X, y).importances["mean"].round(1).to_dict()
    {'text': 0.8, 'voice': 0.2}
    """
    if y is None:
        raise ValueError(
            f"{_OWNER} needs y, by which a score is measured. Without targets, "
            "modality_contributions explains predictions."
        )
    rng = check_random_state(random_state)
    fits = _fits(estimator, X, y, cv, groups, seeds)
    options = {"scoring": scoring, "method": method, "modalities": modalities}
    found = Parallel(n_jobs=n_jobs)(
        delayed(_evaluate)(
            fitted,
            X if test is None else _safe_indexing(X, test),
            y if test is None else _safe_indexing(y, test),
            by="permutation" if method == "permutation" else by,
            orders=[
                rng.permutation(_n_rows(X) if test is None else len(test)) for _ in range(n_repeats)
            ],
            **options,
        )
        for _, _, fitted, test in fits
    )
    runs, names, how = [], found[0].names, found[0].by
    for (fold, seed, _, _), one in zip(fits, found, strict=True):
        for repeat, values in enumerate(one.repeats):
            runs.append({"fold": fold, "seed": seed, "repeat": repeat, **values})
    runs = pd.DataFrame(runs)
    several = len(fits) > 1
    numbers = ["score", "baseline", *names]
    if several:  # repeats of a fit are no evidence of how fits differ
        runs = runs.groupby(["fold", "seed"], sort=False, dropna=False)[numbers].mean()
        runs = runs.reset_index()
    share = _test_share(fits, _n_rows(X)) if several else 0.0
    return Bunch(
        importances=_summarize(runs[list(names)], share, confidence_level),
        runs=runs,
        score=float(runs["score"].mean()),
        baseline=float(runs["baseline"].mean()),
        method=method,
        by=how,
    )


def _fits(estimator, X, y, cv, groups, seeds):
    """Return what is asked: fold, seed, a fitted estimator, and the rows to ask it about."""
    if cv is None:
        if seeds is not None:
            raise ValueError(f"{_OWNER}: seeds are for estimators to fit; give cv, too.")
        fitted = list(estimator) if isinstance(estimator, list | tuple) else [estimator]
        if not fitted:
            raise ValueError(f"{_OWNER}: the list of fitted estimators is empty.")
        return [(fold, None, one, None) for fold, one in enumerate(fitted)]
    if isinstance(estimator, list | tuple):
        raise ValueError(f"{_OWNER}: with cv, give one estimator to fit, not a list of fitted.")
    fits = []
    for seed in [None] if seeds is None else seeds:
        one = clone(estimator)
        if seed is not None:
            set_seeds(one, seed)
        result = batched_cross_validate(
            one,
            X,
            y,
            cv=cv,
            groups=groups,
            params=fit_metadata(one, groups=groups),
            scoring=_no_score,
            return_estimator=True,
            return_indices=True,
            error_score="raise",
        )
        for fold, fitted in enumerate(result["estimator"]):
            fits.append((fold, seed, fitted, result["indices"]["test"][fold]))
    return fits


def _no_score(estimator, X, y):
    """Stand in for a score that nobody reads."""
    return 0.0


def _evaluate(estimator, X, y, *, by, orders, scoring, method, modalities):
    """Return the names of the modalities, and a dict of score and importances per repeat."""
    rows = Rows(estimator, X, modalities, _OWNER)
    n = len(rows.names)
    if method == "shapley":
        check_number(n, owner=_OWNER)
    by = choose(rows, by)
    scorer = check_scoring(rows.estimator, scoring=get_scorer(scoring))
    everything = 2**n - 1
    coalitions = range(2**n) if method == "shapley" else _all_but_one(n)
    values = values_of(
        rows, lambda model, table: scorer(model, table, y), coalitions, by=by, orders=orders
    )
    if method == "shapley":
        importances = shapley(values, n)
    else:
        without = [values[everything & ~(1 << m)] for m in range(n)]
        importances = values[everything] - np.stack(without)
    repeats = [
        {
            "score": values[everything][r],
            "baseline": values[0][r] if 0 in values else np.nan,
            **dict(zip(rows.names, importances[:, r], strict=True)),
        }
        for r in range(importances.shape[1])
    ]
    return Bunch(names=rows.names, repeats=repeats, by=by)


def choose(rows, by):
    """Return how modalities are taken away: "masking" or "permutation".

    Parameters
    ----------
    rows : Rows
        What is predicted.
    by : {"auto", "masking", "permutation"}
        What was asked for.
    """
    if by == "masking":
        rows.check_masking()
    if by != "auto":
        return by
    return "masking" if rows.reads_gaps() else "permutation"


def _all_but_one(n):
    everything = 2**n - 1
    return [everything, *(everything & ~(1 << m) for m in range(n))]


def _n_rows(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


def _test_share(fits, n_rows):
    """Return the test rows of a split as a multiple of its training rows; 0 without splits."""
    tests = [len(test) for _, _, _, test in fits if test is not None]
    return np.mean(tests) / (n_rows - np.mean(tests)) if tests else 0.0


def _summarize(values, share, confidence_level):
    """Average runs, and give the interval of the mean."""
    n = len(values)
    mean, std = values.mean(), values.std(ddof=1)  # NaN for a single run
    wide = student_t.ppf((1 + confidence_level) / 2, n - 1) if n > 1 else np.nan
    half = wide * std * np.sqrt(1 / n + share)
    table = pd.DataFrame({"mean": mean, "std": std, "low": mean - half, "high": mean + half})
    return table.rename_axis("modality")
