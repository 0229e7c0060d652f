"""Targets: conversion of labels to the targets of a loss, and of outputs to predictions.

The labels of a fit are encoded once, by `encode`; all later steps work on the numbers that it
returns: class numbers or intensities, NaN where a row has no label.
"""

import functools
import inspect
from abc import ABCMeta, abstractmethod

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from sklearn_mmsent.estimators._class_weights import weights_of_classes
from sklearn_mmsent.nn import OrdinalHead, PredictionHead
from sklearn_mmsent.nn.losses import LOSSES
from sklearn_mmsent.utils._validation import check_labels


class Target(metaclass=ABCMeta):
    """One target.

    Parameters
    ----------
    owner : str
        Name used in error messages.
    name : str, int or None, default=None
        Column of a table of targets, in which rows may lack a label; None for a target that is
        the only one.
    """

    #: Key of LOSSES.
    task = None
    #: Loss where none is chosen.
    default_loss = None
    classes = None

    def __init__(self, owner, name=None):
        self.owner = owner
        self.name = name

    @property
    @abstractmethod
    def kind(self):
        """One of "classification", "regression" and "ordinal"."""

    @property
    @abstractmethod
    def head(self):
        """Class of the head and its number of outputs."""

    # -- labels ------------------------------------------------------------------------------

    @abstractmethod
    def encode(self, y, source="y_val"):
        """Check labels and return them as numbers.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels or intensities.
        source : str, default="y_val"
            Name of the labels in error messages.

        Returns
        -------
        ndarray of float of shape (n_samples,)
            Class numbers or intensities, NaN where a row has no label.

        Raises
        ------
        ValueError
            If a label is unknown, missing or not a number.
        """

    def decode(self, numbers):
        """Return the labels that `encode` turned into numbers."""
        return numbers

    def encode_resampled(self, y, sampler, params):
        """Encode the labels that a sampler returns; see `encode`."""
        if np.ndim(y) != 1:
            raise ValueError(
                f"{self.owner}: the sampler {type(sampler).__name__} gave targets of shape "
                f"{np.shape(y)}, but this estimator learns from one target per row. Use a sampler "
                "that keeps targets, such as ModalityMixup(labels='hard')."
            )
        return self.encode(y, f"y from the sampler {type(sampler).__name__}")

    # -- training ----------------------------------------------------------------------------

    def strata(self, numbers):
        """Return class numbers to stratify by, or None."""
        return None

    def row_weights(self, numbers, training, params):
        """Return the weight of each row in the loss.

        Parameters
        ----------
        numbers : ndarray
            Encoded labels of the rows.
        training : ndarray
            Those of the training rows, which determine the weights of classes.
        params : dict
            Parameters of the estimator.

        Returns
        -------
        ndarray of float of shape (n_samples,)
        """
        return np.ones(len(numbers))

    @abstractmethod
    def loss_targets(self, numbers):
        """Return the targets of the loss, for encoded labels."""

    def plan_fields(self, params, layout):
        """Return the fields of the NetworkPlan that describe the outputs."""
        head, n_outputs = self.head
        return {"n_outputs": n_outputs, "head": head, "logits": self.kind == "classification"}

    def loss(self, params, training):
        """Return the loss function, from outputs and targets to the loss of each row."""
        loss, options = params["loss"], params["loss_params"]
        function = loss if callable(loss) else LOSSES[self.task][loss]
        if not options:
            return function
        try:
            inspect.signature(function).bind(None, None, **options)
        except TypeError as error:
            known = list(inspect.signature(function).parameters)[2:]
            raise ValueError(
                f"{self.owner}: loss_params do not fit the loss {loss!r}: {error}. Its options "
                f"are: {', '.join(known) or 'none'}."
            ) from None
        return functools.partial(function, **options)

    # -- prediction --------------------------------------------------------------------------

    @abstractmethod
    def predict(self, outputs):
        """Return the predictions (n_samples,) for outputs (n_samples, n_outputs)."""


