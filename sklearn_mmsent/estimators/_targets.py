"""Several targets at once: what kind each is, and its way into the network and back."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import softmax

from sklearn_mmsent.nn import OrdinalHead, PredictionHead

KINDS = ("classification", "regression", "ordinal")


@dataclass(frozen=True, eq=False)
class Target:
    """One column of y.

    Parameters
    ----------
    name : str or int
        Of the column.
    kind : {"classification", "regression", "ordinal"}
        What is predicted.
    classes : ndarray or None
        Of a classification sorted, of an ordinal target from low to high.
    mean, scale : float, default=0.0 and 1.0
        Of the labelled rows of a regression.
    low, high : float, default=0.0 and 0.0
        Its smallest and largest value.
    """

    name: object
    kind: str
    classes: np.ndarray | None = None
    mean: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0

    @property
    def head(self):
        """Class and number of outputs of its head."""
        if self.kind == "regression":
            return PredictionHead, 1
        return OrdinalHead if self.kind == "ordinal" else PredictionHead, len(self.classes)

    def number(self, column, owner):
        """Turn a column into class numbers, or into floats; NaN where unlabelled."""
        if self.kind == "regression":
            return _floats(column, self.name, owner)
        numbers = pd.Index(self.classes).get_indexer(pd.Index(column)).astype(np.float64)
        missing = pd.isna(column)
        numbers[missing] = np.nan
        unknown = ~missing & (numbers < 0)
        if unknown.any():
            row = int(np.argmax(unknown))
            raise ValueError(
                f"{owner}: the target {self.name!r} has the label {_item(column, row)!r} at row "
                f"{row}, which is none of its classes {', '.join(map(repr, self.classes.tolist()))}"
                "."
            )
        return numbers

    def standardize(self, numbers):
        """Turn what `number` gave into what the loss compares with."""
        return (numbers - self.mean) / self.scale

    def predict(self, outputs):
        """Turn outputs of shape (n_samples, n_outputs) into predictions (n_samples,)."""
        if self.kind == "regression":
            return outputs[:, 0] * self.scale + self.mean
        return self.classes[outputs.argmax(axis=1)]

    def probabilities(self, outputs):
        """Turn outputs of shape (n_samples, n_classes) into probabilities."""
        return softmax(outputs, axis=1)


class TargetSet:
    """All targets, those of the whole row first: a fusion's own decisions know no others.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, n_targets)
        What is known of each row.
    tasks : "auto" or mapping
        Kinds by name; a list of classes is an ordinal target from low to high.
    alone : collection of str
        Names of the targets that are predicted from single modalities.
    owner : str
        Who asks, for messages.
    """

    def __init__(self, table, tasks, alone, owner):
        self.owner = owner
        self.order = list(table.columns)
        chosen = dict(tasks) if isinstance(tasks, Mapping) else {}
        self.check_names("tasks", chosen)
        self.check_names("unimodal_targets", alone)
        targets = [_learn(n, table[n], chosen.get(n, "auto"), owner) for n in self.order]
        self.fused = [target for target in targets if target.name not in alone]
        self.alone = [target for target in targets if target.name in alone]
        self.all = self.fused + self.alone
        if not self.fused:
            raise ValueError(
                f"{owner}: all targets are in unimodal_targets. Leave out at least one, which is "
                "predicted from all modalities together."
            )

    def check_names(self, parameter, names):
        """Refuse a parameter that names what is no target."""
        if unknown := [name for name in names if name not in self.order]:
            raise ValueError(
                f"{self.owner}: {parameter} names {unknown[0]!r}, which is not a target; y has "
                f"{', '.join(map(repr, self.order))}."
            )

    def __getitem__(self, name):
        return next(target for target in self.all if target.name == name)

    def numbers(self, table):
        """Turn a table into class numbers and floats (n_samples, n_targets), NaN for no label."""
        if missing := [t.name for t in self.all if t.name not in table.columns]:
            raise ValueError(
                f"{self.owner}: y lacks the target {missing[0]!r}; it has "
                f"{', '.join(map(repr, table.columns))}."
            )
        return np.column_stack([t.number(table[t.name], self.owner) for t in self.all])

    def standardize(self, numbers):
        """Turn what `numbers` gave into what the loss compares with."""
        columns = [t.standardize(c) for t, c in zip(self.all, numbers.T, strict=True)]
        return np.column_stack(columns).astype(np.float32)

    def strata(self, numbers):
        """Number the classes of the first target that has some; no label is a class, too."""
        for target, column in zip(self.all, numbers.T, strict=True):
            if target.kind != "regression":
                return np.unique(np.nan_to_num(column, nan=-1), return_inverse=True)[1]
        return None

    def split(self, outputs):
        """Give each target its columns of the outputs, and what is left under None."""
        ends = np.cumsum([target.head[1] for target in self.all])
        return dict(
            zip([*(t.name for t in self.all), None], np.split(outputs, ends, axis=1), strict=True)
        )


def as_target_table(y, owner):
    """Take y as a table with one column per target.

    Parameters
    ----------
    y : DataFrame or array-like of shape (n_samples, n_targets)
        Targets.
    owner : str
        Who asks, for messages.

    Returns
    -------
    DataFrame
    """
    if y is None:
        raise ValueError(f"{owner} requires y to be passed, but the target y is None")
    if not isinstance(y, pd.DataFrame):
        values = np.asarray(y)
        if values.ndim != 2:
            raise ValueError(
                f"{owner} predicts several targets and needs y with one column for each, of shape "
                f"(n_samples, n_targets). Got shape {values.shape} instead; a single column of a "
                "table is y[['name']], of an array y.reshape(-1, 1)."
            )
        if values.dtype.kind == "c":
            raise ValueError(f"{owner}: Complex data not supported, and y is complex.")
        y = pd.DataFrame(values)
    if not y.columns.is_unique:
        twice = y.columns[y.columns.duplicated()][0]
        raise ValueError(f"{owner}: y has the column {twice!r} twice. Name each target once.")
    if y.shape[1] == 0:
        raise ValueError(f"{owner}: y has no column. Give one for each target.")
    return y


def _learn(name, column, task, owner):
    labelled = column[~pd.isna(column)]
    if labelled.empty:
        raise ValueError(
            f"{owner}: Input y contains NaN only for the target {name!r}: no row is labelled. "
            "Label some rows, or drop the column."
        )
    kind, classes = _kind(column, labelled, task, name, owner)
    if kind == "regression":
        values = _floats(labelled, name, owner)
        return Target(
            name,
            kind,
            mean=float(values.mean()),
            scale=float(values.std()) or 1.0,
            low=float(values.min()),
            high=float(values.max()),
        )
    if classes is None:
        classes = np.unique(np.asarray(labelled))
    if len(classes) < 2:
        raise ValueError(
            f"{owner} needs at least two classes to tell apart; the target {name!r} has one class "
            f"only: {classes.tolist()[0]!r}."
        )
    return Target(name, kind, classes)


def _kind(column, labelled, task, name, owner):
    """Return the kind of a target, and its classes where they are given."""
    if isinstance(task, (list, tuple, np.ndarray)):
        classes = np.asarray(task)
        if len(pd.unique(classes)) != len(classes):
            raise ValueError(f"{owner}: tasks gives the target {name!r} a class twice: {task!r}.")
        return "ordinal", classes
    ordered = isinstance(column.dtype, pd.CategoricalDtype) and column.dtype.ordered
    if task == "auto":
        if ordered:
            task = "ordinal"
        else:
            task = "regression" if _is_number(column, labelled) else "classification"
    if task not in KINDS:
        raise ValueError(
            f"{owner}: tasks must say for the target {name!r} one of "
            f"{', '.join(map(repr, KINDS))}, or list its classes from low to high. Got {task!r}."
        )
    if task == "ordinal" and ordered:
        return task, np.asarray(column.dtype.categories)
    if task == "ordinal" and not _is_number(column, labelled):
        raise ValueError(
            f"{owner}: the order of the classes of {name!r} is unknown. List them in tasks from "
            f"low to high, as in tasks={{{name!r}: ['low', 'high']}}, or make the column an "
            "ordered Categorical."
        )
    return task, None


def _is_number(column, labelled):
    if column.dtype == object:
        return all(
            isinstance(cell, (int, float, np.number)) and not isinstance(cell, bool)
            for cell in labelled
        )
    return pd.api.types.is_numeric_dtype(column.dtype) and column.dtype.kind != "b"


def _floats(column, name, owner):
    try:
        values = np.asarray(column.astype("float64"), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{owner}: the target {name!r} is to be predicted as a number and cannot be read as "
            f"such: {error}. For classes, pass tasks={{{name!r}: 'classification'}}."
        ) from error
    if np.isinf(values).any():
        row = int(np.argmax(np.isinf(values)))
        raise ValueError(
            f"{owner}: Input y contains infinity or a value too large for a target: {name!r} at "
            f"row {row}. NaN says that a row is not labelled."
        )
    return values


def _item(column, row):
    value = column.iloc[row]
    return value.item() if isinstance(value, np.generic) else value
