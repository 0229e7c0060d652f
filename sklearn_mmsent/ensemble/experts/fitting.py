"""Fit an expert on folds and on all rows, its networks in batches."""

from dataclasses import dataclass

import numpy as np

from sklearn_mmsent.ensemble.experts.expert import with_imputation
from sklearn_mmsent.model_selection.batched_fit import fit_batched
from sklearn_mmsent.model_selection.folds import cut_fold
from sklearn_mmsent.utils._metadata import fit_metadata


@dataclass(frozen=True)
class ExpertData:
    """Training rows of an ensemble, with targets and metadata.

    Parameters
    ----------
    table : ExpertTable
        Rows.
    y : ndarray of shape (n_samples,)
        Targets.
    classes : ndarray of shape (n_classes,) or None
        Class labels; None for intensities.
    sample_weight, groups : ndarray of shape (n_samples,) or None
        Metadata.
    """

    table: object
    y: np.ndarray
    classes: np.ndarray | None
    sample_weight: np.ndarray | None = None
    groups: np.ndarray | None = None

    @property
    def encoded(self):
        """Targets as numbers: class indices, or intensities."""
        return self.y if self.classes is None else np.searchsorted(self.classes, self.y)

    @property
    def prior(self):
        """Prediction without any modality: class frequencies or mean, of shape (n_outputs,)."""
        if self.classes is None:
            return np.atleast_1d(np.average(self.y, weights=self.sample_weight))
        counts = np.bincount(self.encoded, self.sample_weight, minlength=len(self.classes))
        return counts / counts.sum()

    def fold(self, X, estimator, rows):
        """Return rows of a table, with the metadata that an estimator takes."""
        given = {"sample_weight": self.sample_weight, "groups": self.groups}
        return cut_fold(estimator, X, self.y, rows, fit_metadata(estimator, **given))


@dataclass(frozen=True)
class ExpertFit:
    """Result of fitting an expert with one set of parameters.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_outputs) or None
        Out-of-fold outputs, NaN for rows that it cannot read.
    estimator : estimator or None
        Fitted on all rows; None if that was not requested or no row is readable.
    error : Exception or None
        Error of the fit.
    """

    outputs: np.ndarray | None
    estimator: object
    error: Exception | None = None


def fit_expert(
    expert, data, splits=(), *, candidates=({},), refit=True, method=None, batched="auto"
):
    """Fit an expert on folds and on all rows, each time on the rows that it can read.

    Parameters
    ----------
    expert : Expert
        The expert.
    data : ExpertData
        Training rows.
    splits : list of (ndarray of int, ndarray of int) tuples, default=()
        Folds; without any there are no out-of-fold outputs.
    candidates : sequence of dict, default=({},)
        Sets of parameters.
    refit : bool, default=True
        Whether to fit on all rows as well.
    method : {"predict_proba", "decision_function"} or None, default=None
        Method that returns the outputs of a classifier; None for intensities.
    batched : "auto" or bool, default="auto"
        As for :func:`fit_batched`.

    Returns
    -------
    list of ExpertFit
        One per candidate.
    """
    table, classes = data.table, data.classes
    readable = table.readable(expert)
    parts = [train for train, _ in splits] + [np.arange(len(table))] * refit
    parts = [rows[readable[rows]] for rows in parts]
    used = [i for i, rows in enumerate(parts) if len(rows)]
    estimator, prefix = with_imputation(expert.estimator, table)
    candidates = [{prefix + k: v for k, v in params.items()} for params in candidates]
    X = table.columns_of(expert)
    folds = [data.fold(X, estimator, parts[i]) for i in used]
    fits = iter(fit_batched(estimator, candidates, folds, batched=batched))
    n_outputs = 1 if classes is None else len(classes)
    results = []
    for _ in candidates:
        by_part = {i: next(fits) for i in used}
        outputs = np.full((len(table), n_outputs), np.nan) if splits else None
        try:
            for i, (_, test) in enumerate(splits):
                rows = test[readable[test]]
                if i in by_part and len(rows):
                    fitted = _fitted(by_part[i])
                    outputs[rows] = outputs_of(fitted, X.iloc[rows], classes, method)
            final = _fitted(by_part[len(splits)]) if refit and len(splits) in by_part else None
        except Exception as error:  # raised by the caller, with the name of the expert
            results.append(ExpertFit(None, None, error))
        else:
            results.append(ExpertFit(outputs, final))
    return results


def _fitted(fit):
    if fit.error is not None:
        raise fit.error
    return fit.estimator


def outputs_of(estimator, X, classes, method=None):
    """Return the outputs of a fitted estimator, with a column for each of all classes.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : DataFrame of shape (n_samples, n_features)
        Rows.
    classes : ndarray of shape (n_classes,) or None
        All classes, some of which the estimator may not know; None for intensities.
    method : {"predict_proba", "decision_function"} or None, default=None
        Method to call; None for ``predict``.

    Returns
    -------
    ndarray of float of shape (n_samples, n_outputs)
        Probabilities, zero for unknown classes; margins; or intensities.

    Raises
    ------
    ValueError
        If outputs have a wrong shape or are not finite.
    """
    raw = np.asarray(getattr(estimator, method or "predict")(X), dtype=np.float64)
    if not np.isfinite(raw).all():
        raise ValueError("it predicts NaN or infinity")
    if classes is None:
        if raw.size != len(X):
            raise ValueError(f"it predicts targets of shape {raw.shape}; expected one per row")
        return raw.reshape(-1, 1)
    known = estimator.classes_
    if method == "predict_proba":
        outputs = np.zeros((len(X), len(classes)))
        outputs[:, np.searchsorted(classes, known)] = raw
        return outputs
    if len(known) < len(classes):
        unknown = np.setdiff1d(classes, known).tolist()[0]
        raise ValueError(
            f"its training rows have no {unknown!r}, for which decision_function then has no "
            "column. Use fewer folds, or an expert with predict_proba"
        )
    raw = np.column_stack([-raw, raw]) if raw.ndim == 1 else raw
    if raw.shape[1] != len(classes):
        raise ValueError(
            f"its decision_function has {raw.shape[1]} columns for {len(classes)} classes; set "
            "decision_function_shape='ovr'"
        )
    return raw


def name_error(error, expert, owner, stage="fit"):
    """Return an error with the name of the expert: a ValueError, or the same one with a note."""
    prefix = f"{owner}: the expert {expert} failed in {stage}"
    if isinstance(error, ValueError):
        return ValueError(f"{prefix}: {error}")
    error.add_note(prefix)
    return error
