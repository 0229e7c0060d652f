"""Results of scikit-learn's searches from the trials of a study."""

import hashlib
import warnings

import numpy as np
from sklearn.exceptions import FitFailedWarning

from sklearn_mmsent.model_selection.fusion_search._study import RECORD


def rows_of_results(trials, n_splits, error_score, *, with_train):
    """Return one entry per trial and fold, as scikit-learn's searches collect them.

    Scores are NaN for folds that a trial did not reach, and `error_score` for failed trials.
    """
    records = [trial.user_attrs[RECORD] for trial in trials]
    names = next((list(r["test"][0]) for r in records if r.get("test")), ["score"])
    out = []
    for record in records:
        failed = record["state"] == "failed"
        missing = dict.fromkeys(names, error_score if failed else np.nan)
        for f in range(n_splits):
            row = {
                "fit_time": _at(record.get("fit_time"), f, np.nan),
                "score_time": _at(record.get("score_time"), f, np.nan),
                "test_scores": missing if failed else _at(record.get("test"), f, missing),
            }
            if with_train:
                row["train_scores"] = missing if failed else _at(record.get("train"), f, missing)
            out.append(row)
    return out


def extra_columns(trials):
    """Return the columns of ``cv_results_`` that scikit-learn's searches do not have."""
    records = [trial.user_attrs[RECORD] for trial in trials]
    return {
        "trial": [trial.number for trial in trials],
        "state": [record["state"] for record in records],
        "error": [record.get("error", "") for record in records],
    }


def warn_of_failures(trials, error_score):
    """Warn of failed trials, with the first error; raise a ValueError if all failed."""
    errors = [t.user_attrs[RECORD].get("error") for t in trials]
    errors = [error for error in errors if error is not None]
    if not errors:
        return
    if len(errors) == len(trials):
        raise ValueError(
            f"All the {len(trials)} trials of FusionSearchCV have failed. The first: {errors[0]}"
        )
    warnings.warn(
        f"{len(errors)} of {len(trials)} trials failed; their score is {error_score}. The first: "
        f"{errors[0]}",
        FitFailedWarning,
        stacklevel=3,
    )


def describe_search(space, X, y, splits, objective, estimator):
    """Return the properties that searches must share to use the same study."""
    rows = hashlib.sha256()
    for part in splits:
        for numbers in part:
            rows.update(np.ascontiguousarray(numbers, dtype=np.int64).tobytes())
    if y is not None:
        rows.update(repr(np.asarray(y).tolist()).encode())
    steps = [type(step).__name__ for _, step in getattr(estimator, "steps", [("", estimator)])]
    shape = getattr(X, "shape", (len(X),))
    return {
        "space": hashlib.sha256(space.describe().encode()).hexdigest()[:16],
        "score": objective,
        "rows": f"{' x '.join(map(str, shape))}, {rows.hexdigest()[:16]}",
        "folds": len(splits),
        "estimator": " > ".join(steps),
    }


def _at(values, i, default):
    return values[i] if values is not None and i < len(values) else default
