"""Fitting an expert on the folds and on all rows, its networks trained together."""

from dataclasses import dataclass

import numpy as np

from sklearn_mmsent.ensemble.experts.expert import behind_fill
from sklearn_mmsent.model_selection.batched_fit import Fold, fit_batched
from sklearn_mmsent.utils._metadata import fit_metadata


@dataclass(frozen=True)
class Training:
    """What experts learn from.

    Parameters
    ----------
    table : ExpertTable
        Rows.
    y : ndarray of shape (n_samples,)
        Targets, as they came.
    classes : ndarray of shape (n_classes,) or None
        The labels; None for intensities.
    sample_weight, groups : ndarray of shape (n_samples,) or None
        Metadata.
    """

    table: object
    y: np.ndarray
    classes: np.ndarray | None
    sample_weight: np.ndarray | None = None
    groups: np.ndarray | None = None

    @property
    def numbers(self):
        """Targets as numbers: places in `classes`, or intensities."""
        return self.y if self.classes is None else np.searchsorted(self.classes, self.y)

    def metadata(self, rows):
        """Return the metadata of some rows, by name."""
        given = {"sample_weight": self.sample_weight, "groups": self.groups}
        return {name: values[rows] for name, values in given.items() if values is not None}

    @property
    def prior(self):
        """What is known without any modality: class shares, or the mean; of shape (n_outputs,)."""
        if self.classes is None:
            return np.atleast_1d(np.average(self.y, weights=self.sample_weight))
        counts = np.bincount(self.numbers, self.sample_weight, minlength=len(self.classes))
        return counts / counts.sum()


@dataclass(frozen=True)
class Trained:
    """What became of an expert with one set of parameters.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_outputs) or None
        Out-of-fold outputs, NaN for rows that it cannot read.
    estimator : estimator or None
        Fitted on all rows; None if it was not, or if no row could be read.
    error : Exception or None
        Why there is neither.
    """

    outputs: np.ndarray | None
    estimator: object
    error: Exception | None = None


def train_expert(
    expert, data, splits=(), *, candidates=({},), whole=True, method=None, batched="auto"
):
    """Fit an expert on folds and on all rows, each time on rows that it can read.

    Parameters
    ----------
    expert : Expert
        Who learns.
    data : Training
        What from.
    splits : list of (ndarray of int, ndarray of int) tuples, default=()
        Folds; none give no out-of-fold outputs.
    candidates : sequence of dict, default=({},)
        Parameters to set, one expert for each.
    whole : bool, default=True
        Whether to fit on all rows, too.
    method : {"predict_proba", "decision_function"} or None, default=None
        What tells classes; None for intensities.
    batched : "auto" or bool, default="auto"
        As for :func:`fit_batched`.

    Returns
    -------
    list of Trained
        One per candidate.
    """
    table, classes = data.table, data.classes
    readable = table.readable(expert)
    parts = [train for train, _ in splits] + [np.arange(len(table))] * whole
    parts = [rows[readable[rows]] for rows in parts]
    learned = [i for i, rows in enumerate(parts) if len(rows)]  # an empty part teaches nothing
    estimator, prefix = behind_fill(expert.estimator, table)
    candidates = [{prefix + k: v for k, v in params.items()} for params in candidates]
    folds = [_fold(expert, estimator, data, parts[i]) for i in learned]
    fits = iter(fit_batched(estimator, candidates, folds, batched=batched))
    width = 1 if classes is None else len(classes)
    results = []
    for _ in candidates:
        of_part = {i: next(fits) for i in learned}
        outputs = np.full((len(table), width), np.nan) if splits else None
        try:
            for i, (_, test) in enumerate(splits):
                seen = test[readable[test]]
                if i in of_part and len(seen):
                    fitted = _fitted(of_part[i])
                    outputs[seen] = outputs_of(fitted, table.cut(expert, seen), classes, method)
            final = _fitted(of_part[len(splits)]) if whole and len(splits) in of_part else None
        except Exception as problem:  # it fails when its turn has come, under its name
            results.append(Trained(None, None, problem))
        else:
            results.append(Trained(outputs, final))
    return results


def _fold(expert, estimator, data, rows):
    metadata = fit_metadata(estimator, **data.metadata(rows))
    return Fold(data.table.cut(expert, rows), data.y[rows], metadata)


def _fitted(fit):
    if fit.error is not None:
        raise fit.error
    return fit.estimator


def outputs_of(estimator, X, classes, method=None):
    """Return what a fitted estimator says of rows, in the order of all classes.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X : DataFrame of shape (n_samples, n_features)
        Rows.
    classes : ndarray of shape (n_classes,) or None
        All classes, of which the estimator may not know some; None for intensities.
    method : {"predict_proba", "decision_function"} or None, default=None
        What to ask.

    Returns
    -------
    ndarray of float of shape (n_samples, n_outputs)
        Probabilities, zero for unknown classes; margins; or intensities.

    Raises
    ------
    ValueError
        If there are other than one output per row or class, or outputs that are no numbers.
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
            f"its training rows have no {unknown!r}, of which its decision_function then tells "
            "nothing. Take fewer folds, or an expert with predict_proba"
        )
    raw = np.column_stack([-raw, raw]) if raw.ndim == 1 else raw
    if raw.shape[1] != len(classes):
        raise ValueError(
            f"its decision_function has {raw.shape[1]} columns for {len(classes)} classes; set "
            "decision_function_shape='ovr'"
        )
    return raw


def name_error(error, expert, owner, doing="fit"):
    """Return an error that tells whose it is; one that is no ValueError gets a note.

    Parameters
    ----------
    error : Exception
        What the expert complained of.
    expert : Expert
        Who.
    owner : str
        The ensemble.
    doing : str, default="fit"
        When.

    Returns
    -------
    Exception
        To be raised from the first.
    """
    what = f"{owner}: the expert {expert} failed in {doing}"
    if isinstance(error, ValueError):
        return ValueError(f"{what}: {error}")
    error.add_note(what)
    return error
