"""FusionMultitask."""

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.estimators._classifier import FusionClassifier
from sklearn_mmsent.estimators._parameters import MultitaskParameters
from sklearn_mmsent.estimators._target_set import TargetSet, as_target_table
from sklearn_mmsent.utils._documentation import document_shared_parameters


def _has_classes(self):
    """Whether one of the targets has classes."""
    check_is_fitted(self)
    if all(target.kind == "regression" for target in self.targets_):
        raise AttributeError(f"{type(self).__name__}: no target has classes; all are numbers.")
    return True


def _is_self_supervised(self):
    """Whether each modality predicts by itself."""
    if self.self_supervised is None:
        raise AttributeError(
            f"{type(self).__name__} predicts from single modalities only if self_supervised names "
            "a target."
        )
    return True


@document_shared_parameters(FusionClassifier)
class FusionMultitask(MultitaskParameters, BaseFusion):
    """Predict several targets of each row at once with one fusion network.

    For example class and intensity, or the sentiment of the whole and that of single modalities:
    the targets share encoders and fusion, and each has its head. Rows may lack the label of a
    target, as NaN. Parameters that are not listed here are those of :class:`FusionClassifier`.

    Parameters
    ----------
    tasks : "auto" or mapping, default="auto"
        Kind of each column of y: "classification", "regression" or "ordinal",
        or the list of its classes from low to high. "auto", also for columns
        that a mapping leaves out, is regression for numbers, ordinal for an
        ordered Categorical, and classification otherwise.
    unimodal_targets : mapping or None, default=None
        Targets of one modality, such as ``{"text_label": "text"}``, which are
        predicted from it alone.
    task_weights : mapping, "learned" or None, default=None
        Weights of the targets' losses in the sum, 1 for those left out; None
        means 1 for all, and "learned" weighs by learned uncertainty [1]_.
    self_supervised : str or None, default=None
        A regression target that each modality also predicts by itself, from
        labels that the network derives from those of the target (Self-MM [2]_).
    neutral : float, default=0.0
        Value of that target that is neither positive nor negative.
    losses : mapping or None, default=None
        Loss by target: a name from :class:`FusionClassifier` or
        :class:`FusionRegressor`, or a callable. The default is cross-entropy
        for classes, and the squared error of standardised numbers.
    class_weight : "balanced", "effective" or None, default=None
        Weights of the classes in the loss of each target that has classes.

    Attributes
    ----------
    targets_ : list of Target
        Name, kind and classes of each target; those predicted from all modalities come first.
    classes_ : dict of str to ndarray
        The classes of each target that has them, ordinal ones from low to high.
    layout_ : BlockLayout
        The blocks of the training table.
    net_ : FusionNet
        The trained skorch net; ``net_.history`` holds the losses per epoch,
        ``net_.module_`` the network.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of the columns seen in ``fit``, if they have names.

    See Also
    --------
    FusionClassifier : One target with classes; supports samplers.
    FusionRegressor : One intensity.

    Notes
    -----
    A target's loss is averaged over the rows labelled for it, so that a target with few labels
    weighs as much as one with many. There is no parameter for a sampler: classes are rare or
    frequent for one target, not for all.

    References
    ----------
    .. [1] Kendall, Gal, Cipolla (2018), Multi-task learning using uncertainty to
       weigh losses for scene geometry and semantics, CVPR.
    .. [2] Yu, Xu, Yuan, Wu (2021), Learning modality-specific representations with
       self-supervised multi-task learning for multimodal sentiment analysis, AAAI.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import FusionMultitask
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(300, 2)), columns=["text__tone", "voice__pitch"])
    >>> total = X["text__tone"] + X["voice__pitch"]
    >>> y = pd.DataFrame({"intensity": total, "label": np.where(total > 0, "up", "down")})
    >>> y.loc[::2, "label"] = np.nan
    >>> model = FusionMultitask(random_state=0).fit(X, y)
    >>> model.predict(X).columns.tolist()
    ['intensity', 'label']
    >>> model.score(X, y) > 0.9
    True
    """

    def predict(self, X):
        """Predict all targets.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_targets)
            In the order of the columns of y. A DataFrame if y was one; an array, of objects if
            labels are not numbers, otherwise.
        """
        outputs = self._outputs_by_target(X)
        targets = self._target
        predicted = {target.name: target.predict(outputs[target.name]) for target in targets.all}
        index = X.index if targets.named and isinstance(X, pd.DataFrame) else None
        table = pd.DataFrame(predicted, index=index, columns=targets.order)
        return table if targets.named else table.to_numpy()

    @available_if(_has_classes)
    def predict_proba(self, X):
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        dict of str to ndarray of shape (n_samples, n_classes)
            By target, for those that have classes, in the order of ``classes_``.
        """
        outputs = self._outputs_by_target(X)
        return {
            target.name: target.probabilities(outputs[target.name])
            for target in self.targets_
            if target.kind != "regression"
        }

    @available_if(_is_self_supervised)
    def predict_unimodal(self, X):
        """Predict the self-supervised target from each modality by itself.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        DataFrame of shape (n_samples, n_modalities)
            One column per modality, in the units of the target; NaN where the row lacks it.
        """
        outputs = self._outputs(X)
        target = self._target[self.self_supervised]
        values = self._target.split(outputs)[None] * target.scale + target.mean
        blocks = self.layout_.read(self._check_table(X, reset=False), stream=True)
        modality_of_block = np.array([block.modality for block in self.layout_.blocks])
        present = np.column_stack([block.present for block in blocks])
        for i, modality in enumerate(self.layout_.modalities):
            values[~present[:, modality_of_block == modality].any(axis=1), i] = np.nan
        index = X.index if isinstance(X, pd.DataFrame) else None
        return pd.DataFrame(values, index=index, columns=self.layout_.modalities)

    def score(self, X, y, sample_weight=None):
        """Return the mean over the targets of accuracy, or for numbers R2, on labelled rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.
        y : DataFrame or array-like of shape (n_samples, n_targets)
            True targets, NaN where unlabelled.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row.

        Returns
        -------
        float
            A target without a labelled row does not count.
        """
        outputs = self._outputs_by_target(X)
        numbers = self._target.encode(y)
        check_consistent_length(X, numbers)
        scores = []
        for target, column in zip(self.targets_, numbers.T, strict=True):
            labelled = ~np.isnan(column)
            if not labelled.any():
                continue
            weight = None if sample_weight is None else np.asarray(sample_weight)[labelled]
            found, true = outputs[target.name][labelled], column[labelled]
            if target.kind == "regression":
                scores.append(r2_score(true, target.predict(found), sample_weight=weight))
            else:
                scores.append(accuracy_score(true, found.argmax(axis=1), sample_weight=weight))
        return float(np.mean(scores))

    @property
    def targets_(self):
        """The targets."""
        check_is_fitted(self, "_target")
        return self._target.all

    @property
    def classes_(self):
        """The classes by target."""
        return {t.name: t.classes for t in self.targets_ if t.classes is not None}

    def _outputs_by_target(self, X):
        outputs = self._outputs(X)
        return self._target.split(outputs)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.target_tags.two_d_labels = True
        return tags

    def _make_target(self, y):
        owner, named = type(self).__name__, isinstance(y, pd.DataFrame)
        table = as_target_table(y, owner)
        targets = TargetSet(table, self.tasks, self.unimodal_targets or {}, owner, named)
        return targets, targets.encode(y)
