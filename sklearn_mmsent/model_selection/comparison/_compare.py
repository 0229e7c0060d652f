"""compare: several models on the same splits, and what their differences are worth."""

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
from sklearn_mmsent.model_selection.comparison._fits import Data, Split, run_all, seeds_of
from sklearn_mmsent.model_selection.comparison._presence import presence_patterns
from sklearn_mmsent.model_selection.comparison._scoring import (
    check_responses,
    choose_scorer,
    inner_scoring,
)
from sklearn_mmsent.model_selection.comparison._significance import ENOUGH_FOR_WILCOXON
from sklearn_mmsent.model_selection.splits import (
    check_rows,
    choose_splitter,
    split_rows,
    with_whole_groups,
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
):
    """Compare models on the same splits: scores, their intervals, and tests against a baseline.

    Every model is fitted on every training part with every seed, and scored on rows that it has
    not seen; a constant predictor is always among them. What makes scores mean little, such as a
    class that a fold lacks or groups that are cut, is told before anything is fitted.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of estimators or (str, estimator)
        What is compared: classifiers or regressors, pipelines, and searches among them. A search
        is fitted anew on each training part (nested cross-validation), and where its own `cv` is
        a number, its inner folds keep groups whole, too.
    X : DataFrame or array-like of shape (n_samples, ...)
        Rows as the models take them, raw or numeric.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    groups : array-like of shape (n_samples,) or None, default=None
        Speaker, video, film ... of each row: no split goes through one, and every model that
        takes groups in ``fit`` is given them.
    cv : int, splitter, iterable of (train, test) pairs or None, default=None
        How rows are split. None means five folds; folds are shuffled, of classes stratified, and
        keep groups whole. A single pair is a fixed test part.
    n_repeats : int, default=1
        How often rows are split, each time with another shuffle.
    scoring : str, callable, list, dict or None, default=None
        Names that :func:`get_scorer` knows, scorers by name, or a callable ``(estimator, X, y)``
        that gives a number or a dict of them. None takes all of :func:`classification_scores`
        for classes; for numbers :func:`intensity_scores` where the field defines them (targets of
        both signs within [-3, 3], or [-1, 1]), else mean absolute error, correlation and R2.
    seeds : sequence of int, default=(0,)
        Each model is fitted once per seed, to which all its ``random_state`` are set; those that
        know no chance once.
    baseline : str or None, default=None
        Model that the others are tested against; None takes the constant predictor.
    test : {"nadeau-bengio", "wilcoxon"}, default="nadeau-bengio"
        Of the paired differences: t-test, corrected for training rows that splits share [1]_, or
        signed ranks without a correction, for scores far from normal.
    confidence_level : float, default=0.95
        Of the intervals, which are corrected in the same way.
    nested : dict of str to grid, or None, default=None
        Parameter grids of some models by name; each is searched inside every training part by
        :class:`BatchedGridSearchCV` with three folds.
    params : dict or None, default=None
        Other metadata for ``fit``, such as ``sample_weight``, handed to the models that take it
        (with metadata routing, to those that request it).
    n_jobs : int or None, default=None
        Number of fits at once in other processes, or on the workers of joblib's backend; None
        means 1.
    batched : "auto" or bool, default="auto"
        Whether the networks of all folds and seeds are trained together, of fusion estimators and
        pipelines that end in one. "auto" does, where a short measurement finds that it is faster,
        unless `n_jobs` asks for several processes; True and False fix it, which makes results
        repeat to the last bit on one machine (dropout draws otherwise in networks trained at
        once).
    error_score : "raise" or float, default=float("nan")
        Score of a fit that fails; "raise" lets the error through.
    random_state : int, default=0
        Of the first shuffle; each repeat takes the next number.
    verbose : int, default=0
        A progress bar from 1 on.

    Returns
    -------
    Comparison
        Its `table` has one row per model, its `results` one per fit.

    Raises
    ------
    ValueError
        Before anything is fitted: for targets or groups that are missing or of another length,
        folds that cannot be made, a class that would be tested but not learned, scores that a
        model cannot give, names that stand twice, or a baseline that is not there.

    See Also
    --------
    batched_cross_validate : One model, as scikit-learn's ``cross_validate``.
    ComparisonDisplay : The picture of the result.

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
    if baseline not in models:
        raise ValueError(
            f"compare: baseline {baseline!r} is not among the models: {', '.join(models)}."
        )
    if nested:
        inner = inner_scoring(scoring, y, classifier=classifier)
        models = _models.with_searches(models, nested, scoring=inner)
    models = {
        name: with_whole_groups(clone(model), y, groups, classifier=classifier)
        for name, model in models.items()
    }
    scorer = choose_scorer(scoring, y, classifier=classifier)
    check_responses(scorer, models)
    params = params or {}
    _check_taken(models, params)
    seeds = _check_seeds(seeds)
    splits = _split(cv, X, y, groups, classifier, n_repeats, random_state)
    for name, model in models.items():
        pairs = [(split.train, split.test) for split in splits]
        _models.check_inner_splits(name, model, y, groups, pairs, classifier=classifier)
    _check_power(test, len(splits), len(seeds))

    data = Data(X, y, groups, params, scorer, classifier, raises=error_score == "raise")
    runs = []
    total = len(splits) * sum(len(seeds_of(model, seeds)) for model in models.values())
    fits = run_all(models, data, splits, seeds=seeds, n_jobs=n_jobs, batched=batched)
    for run in tqdm(fits, total=total, desc="fits", unit="fit", disable=not verbose):
        runs.append(run)
    order = {name: i for i, name in enumerate(models)}
    runs.sort(key=lambda run: (order[run.model], run.split.repeat, run.seed, run.split.fold))
    _tell_failures(runs)
    return Comparison(
        runs,
        y=y,
        groups=groups,
        presence=presence_patterns(X),
        scorer=scorer,
        baseline=baseline,
        test=test,
        confidence_level=confidence_level,
        error_score=error_score,
    )


def _rows(X, y, groups):
    """Check rows, and return targets and groups as arrays."""
    check_rows(X, y, groups, owner="compare")
    X, y, groups = indexable(X, y, groups)
    return X, np.asarray(y), None if groups is None else np.asarray(groups)


def _check_taken(models, params):
    """Refuse metadata that would not reach anyone."""
    for name in params:
        if not any(fit_metadata(model, **{name: ()}) for model in models.values()):
            raise ValueError(f"compare: no model takes {name!r}, given in params, in fit.")


def _check_seeds(seeds):
    seeds = list(np.atleast_1d(seeds).tolist())
    if not seeds or len(set(seeds)) < len(seeds) or not all(isinstance(s, int) for s in seeds):
        raise ValueError(f"compare: seeds must be integers, each once; got {seeds}.")
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
    """Return a splitter that shuffles by a seed."""
    if not hasattr(splitter, "random_state"):
        raise ValueError(
            f"compare: {type(splitter).__name__} gives the same splits each time; n_repeats needs "
            "an int as cv, or a splitter with a random_state."
        )
    splitter = copy.copy(splitter)
    splitter.random_state = seed
    if hasattr(splitter, "shuffle"):
        splitter.shuffle = True
    return splitter


def _check_power(test, n_splits, n_seeds):
    n = n_splits if n_splits > 1 else n_seeds
    if test == "wilcoxon" and n < ENOUGH_FOR_WILCOXON:
        warnings.warn(
            f"compare: {n} pairs cannot reach p < .05 in a Wilcoxon test, whatever they are; it "
            f"takes {ENOUGH_FOR_WILCOXON}. Use more folds or n_repeats.",
            UserWarning,
            stacklevel=3,
        )


def _tell_failures(runs):
    failed = [run for run in runs if run.error is not None]
    if not failed:
        return
    first = failed[0]
    told = (
        f"{len(failed)} of {len(runs)} fits failed, {first.model!r} on fold {first.split.fold} "
        f"first: {first.error}"
    )
    if len(failed) == len(runs):
        raise ValueError(f"compare: {told}")
    warnings.warn(f"compare: {told}. Their scores are error_score.", FitFailedWarning, stacklevel=3)
