"""Scorers by name: those of this package, and all of scikit-learn."""

import copy

from sklearn.metrics import get_scorer as _sklearn_get_scorer
from sklearn.metrics import get_scorer_names as _sklearn_get_scorer_names
from sklearn.metrics import make_scorer

from sklearn_mmsent.metrics._intensity import (
    intensity_accuracy,
    intensity_corr,
    intensity_f1,
    intensity_mae,
)
from sklearn_mmsent.utils._messages import did_you_mean
from sklearn_mmsent.utils._sklearn import validate_params

_SCORERS = {
    "acc2_has0": make_scorer(intensity_accuracy),
    "acc2_non0": make_scorer(intensity_accuracy, zeros="exclude"),
    "acc3": make_scorer(intensity_accuracy, n_classes=3),
    "acc5": make_scorer(intensity_accuracy, n_classes=5),
    "acc7": make_scorer(intensity_accuracy, n_classes=7),
    "f1_weighted_has0": make_scorer(intensity_f1),
    "f1_weighted_non0": make_scorer(intensity_f1, zeros="exclude"),
    "corr": make_scorer(intensity_corr),
    "neg_mae": make_scorer(intensity_mae, greater_is_better=False),
    "acc2_sims": make_scorer(intensity_accuracy, convention="sims"),
    "acc3_sims": make_scorer(intensity_accuracy, n_classes=3, convention="sims"),
    "acc5_sims": make_scorer(intensity_accuracy, n_classes=5, convention="sims"),
    "f1_weighted_sims": make_scorer(intensity_f1, convention="sims"),
    "corr_sims": make_scorer(intensity_corr, convention="sims"),
    "neg_mae_sims": make_scorer(intensity_mae, convention="sims", greater_is_better=False),
}


@validate_params({"scoring": [str, callable, None]}, prefer_skip_nested_validation=True)
def get_scorer(scoring):
    """Get a scorer by name, of this package or of scikit-learn.

    scikit-learn accepts only its own names in ``scoring="name"``. Pass
    ``scoring=get_scorer("acc7")`` to ``cross_val_score``, or a dict of such scorers for
    several metrics.

    Parameters
    ----------
    scoring : str, callable or None
        A name in :func:`get_scorer_names`. A callable or None is returned unchanged.

    Returns
    -------
    callable or None
        A new, picklable scorer with the signature ``scorer(estimator, X, y)``; higher
        is better (``neg_`` names return the negated error). It supports ``sample_weight``
        as scorers of scikit-learn do.

    Raises
    ------
    ValueError
        If the name is unknown.

    See Also
    --------
    intensity_scores : All intensity scores of predictions.
    sklearn.metrics.make_scorer : Makes a scorer from a function.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import cross_validate
    >>> from sklearn_mmsent.metrics import get_scorer
    >>> X = np.random.RandomState(0).randn(60, 3)
    >>> y = np.clip(X @ [1.5, -1, 0.5], -3, 3)
    >>> scoring = {name: get_scorer(name) for name in ("acc7", "neg_mae", "r2")}
    >>> result = cross_validate(Ridge(), X, y, scoring=scoring)
    >>> [round(float(result[f"test_{name}"].mean()), 2) for name in scoring]
    [0.82, -0.2, 0.96]
    """
    if not isinstance(scoring, str):
        return scoring
    if scoring in _SCORERS:
        return copy.deepcopy(_SCORERS[scoring])
    names = get_scorer_names()
    if scoring not in names:
        hint = did_you_mean(scoring, names, n=3) or f" This package has {', '.join(_SCORERS)}."
        raise ValueError(
            f"get_scorer: no scorer is named {scoring!r}.{hint} get_scorer_names() lists all names."
        )
    return _sklearn_get_scorer(scoring)


def get_scorer_names() -> list[str]:
    """List the names that :func:`get_scorer` accepts, including those of scikit-learn.

    Returns
    -------
    list of str
        Sorted names.

    See Also
    --------
    get_scorer : Returns the scorer.

    Examples
    --------
    >>> from sklearn_mmsent.metrics import get_scorer_names
    >>> {"acc2_has0", "neg_mae", "f1_macro"} <= set(get_scorer_names())
    True
    """
    return sorted({*_SCORERS, *_sklearn_get_scorer_names()})
