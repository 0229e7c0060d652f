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
    _num_samples,
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
) -> Bunch:
    """Compute how much each modality contributes to the score of an estimator.

    Parameters
    ----------
    estimator : estimator, or list of estimators
        A fitted estimator, or several whose values are averaged; with `cv`, an estimator to fit
        on the training rows of each split and to evaluate on its test rows.
    X : DataFrame or array-like of shape (n_samples, n_columns)
        Rows to predict: a numeric table of blocks, or raw cells.
    y : array-like of shape (n_samples,)
        Targets.
    method : {"shapley", "ablation", "permutation"}, default="shapley"
        - "shapley": exact Shapley value [1]_, the gain in score from adding the modality, averaged
          over all orders of the modalities. The values sum to the score of all modalities minus
          that of none. Takes 2^M predictions of all rows, for at most 12 modalities.
        - "ablation": loss of score without the modality (leave one out). Takes M + 1
          predictions. Two redundant modalities both get a value of zero.
        - "permutation": loss of score with the blocks of the modality shuffled between rows
          [2]_.
    by : {"auto", "masking", "permutation"}, default="auto"
        How modalities are removed for "shapley" and "ablation". "masking" sets them to missing, for
        estimators that tolerate missing modalities; train a network with `modality_dropout`, so
        that it has seen such rows. "permutation" takes all removed modalities from the same
        other row, and suits any estimator. "auto" masks where the estimator supports it.
    scoring : str, callable or None, default=None
        A name in :func:`get_scorer_names`, or a scorer; None uses ``estimator.score``.
    modalities : "auto" or mapping of str to list of str, default="auto"
        A mapping joins modalities, blocks or raw columns under names, such as
        ``{"face": ["vision", "motion"], "voice": ["audio"]}``; all others are always kept.
    cv : int, splitter, iterable or None, default=None
        Splitting strategy; None evaluates the estimator as it is fitted.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row, for `cv` and for an estimator whose ``fit`` takes
        groups.
    seeds : sequence of int or None, default=None
        With `cv`, the estimator is fitted once per seed, with every `random_state` in it set to
        the seed. None fits it once, unchanged.
    n_repeats : int, default=5
        Number of permutations to average over.
    confidence_level : float, default=0.95
        Level of the confidence intervals.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations.
    n_jobs : int or None, default=None
        Number of fitted estimators to evaluate in parallel; None means 1.

    Returns
    -------
    Bunch
        - ``importances``: DataFrame indexed by modality, with `mean`, `std`, and the bounds `low`
          and `high` of the confidence interval. The interval uses Student's t over folds and
          seeds, with the variance corrected for training rows that folds share [3]_; for a single
          estimator, it is over permutations; NaN for a single value.
        - ``runs``: DataFrame of one row per fold and seed, or repeat: `fold`, `seed`, `repeat`,
          the `score` of all modalities, the `baseline` without any (NaN except for "shapley"),
          and the importance of each modality.
        - ``score`` and ``baseline``: means over the runs.
        - ``method`` and ``by``: the method used.

    Raises
    ------
    BlockError
        If `X` names no modalities, or only one.
    ValueError
        If there are too many modalities, `y` is missing, or the estimator does not tolerate
        missing modalities.

    See Also
    --------
    modality_contributions : The same for the prediction of each row, without targets.
    ModalityImportanceDisplay : Plots it.

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
            f"{_OWNER} requires y to compute a score. Without targets, use "
            "modality_contributions, which explains predictions."
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
                rng.permutation(_num_samples(X) if test is None else len(test))
                for _ in range(n_repeats)
            ],
            **options,
        )
        for _, _, fitted, test in fits
    )
    names, runs = found[0].names, _runs(fits, found)
    share = _test_share(fits, _num_samples(X)) if len(fits) > 1 else 0.0
    return Bunch(
        importances=_summarize(runs[list(names)], share, confidence_level),
        runs=runs,
        score=float(runs["score"].mean()),
        baseline=float(runs["baseline"].mean()),
        method=method,
        by=found[0].by,
    )


def _fits(estimator, X, y, cv, groups, seeds):
    """Return fold, seed, fitted estimator and test rows of each evaluation."""
    if cv is None:
        if seeds is not None:
            raise ValueError(f"{_OWNER}: seeds requires cv, with which estimators are fitted.")
        fitted = list(estimator) if isinstance(estimator, list | tuple) else [estimator]
        if not fitted:
            raise ValueError(f"{_OWNER}: the list of fitted estimators is empty.")
        return [(fold, None, one, None) for fold, one in enumerate(fitted)]
    if isinstance(estimator, list | tuple):
        raise ValueError(f"{_OWNER}: with cv, pass one estimator to fit, not a list of them.")
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
            scoring=_zero_score,
            return_estimator=True,
            return_indices=True,
            error_score="raise",
        )
        for fold, fitted in enumerate(result["estimator"]):
            fits.append((fold, seed, fitted, result["indices"]["test"][fold]))
    return fits


def _zero_score(estimator, X, y):
    """Return a placeholder: only the fitted estimators are used."""
    return 0.0


def _evaluate(estimator, X, y, *, by, orders, scoring, method, modalities):
    """Return names of the modalities, and score and importances of each repeat."""
    rows = Rows(estimator, X, modalities, _OWNER)
    n = len(rows.names)
    if method == "shapley":
        check_number(n, owner=_OWNER)
    by = choose_removal(rows, by)
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


def choose_removal(rows, by):
    """Return how modalities are removed, "masking" or "permutation", for the parameter `by`."""
    if by == "masking":
        rows.check_masking()
    if by != "auto":
        return by
    return "masking" if rows.tolerates_missing() else "permutation"


def _all_but_one(n):
    everything = 2**n - 1
    return [everything, *(everything & ~(1 << m) for m in range(n))]


def _runs(fits, found):
    """Return a row per fold and seed, averaged over repeats; for a single fit, per repeat."""
    runs = pd.DataFrame(
        {"fold": fold, "seed": seed, "repeat": repeat, **values}
        for (fold, seed, _, _), one in zip(fits, found, strict=True)
        for repeat, values in enumerate(one.repeats)
    )
    if len(fits) == 1:
        return runs
    # repeats of one fit do not measure the variance between fits
    groups = runs.drop(columns="repeat").groupby(["fold", "seed"], sort=False, dropna=False)
    return groups.mean().reset_index()


def _test_share(fits, n_rows):
    """Return the ratio of test rows to training rows of a split; 0 without splits."""
    tests = [len(test) for _, _, _, test in fits if test is not None]
    return np.mean(tests) / (n_rows - np.mean(tests)) if tests else 0.0


def _summarize(values, share, confidence_level):
    """Return mean, standard deviation and confidence interval over runs."""
    n = len(values)
    mean, std = values.mean(), values.std(ddof=1)  # NaN for a single run
    quantile = student_t.ppf((1 + confidence_level) / 2, n - 1) if n > 1 else np.nan
    half = quantile * std * np.sqrt(1 / n + share)
    table = pd.DataFrame({"mean": mean, "std": std, "low": mean - half, "high": mean + half})
    return table.rename_axis("modality")