class ClassTarget(Target):
    """Classes, or ordered classes.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels.
    owner : str
        Name used in error messages.
    name : str, int or None, default=None
        See :class:`Target`.
    ranks : ndarray of int of shape (n_classes,) or None, default=None
        Place of each class in the order, where there is one.
    """

    task = "classification"
    default_loss = "cross_entropy"

    def __init__(self, classes, owner, name=None, ranks=None):
        super().__init__(owner, name)
        if len(classes) < 2:
            where = "y" if name is None else f"the target {name!r}"
            raise ValueError(
                f"{owner} needs at least two classes to distinguish; {where} has one class only: "
                f"{classes.tolist()[0]!r}."
            )
        self.classes = classes
        self.ranks = ranks

    @classmethod
    def from_labels(cls, y, ordinal, owner):
        """Return the target of some labels, and the encoded labels.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels.
        ordinal : bool or list
            Whether the classes are ordered: True for numbers, a list from low to high.
        owner : str
            Name used in error messages.

        Returns
        -------
        target : ClassTarget
        numbers : ndarray of float of shape (n_samples,)
        """
        y = column_or_1d(y, warn=True)
        check_labels(y, owner=owner)
        check_classification_targets(y)
        classes, numbers = np.unique(y, return_inverse=True)
        return cls(classes, owner, ranks=_ranks(classes, ordinal, owner)), numbers.astype(float)

    @property
    def kind(self):
        """Either "classification" or "ordinal"."""
        return "classification" if self.ranks is None else "ordinal"

    @property
    def head(self):
        """Class of the head and its number of outputs."""
        return PredictionHead if self.ranks is None else OrdinalHead, len(self.classes)

    def encode(self, y, source="y_val"):
        """Return class numbers; see `Target.encode`."""
        if self.name is None:
            y = column_or_1d(y, warn=True)
            check_labels(y, owner=self.owner)
        # as objects: by dtype, pandas would distinguish True from 1
        classes, labels = (pd.Index(values, dtype=object) for values in (self.classes, y))
        numbers = classes.get_indexer(labels).astype(np.float64)
        numbers[np.asarray(pd.isna(y))] = np.nan
        if (numbers < 0).any():
            row = int(np.argmax(numbers < 0))
            label = np.asarray(y, dtype=object)[row]
            label = label.item() if isinstance(label, np.generic) else label
            source = source if self.name is None else f"the target {self.name!r}"
            raise ValueError(
                f"{self.owner}: {source} has the label {label!r} at row {row}, which is not one of "
                f"the classes {_list(self.classes)}."
            )
        return numbers

    def decode(self, numbers):
        """Return the labels that `encode` turned into numbers."""
        return self.classes[self._indices(numbers)]

    def encode_resampled(self, y, sampler, params):
        """Encode labels, or shares of the classes of shape (n_samples, n_classes)."""
        if not isinstance(y, pd.DataFrame) or list(y.columns) != self.classes.tolist():
            return super().encode_resampled(y, sampler, params)
        if params["loss"] != "cross_entropy" or self.ranks is not None:
            raise ValueError(
                f"{self.owner}: the sampler {type(sampler).__name__} gives shares of classes, "
                f"which loss={params['loss']!r} with ordinal={params['ordinal']!r} cannot read. "
                "Use loss='cross_entropy' without ordinal, or a sampler that keeps labels, such "
                "as ModalityMixup(labels='hard')."
            )
        return y.to_numpy(dtype=np.float32)

    def strata(self, numbers):
        """Return class numbers."""
        return self._indices(numbers)

    def row_weights(self, numbers, training, params):
        """Return the weights of the rows' classes; see `Target.row_weights`."""
        weights = self.class_weights(params["class_weight"], self._indices(training))
        return numbers @ weights if numbers.ndim == 2 else weights[self._indices(numbers)]

    def class_weights(self, class_weight, numbers):
        """Return the weight of each class, for class numbers of the training rows."""
        return weights_of_classes(class_weight, numbers, self.classes)

    def loss_targets(self, numbers):
        """Return class numbers in the order of the outputs, or shares as they are."""
        if numbers.ndim == 2:
            return numbers
        indices = self._indices(numbers)
        return (indices if self.ranks is None else self.ranks[indices]).astype(np.int64)

    def class_outputs(self, outputs):
        """Return outputs in the order of the classes."""
        return outputs if self.ranks is None else outputs[:, self.ranks]

    def probabilities(self, outputs):
        """Return the probabilities of the classes, (n_samples, n_classes)."""
        return softmax(self.class_outputs(outputs), axis=1)

    def predict(self, outputs):
        """Return the labels of the largest outputs."""
        return self.classes[self.class_outputs(outputs).argmax(axis=1)]

    @staticmethod
    def _indices(numbers):
        return numbers.argmax(axis=1) if numbers.ndim == 2 else numbers.astype(np.intp)


