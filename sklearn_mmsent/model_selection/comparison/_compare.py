"""compare: scores of several models on the same splits, with significance tests."""

import copy
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.utils import indexable
from tqdm import tqdm

from sklearn_mmsent.model_selection.comparison import _models
from sklearn_mmsent.model_selection.comparison._comparison import Comparison
from sklearn_mmsent.model_selection.comparison._fits import (
    ComparisonData,
    Split,
    fit_and_score,
    seeds_for,
)
from sklearn_mmsent.model_selection.comparison._presence import presence_patterns
from sklearn_mmsent.model_selection.comparison._scoring import (
    check_responses,
    choose_scorer,
    inner_scoring,
)
from sklearn_mmsent.model_selection.comparison._significance import MIN_WILCOXON_PAIRS
from sklearn_mmsent.model_selection.splits import (
    check_rows,
    choose_splitter,
    split_rows,
    with_grouped_folds,
)
from sklearn_mmsent.utils._metadata import fit_metadata
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, StrOptions, validate_params


@validate_params(
    {
        "estimators": [dict, list, tuple, HasMethods(["fit"])],
        "X": "no_validation",
        "y": ["array-like"],
        "groups": ["array-like", None],
        "cv": ["cv_object"],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "scoring": [str, callable, list, tuple, set, dict, None],
        "seeds": ["array-like"],
        "baseline": [str, None],
        "test": [StrOptions({"nadeau-bengio", "wilcoxon"})],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "nested": [dict, None],
        "params": [dict, None],
        "n_jobs": [Integral, None],
        "batched": [StrOptions({"auto"}), "boolean"],
        "error_score": [StrOptions({"raise"}), Real],
        "random_state": [Integral],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def compare(
    estimators,
    X,
    y,
    *,
    groups=None,
    cv=None,
    n_repeats=1,
    scoring=None,
    seeds=(0,),
    baseline=None,
    test="nadeau-bengio",
    confidence_level=0.95,
    nested=None,
    params=None,
    n_jobs=None,
    batched="auto",
    error_score=float("nan"),
    random_state=0,
    verbose=0,
) -> Comparison:
    """Compare models on the same splits: scores, confidence intervals, and significance tests.

    Every model is fitted on every training part with every seed, and scored on the test part; a
    constant predictor is always included. Splits that make scores misleading, such as a fold
    without rows of some class or groups in both parts, are reported before anything is fitted.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of estimators or (str, estimator)
        Classifiers or regressors, pipelines and searches included. A search is fitted on each
        training part (nested cross-validation); where its `cv` is a number, its inner folds keep
        groups together as well.
    X : DataFrame or array-like of shape (n_samples, ...)
        Rows, raw or numeric, as the models read them.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row. A group is never in both parts of a split; models
        whose ``fit`` takes groups receive them.
    cv : int, splitter, iterable of (train, test) pairs or None, default=None
        Splits. None means five folds; folds are shuffled, stratified for classes, and keep groups
        together. A single pair is a fixed test set.
    n_repeats : int, default=1
        Number of repetitions of the splits, each with another shuffle.
    scoring : str, callable, list, dict or None, default=None
        Names for :func:`get_scorer`, scorers by name, or a callable ``(estimator, X, y)`` that
        returns a number or a dict of numbers. None means :func:`classification_scores` for
        classes; for intensities :func:`intensity_scores` if targets have both signs and lie in
        [-3, 3] or [-1, 1], otherwise mean absolute error, correlation and R2.
    seeds : sequence of int, default=(0,)
        Seeds. Each model is fitted once per seed, with all its ``random_state`` parameters set to
        it; deterministic models are fitted once.
    baseline : str or None, default=None
        Model that the others are tested against; None means the constant predictor.
    test : {"nadeau-bengio", "wilcoxon"}, default="nadeau-bengio"
        Test of the paired differences: t-test corrected for overlapping training rows [1]_, or
        Wilcoxon's signed-rank test without a correction, for scores far from normal.
    confidence_level : float, default=0.95
        Confidence level of the intervals, which are corrected in the same way.
    nested : dict of str to grid, or None, default=None
        Parameter grids by model. Each is searched in every training part by
        :class:`BatchedGridSearchCV` with three folds.
    params : dict or None, default=None
        Other metadata for ``fit``, such as ``sample_weight``, passed to the models that take it
        (with metadata routing, to those that request it).
    n_jobs : int or None, default=None
        Number of parallel fits, in processes or on the workers of joblib's backend; None means 1.
    batched : "auto" or bool, default="auto"
        Whether to train the networks of all folds and seeds in batches. "auto" decides by a short
        timing, and does not if `n_jobs` asks for several processes. True and False make results
        reproducible to the last bit on one machine (dropout masks differ between both).
    error_score : "raise" or float, default=float("nan")
        Score of a failed fit; "raise" raises its error.
    random_state : int, default=0
        Seed of the first shuffle; each repeat uses the next number.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    Comparison
        Its `table` has one row per model, its `results` one row per fit.

    Raises
    ------
    ValueError
        Before anything is fitted: if targets or groups are missing or differ in length, folds
        cannot be formed, a tested class has no training rows, a model lacks a method that a score
        needs, names are duplicated, or the baseline is unknown.

    See Also
    --------
    batched_cross_validate : Scores of a single model, as in scikit-learn.
    ComparisonDisplay : Plot of the result.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52,
       2003.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_mmsent import FusionClassifier, compare
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["text__tone", "face__smile"])
    >>> y = np.where(X["text__tone"] * X["face__smile"] > 0, "sincere", "forced")
    >>> models = {"line": LogisticRegression(), "fusion": FusionClassifier(max_epochs=30)}
    >>> comparison = compare(models, X, y, baseline="line")
    >>> comparison.best_model_
    'fusion'
    >>> bool(comparison.table.loc["fusion", ("f1_macro", "p_holm")] < 0.05)
    True
    """
    models = _models.name_models(estimators)
    X, y, groups = _rows(X, y, groups)
    classifier = _models.are_classifiers(models)
    models, constant = _models.with_constant(models, classifier=classifier)
    baseline = constant if baseline is None else baseline
    _check_baseline(baseline, models)
    if nested:
        inner = inner_scoring(scoring, y, classifier=classifier)
        models = _models.with_searches(models, nested, scoring=inner)
    models = {
        name: with_grouped_folds(clone(model), y, groups, classifier=classifier)
        for name, model in models.items()
    }
    scorer = choose_scorer(scoring, y, classifier=classifier)
    check_responses(scorer, models)
    params = params or {}
    _check_metadata(models, params)
    seeds = _check_seeds(seeds)
    splits = _split(cv, X, y, groups, classifier, n_repeats, random_state)
    for name, model in models.items():
        pairs = [(split.train, split.test) for split in splits]
        _models.check_inner_splits(name, model, y, groups, pairs, classifier=classifier)
    _check_power(test, len(splits), len(seeds))
    raise_errors = error_score == "raise"
    data = ComparisonData(X, y, groups, params, scorer, classifier, raise_errors)
    options = {"seeds": seeds, "n_jobs": n_jobs, "batched": batched}
    records = _fit_models(models, data, splits, verbose=verbose, **options)
    return Comparison(
        records,
        y=y,
        groups=groups,
        presence=presence_patterns(X),
        scorer=scorer,
        baseline=baseline,
        test=test,
        confidence_level=confidence_level,
        error_score=error_score,
    )


def _fit_models(models, data, splits, *, seeds, verbose, **options):
    """Return the fits in the order of models, repeats, seeds and folds."""
    total = len(splits) * sum(len(seeds_for(model, seeds)) for model in models.values())
    fits = fit_and_score(models, data, splits, seeds=seeds, **options)
    records = list(tqdm(fits, total=total, desc="fits", unit="fit", disable=not verbose))
    order = {name: i for i, name in enumerate(models)}
    records.sort(key=lambda r: (order[r.model], r.split.repeat, r.seed, r.split.fold))
    _report_failures(records)
    return records


def _check_baseline(baseline, models):
    if baseline not in models:
        raise ValueError(
            f"compare: baseline {baseline!r} is not among the models: {', '.join(models)}."
        )


def _rows(X, y, groups):
    """Check rows, and return targets and groups as arrays."""
    check_rows(X, y, groups, owner="compare")
    X, y, groups = indexable(X, y, groups)
    return X, np.asarray(y), None if groups is None else np.asarray(groups)


def _check_metadata(models, params):
    """Check that some model takes each piece of metadata."""
    for name in params:
        if not any(fit_metadata(model, **{name: ()}) for model in models.values()):
            raise ValueError(f"compare: no model takes {name!r} of params in fit.")


def _check_seeds(seeds):
    seeds = list(np.atleast_1d(seeds).tolist())
    if not seeds or len(set(seeds)) < len(seeds) or not all(isinstance(s, int) for s in seeds):
        raise ValueError(f"compare: seeds must be unique integers; got {seeds}.")
    return seeds


def _split(cv, X, y, groups, classifier, n_repeats, random_state):
    """Split the rows once per repeat."""
    splits = []
    for repeat in range(n_repeats):
        seed = random_state + repeat
        splitter = choose_splitter(cv, y, classifier=classifier, groups=groups, random_state=seed)
        if n_repeats > 1:
            splitter = _shuffled(splitter, seed)
        pairs = split_rows(splitter, X, y, groups, classifier=classifier, owner="compare")
        splits += [Split(repeat, fold, *pair) for fold, pair in enumerate(pairs)]
    return splits


def _shuffled(splitter, seed):
    """Return a copy of a splitter that shuffles with a seed."""
    if not hasattr(splitter, "random_state"):
        raise ValueError(
            f"compare: {type(splitter).__name__} returns the same splits each time; n_repeats "
            "needs an integer random_state cv, or a splitter with a random_state."
        )
    splitter = copy.copy(splitter)
    splitter.random_state = seed
    if hasattr(splitter, "shuffle"):
        splitter.shuffle = True
    return splitter


def _check_power(test, n_splits, n_seeds):
    n = n_splits if n_splits > 1 else n_seeds
    if test == "wilcoxon" and n < MIN_WILCOXON_PAIRS:
        warnings.warn(
            f"compare: a Wilcoxon test of {n} pairs cannot reach p < .05; it needs at least "
            f"{MIN_WILCOXON_PAIRS}. Use more folds or n_repeats.",
            UserWarning,
            stacklevel=3,
        )


def _report_failures(records):
    """Warn of failed fits; raise an error if all failed."""
    failed = [record for record in records if record.error is not None]
    if not failed:
        return
    first = failed[0]
    message = (
        f"{len(failed)} of {len(records)} fits failed, {first.model!r} on fold {first.split.fold} "
        f"first: {first.error}"
    )
    if len(failed) == len(records):
        raise ValueError(f"compare: {message}")
    message = f"compare: {message}. Their scores are error_score."
    warnings.warn(message, FitFailedWarning, stacklevel=4)
