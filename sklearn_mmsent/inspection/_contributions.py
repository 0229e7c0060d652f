"""modality_contributions."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from sklearn_mmsent.inspection._coalitions import check_number, shapley, values_of
from sklearn_mmsent.inspection._importance import choose_removal
from sklearn_mmsent.inspection._masking import Rows
from sklearn_mmsent.inspection._predictions import prediction_of
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, StrOptions, validate_params

_OWNER = "modality_contributions"


@validate_params(
    {
        "estimator": [HasMethods(["predict"])],
        "target": "no_validation",
        "by": [StrOptions({"auto", "masking", "permutation"})],
        "modalities": [StrOptions({"auto"}), Mapping],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def modality_contributions(
    estimator,
    X,
    *,
    target=None,
    by="auto",
    modalities="auto",
    n_repeats=20,
    random_state=None,
) -> Bunch:
    """Compute exact Shapley values of the modalities for the prediction of each row.

    The prediction is the probability of a class, or an intensity. The contributions of a row sum
    to its prediction minus its baseline, the prediction without any modality.

    Parameters
    ----------
    estimator : estimator
        Fitted classifier with ``predict_proba``, or regressor.
    X : DataFrame or array-like of shape (n_samples, n_columns)
        Rows to predict: a numeric table of blocks, or raw cells.
    target : label or None, default=None
        Class whose probability is explained; for a multi-task estimator, the target, or a tuple
        of target and class. None explains the predicted class of each row, or the intensity.
    by : {"auto", "masking", "permutation"}, default="auto"
        How modalities are removed; see :func:`modality_importance`.
    modalities : "auto" or mapping of str to list of str, default="auto"
        Definition of the modalities; see :func:`modality_importance`. At most 12 are supported,
        since all 2^M subsets are predicted.
    n_repeats : int, default=20
        Number of permutations over which predictions are averaged; for "permutation".
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations.

    Returns
    -------
    Bunch
        - ``contributions``: DataFrame of shape (n_samples, M).
        - ``prediction`` and ``baseline``: Series of shape (n_samples,).
        - ``explained``: Series of the explained class of each row; None for an intensity.
        - ``by``: how modalities were removed.

    Raises
    ------
    BlockError
        If `X` names no modalities, or only one.
    ValueError
        If there are too many modalities, or the estimator predicts neither probabilities nor
        intensities.

    See Also
    --------
    modality_importance : Attributes a score over all rows.
    agreement_report : Unimodal predictions.

    References
    ----------
    Lundberg, Lee (2017), A unified approach to interpreting model predictions, NeurIPS.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn_mmsent import FillBlocks, make_pipeline
    >>> from sklearn_mmsent.inspection import modality_contributions
    >>> X = pd.DataFrame({"text__tone": [-1.0, 1.0, 0.0], "voice__pitch": [1.0, 1.0, -2.0]})
    >>> y = 2 * X["text__tone"] + X["voice__pitch"]
    >>> model = make_pipeline(FillBlocks(), LinearRegression()).fit(X, y)
    >>> modality_contributions(model, X).contributions.round(3).to_numpy().tolist()
    [[-2.0, 1.0], [2.0, 1.0], [0.0, -2.0]]
    """
    rows = Rows(estimator, X, modalities, _OWNER)
    n = len(rows.names)
    check_number(n, owner=_OWNER)
    by = choose_removal(rows, by)
    predict, explained = prediction_of(rows.estimator, rows.X, target, owner=_OWNER)
    rng = check_random_state(random_state)
    orders = [rng.permutation(len(rows)) for _ in range(n_repeats)]
    values = values_of(rows, lambda _, table: predict(table), range(2**n), by=by, orders=orders)
    values = {coalition: value.mean(0) for coalition, value in values.items()}
    index = rows.index
    return Bunch(
        contributions=pd.DataFrame(shapley(values, n).T, index=index, columns=list(rows.names)),
        prediction=pd.Series(values[2**n - 1], index=index, name="prediction"),
        baseline=pd.Series(values[0], index=index, name="baseline"),
        explained=None if explained is None else pd.Series(np.asarray(explained), index=index),
        by=by,
    )