class IntensityTarget(Target):
    """A number, which the loss compares with at mean 0 and standard deviation 1.

    Parameters
    ----------
    values : ndarray of float
        Intensities of the labelled training rows.
    owner : str
        Name used in error messages.
    name : str, int or None, default=None
        See :class:`Target`.
    """

    task = "regression"
    default_loss = "squared_error"
    kind = "regression"
    head = PredictionHead, 1

    def __init__(self, values, owner, name=None):
        super().__init__(owner, name)
        self.mean = float(values.mean())
        self.scale = float(values.std()) or 1.0
        self.low = float(values.min())
        self.high = float(values.max())

    @classmethod
    def from_intensities(cls, y, owner):
        """Return the target of some intensities, and the intensities as floats."""
        values = floats(y, owner)
        if len(values) < 2:
            raise ValueError(f"{owner} needs at least two rows to learn from; got 1 sample.")
        return cls(values, owner), values

    def encode(self, y, source="y_val"):
        """Return floats; see `Target.encode`."""
        return floats(y, self.owner, self.name)

    def standardize(self, numbers):
        """Return intensities at mean 0 and standard deviation 1."""
        return (numbers - self.mean) / self.scale

    def loss_targets(self, numbers):
        """Return standardised intensities of shape (n_samples, 1)."""
        return self.standardize(numbers).astype(np.float32)[:, None]

    def predict(self, outputs):
        """Return intensities in the units of the training rows."""
        return outputs[:, 0] * self.scale + self.mean


def floats(y, owner, name=None):
    """Return intensities as floats.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Intensities.
    owner : str
        Name used in error messages.
    name : str, int or None, default=None
        Column of a table of targets, in which NaN means no label; without it, NaN is an error.

    Returns
    -------
    ndarray of float of shape (n_samples,)

    Raises
    ------
    ValueError
        If a value is infinite or not a number.
    """
    y = column_or_1d(y, warn=True) if name is None else y
    try:
        values = np.asarray(y if name is None else y.astype("float64"), dtype=np.float64)
    except (TypeError, ValueError) as error:
        if name is None:
            raise ValueError(
                f"{owner} predicts numbers, and y cannot be converted to numbers: {error}. For "
                "classes, use FusionClassifier."
            ) from error
        raise ValueError(
            f"{owner}: the target {name!r} is predicted as a number, and cannot be converted to "
            f"one: {error}. For classes, pass tasks={{{name!r}: 'classification'}}."
        ) from error
    unusable = ~np.isfinite(values) if name is None else np.isinf(values)
    if not unusable.any():
        return values
    row = int(np.argmax(unusable))
    found = "NaN" if np.isnan(values[row]) else "infinity or a value too large for a target"
    if name is not None:
        raise ValueError(
            f"{owner}: Input y contains {found}: {name!r} at row {row}. Use NaN for rows without a "
            "label."
        )
    raise ValueError(
        f"{owner}: Input y contains {found}: row {row} is {values[row]} (and "
        f"{int(unusable.sum()) - 1} others). Drop rows without a target."
    )


def _ranks(classes, ordinal, owner):
    """Return the rank of each class, or None for classes without an order."""
    if ordinal is False:
        return None
    if ordinal is True:
        if classes.dtype.kind not in "iufb":
            raise ValueError(
                f"{owner}: the order of the classes {_list(classes)} is unknown. Only numbers are "
                "ordered by themselves; list other classes from low to high: "
                "ordinal=['low', 'mid', 'high']."
            )
        return np.arange(len(classes))
    order = list(ordinal)
    if len(set(order)) != len(order) or set(order) != set(classes.tolist()):
        raise ValueError(
            f"{owner}: ordinal must list each class once, from low to high; y has "
            f"{_list(classes)}. Got {order!r} instead."
        )
    return np.array([order.index(label) for label in classes.tolist()])


def _list(classes):
    return ", ".join(map(repr, classes.tolist()))
