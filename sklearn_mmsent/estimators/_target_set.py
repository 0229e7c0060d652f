"""Several targets of each row, of which rows may lack some."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sklearn_mmsent.estimators._target import ClassTarget, IntensityTarget, floats
from sklearn_mmsent.nn import JointHead, resolve_fusion
from sklearn_mmsent.nn.heads import UnimodalHeads
from sklearn_mmsent.nn.losses import LOSSES
from sklearn_mmsent.nn.multitask import MultitaskLoss, Task
from sklearn_mmsent.nn.self_supervision import SelfSupervision

KINDS = ("classification", "regression", "ordinal")


class TargetSet:
    """All targets; those that a fusion predicts by itself come before the unimodal ones.

    It has the methods of :class:`Target` that training needs.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, n_targets)
        Labels of each row.
    tasks : "auto" or mapping
        Kinds by name; a list of classes is an ordinal target from low to high.
    unimodal : mapping of str to str
        Modality by name of the target that is predicted from it.
    owner : str
        Name used in error messages.
    named : bool, default=True
        Whether the columns have names from the user, so that other tables may order them
        differently.
    """

    def __init__(self, table, tasks, unimodal, owner, named=True):
        self.owner = owner
        self.named = named
        self.order = list(table.columns)
        chosen = dict(tasks) if isinstance(tasks, Mapping) else {}
        self.check_names("tasks", chosen)
        self.check_names("unimodal_targets", unimodal)
        targets = [_learn(n, table[n], chosen.get(n, "auto"), owner) for n in self.order]
        self.multimodal = [target for target in targets if target.name not in unimodal]
        self.unimodal = [target for target in targets if target.name in unimodal]
        self.all = self.multimodal + self.unimodal
        if not self.multimodal:
            raise ValueError(
                f"{owner}: all targets are in unimodal_targets. Leave out at least one, which is "
                "predicted from all modalities together."
            )

    def __getitem__(self, name):
        return next(target for target in self.all if target.name == name)

    def check_names(self, parameter, names):
        """Raise an error if a parameter names something other than a target."""
        if unknown := [name for name in names if name not in self.order]:
            raise ValueError(
                f"{self.owner}: {parameter} names {unknown[0]!r}, which is not a target; y has "
                f"{', '.join(map(repr, self.order))}."
            )

    # -- labels ------------------------------------------------------------------------------

    def encode(self, y, source="y_val"):
        """Return class numbers and intensities, NaN for no label.

        Parameters
        ----------
        y : DataFrame or array-like of shape (n_samples, n_targets)
            Labels.
        source : str, default="y_val"
            Not used: columns have names.

        Returns
        -------
        ndarray of float of shape (n_samples, n_targets)
            In the order of `all`.

        Raises
        ------
        ValueError
            If a target is missing or a label is unknown.
        """
        table = as_target_table(y, self.owner)
        if not self.named and table.shape[1] == len(self.order):
            table = table.set_axis(self.order, axis=1)
        if missing := [t.name for t in self.all if t.name not in table.columns]:
            raise ValueError(
                f"{self.owner}: y lacks the target {missing[0]!r}; it has "
                f"{', '.join(map(repr, table.columns))}."
            )
        return np.column_stack([target.encode(table[target.name]) for target in self.all])

    # -- training ----------------------------------------------------------------------------

    def strata(self, numbers):
        """Return the class numbers of the first target with classes; no label is a class, too."""
        for target, column in zip(self.all, numbers.T, strict=True):
            if target.kind != "regression":
                return np.unique(np.nan_to_num(column, nan=-1), return_inverse=True)[1]
        return None

    def row_weights(self, numbers, training, params):
        """Return ones: the weights of classes are in the loss of each target."""
        return np.ones(len(numbers))

    def loss_targets(self, numbers):
        """Return class numbers and standardised intensities."""
        columns = [
            column if target.kind != "regression" else target.standardize(column)
            for target, column in zip(self.all, numbers.T, strict=True)
        ]
        return np.column_stack(columns).astype(np.float32)

    def loss(self, params, training):
        """Return the sum of the targets' losses, as a module.

        Parameters
        ----------
        params : dict
            Parameters of the estimator.
        training : ndarray of shape (n_samples, n_targets)
            Encoded labels of the training rows, which determine the weights of classes.

        Returns
        -------
        MultitaskLoss
        """
        losses, weights = params["losses"] or {}, params["task_weights"]
        self.check_names("losses", losses)
        learned = weights == "learned"
        weights = weights if isinstance(weights, Mapping) else {}
        self.check_names("task_weights", weights)
        tasks = []
        for target, column in zip(self.all, training.T, strict=True):
            classes = None
            if target.kind != "regression":
                classes = tuple(target.class_weights(params["class_weight"], column).tolist())
            labelled = (~np.isnan(column)).mean()
            tasks.append(
                Task(
                    n_outputs=target.head[1],
                    loss=self._loss_of(target, losses),
                    classes=classes is not None,
                    # a mean over the labelled rows: the loss of rows without the label is zero
                    weight=weights.get(target.name, 1.0) / max(labelled, 1e-12),
                    class_weights=classes,
                )
            )
        return MultitaskLoss(tasks, learned=learned)

    def _loss_of(self, target, losses):
        loss = losses.get(target.name, target.default_loss)
        if callable(loss):
            return loss
        known = LOSSES[target.task]
        if loss not in known:
            raise ValueError(
                f"{self.owner}: losses must give the target {target.name!r} ({target.kind}) one of "
                f"{', '.join(map(repr, known))} or a callable. Got {loss!r} instead."
            )
        return known[loss]

    def plan_fields(self, params, layout):
        """Return the fields of the NetworkPlan that describe the outputs."""
        parts = []
        if self.unimodal:
            modalities = params["unimodal_targets"]
            sources = [(self._modality(modalities[t.name], layout), *t.head) for t in self.unimodal]
            parts.append((UnimodalHeads, {"heads": sources}))
        if params["self_supervised"] is not None:
            parts.append((SelfSupervision, self._self_supervision(params)))
        return {
            "n_outputs": tuple(target.head for target in self.multimodal),
            "head": JointHead,
            "logits": [target.kind for target in self.multimodal] == ["classification"],
            "unimodal": tuple(parts),
        }

    def _modality(self, name, layout):
        modalities = list(layout.modalities)
        if name not in modalities:
            raise ValueError(
                f"{self.owner}: unimodal_targets names the modality {name!r}; the table has "
                f"{', '.join(map(repr, modalities))}."
            )
        return modalities.index(name)

    def _self_supervision(self, params):
        """Return the options of SelfSupervision, in standardised units."""
        name, neutral, fusion = (params[k] for k in ("self_supervised", "neutral", "fusion"))
        self.check_names("self_supervised", [name])
        target = self[name]
        if target.kind != "regression" or target in self.unimodal:
            found = "in unimodal_targets" if target in self.unimodal else target.kind
            raise ValueError(
                f"{self.owner}: self_supervised must name a regression target that is predicted "
                f"from all modalities; {name!r} is {found}."
            )
        fusion = resolve_fusion(fusion, self.owner)
        if fusion.decides:
            raise ValueError(
                f"{self.owner}: self_supervised compares modalities with the fused vector, which "
                f"the fusion {fusion.__name__} does not have. Use another fusion, such as 'concat'."
            )
        farthest = max(abs(target.low - neutral), abs(target.high - neutral))
        return {
            "target": self.all.index(target),
            "neutral": (neutral - target.mean) / target.scale,
            "limit": farthest / target.scale,
        }

    # -- prediction --------------------------------------------------------------------------

    def split(self, outputs):
        """Return the columns of the outputs by target, and those that are left under None."""
        ends = np.cumsum([target.head[1] for target in self.all])
        names = [*(target.name for target in self.all), None]
        return dict(zip(names, np.split(outputs, ends, axis=1), strict=True))


def as_target_table(y, owner):
    """Return y as a table with one column per target.

    Parameters
    ----------
    y : DataFrame or array-like of shape (n_samples, n_targets)
        Targets.
    owner : str
        Name used in error messages.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If y is not a table, or its columns are missing or duplicated.
    """
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
        duplicate = y.columns[y.columns.duplicated()][0]
        raise ValueError(f"{owner}: the column {duplicate!r} of y is duplicated.")
    if y.shape[1] == 0:
        raise ValueError(f"{owner}: y has no column; it needs one per target.")
    return y


def _learn(name, column, task, owner):
    """Return the target of a column."""
    labelled = column[~pd.isna(column)]
    if labelled.empty:
        raise ValueError(
            f"{owner}: Input y contains NaN only for the target {name!r}: no row is labelled. "
            "Label some rows, or drop the column."
        )
    kind, classes = _kind(column, labelled, task, name, owner)
    if kind == "regression":
        return IntensityTarget(floats(labelled, owner, name), owner, name)
    if classes is None:
        classes = np.unique(np.asarray(labelled))
    ranks = np.arange(len(classes)) if kind == "ordinal" else None
    return ClassTarget(classes, owner, name, ranks)


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
            f"{owner}: tasks must give the target {name!r} one of {', '.join(map(repr, KINDS))}, "
            f"or the list of its classes from low to high. Got {task!r}."
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
