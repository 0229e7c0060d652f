"""FusionMultitask."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.estimators._targets import TargetSet, as_target_table
from sklearn_mmsent.estimators._weights import weights_of_classes
from sklearn_mmsent.nn import JointHead
from sklearn_mmsent.nn.heads import UnimodalHeads
from sklearn_mmsent.nn.losses import LOSSES
from sklearn_mmsent.nn.multitask import MultitaskLoss, Task
from sklearn_mmsent.nn.self_supervision import SelfSupervision
from sklearn_mmsent.utils._sklearn import StrOptions


def _has_classes(self):
    """Whether one of the targets is of classes."""
    check_is_fitted(self)
    if all(target.kind == "regression" for target in self.targets_):
        raise AttributeError(f"{type(self).__name__}: no target has classes; all are numbers.")
    return True


def _is_self_supervised(self):
    """Whether modalities predict alone."""
    if self.self_supervised is None:
        raise AttributeError(
            f"{type(self).__name__} predicts from single modalities where self_supervised names a "
            "target."
        )
    return True


class FusionMultitask(BaseFusion):
    """Predict several targets of each row at once with one fusion network.

    Class and intensity, or the sentiment of the whole and that of single modalities: the
    encoders and the fusion are shared, each target has a head of its own. A row need not be
    labelled for all targets; NaN says where it is not.

    Parameters
    ----------
    fusion : str or class, default="concat"
        How the blocks are joined: "concat", "sum", "mean", "weighted", "gated",
        "mag", "multiplicative", "tensor", "low_rank", "attention", "misa",
        "poe", "decision", "quality_aware", "mult", "bottleneck", "memory" or
        "reinforced"; see :class:`FusionClassifier` for what each does.
    tasks : "auto" or mapping, default="auto"
        What each column of y is: "classification", "regression" or "ordinal",
        or the list of its classes from low to high. "auto", also for columns
        that a mapping leaves out, takes numbers as regression, an ordered
        Categorical as ordinal, and all else as classification.
    unimodal_targets : mapping or None, default=None
        Targets that are about one modality, such as ``{"text_label": "text"}``,
        and are predicted from it alone.
    task_weights : mapping, "learned" or None, default=None
        Weights of the targets' losses in the sum, 1 for those left out; None
        means 1 for all, and "learned" weighs by learned uncertainty [1]_.
    self_supervised : str or None, default=None
        A regression target for which each modality also predicts alone, from
        labels that the network makes of the target's (Self-MM [2]_).
    neutral : float, default=0.0
        Value of that target that is neither positive nor negative.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are. "auto" reads the column names; a mapping such as
        ``{"text": 384, "audio": (50, 74)}`` gives shapes in column order; None
        takes the table as one block.
    fusion_params : dict or None, default=None
        Options of the fusion.
    encoders : str, class, tuple or mapping, default="auto"
        How a block becomes a vector, or, for a fusion of sequences, a sequence
        of vectors; see :class:`FusionClassifier`.
    encoders_from : str, Path, estimator, mapping or None, default=None
        Trained encoders to start with: a file that ``save_encoders`` wrote, or a
        fitted estimator, as ``sklearn.frozen.FrozenEstimator(fitted)`` (as it is
        it would lose its fit in a clone). Blocks of the same name are taken,
        with the mean and scale of their values, which the weights expect: the
        units must be the same. A mapping takes single ones, by modality or
        block name: ``{"image": "faces.safetensors"}``. All else starts anew. A
        rate of their own comes by ``net_params={"optimizer__param_groups":
        [("encoders.*", {"lr": 1e-4})]}``.
    freeze_encoders : bool, default=False
        Whether the encoders that were taken stay as they are, without dropout.
    hidden_size : int, default=64
        Width of the hidden layers and of the block vectors.
    dropout : float, default=0.2
        Probability with which a hidden unit is zeroed in training.
    modality_dropout : float, default=0.0
        Probability with which a modality of a row is hidden in training.
    block_noise : float, default=0.0
        Deviation of Gaussian noise on each value in training, where the values'
        own is 1; token numbers and raw input of pretrained encoders get none.
    mixup : float, default=0.0
        Mixes each training row with another of its batch, in shares drawn from
        Beta(mixup, mixup), and their targets likewise [3]_; 0 mixes nothing, 0.2
        to 0.4 are usual. Blocks that one of the two lacks stay as they are.
    time_masking : float, default=0.0
        Largest share of a sequence's steps that one masked stretch covers in
        training (SpecAugment [4]_).
    frequency_masking : float, default=0.0
        Largest share of a sequence's features, such as the bands of a
        spectrogram, that one mask over all its steps covers in training.
    losses : mapping or None, default=None
        Loss by target: a name that :class:`FusionClassifier` or
        :class:`FusionRegressor` knows, or a callable. Others have cross-entropy
        for classes, and the squared error of standardised numbers.
    class_weight : "balanced", "effective" or None, default=None
        Weights of the classes in the loss of each target that has classes.
    lr : float, default=3e-3
        Learning rate of AdamW.
    lr_schedule : {"cosine", "linear"} or None, default=None
        How the learning rate falls step by step towards zero, which it would
        reach at the end of `max_epochs`; None keeps it.
    warmup : float, default=0.0
        Share of all steps in which the learning rate first rises to `lr`.
    clip_norm : float or None, default=None
        Largest norm of a step's gradients, all together; longer ones are scaled
        down to it.
    weight_decay : float, default=1e-2
        Weight decay of AdamW.
    batch_size : int, default=32
        Rows in a training batch.
    max_epochs : int, default=200
        Passes over the training rows, at most.
    early_stopping : bool, default=True
        Whether to hold out rows, stop when the sum of their losses no longer
        falls, and restore the best weights. Groups and identical rows stay on
        one side.
    validation_fraction : float, default=0.1
        Share of the rows held out.
    n_iter_no_change : int, default=20
        Epochs without a better validation loss after which training stops.
    device : str, default="auto"
        A torch device; "auto" takes a GPU if there is one.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        In which the layers compute in training and validation. "bfloat16" has
        half the bits and 2 to 3 digits, for speed and memory; weights, their
        updates and losses stay in float32. "auto" takes it for networks with a
        pretrained encoder on CUDA devices that are made for it, and "float32"
        for all else: a small network is slower with it, and so is a CPU without
        instructions of its own for bfloat16. Predictions do not use it: they
        are computed in float64 on a CPU, in float32 on a GPU.
    random_state : int, RandomState or None, default=None
        Decides initial weights, order of rows, dropout and the internal split.
    callbacks : list of skorch callbacks or None, default=None
        Called during training.
    net_params : dict or None, default=None
        Further parameters of the :class:`skorch.NeuralNet` inside.
    checkpoint_dir : str, Path or None, default=None
        Folder in which training is saved as it goes: killed and started again
        with the same data and parameters, it goes on where it was and ends with
        the same result, and what has ended is not trained again. Searches,
        cross-validations and ensembles of the estimator resume as well. Needs an
        int as `random_state`; see ``docs/checkpoints.md``.
    verbose : int or bool, default=0
        Whether to print a line per epoch.

    Attributes
    ----------
    targets_ : list of Target
        Name, kind and classes of each target, those of the whole row first.
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
        Their names, where the table had names.

    See Also
    --------
    FusionClassifier : One target of classes; takes samplers.
    FusionRegressor : One intensity.

    Notes
    -----
    A target's loss is averaged over the rows labelled for it, so that a target with few labels
    weighs as much as one with many. There is no parameter for a sampler: no class decides for
    all targets what is rare.

    References
    ----------
    .. [1] Kendall, Gal, Cipolla (2018), Multi-task learning using uncertainty to
       weigh losses for scene geometry and semantics, CVPR.
    .. [2] Yu, Xu, Yuan, Wu (2021), Learning modality-specific representations with
       self-supervised multi-task learning for multimodal sentiment analysis, AAAI.
    .. [3] Zhang, Cisse, Dauphin, Lopez-Paz (2018), mixup: Beyond empirical risk
       minimization, ICLR.
    .. [4] Park, Chan, Zhang, Chiu, Zoph, Cubuk, Le (2019), SpecAugment: a simple
       data augmentation method for automatic speech recognition, Interspeech.

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

    sampler = None

    _parameter_constraints: dict = {
        **BaseFusion._parameter_constraints,
        "tasks": [StrOptions({"auto"}), Mapping],
        "unimodal_targets": [Mapping, None],
        "task_weights": [StrOptions({"learned"}), Mapping, None],
        "self_supervised": [str, None],
        "neutral": [Real],
        "losses": [Mapping, None],
        "class_weight": [StrOptions({"balanced", "effective"}), None],
    }

    def __init__(
        self,
        fusion="concat",
        *,
        tasks="auto",
        unimodal_targets=None,
        task_weights=None,
        self_supervised=None,
        neutral=0.0,
        modalities="auto",
        fusion_params=None,
        encoders="auto",
        encoders_from=None,
        freeze_encoders=False,
        hidden_size=64,
        dropout=0.2,
        modality_dropout=0.0,
        block_noise=0.0,
        mixup=0.0,
        time_masking=0.0,
        frequency_masking=0.0,
        losses=None,
        class_weight=None,
        lr=3e-3,
        lr_schedule=None,
        warmup=0.0,
        clip_norm=None,
        weight_decay=1e-2,
        batch_size=32,
        max_epochs=200,
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=20,
        device="auto",
        precision="auto",
        random_state=None,
        callbacks=None,
        net_params=None,
        checkpoint_dir=None,
        verbose=0,
    ):
        self.fusion = fusion
        self.tasks = tasks
        self.unimodal_targets = unimodal_targets
        self.task_weights = task_weights
        self.self_supervised = self_supervised
        self.neutral = neutral
        self.modalities = modalities
        self.fusion_params = fusion_params
        self.encoders = encoders
        self.encoders_from = encoders_from
        self.freeze_encoders = freeze_encoders
        self.hidden_size = hidden_size
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.block_noise = block_noise
        self.mixup = mixup
        self.time_masking = time_masking
        self.frequency_masking = frequency_masking
        self.losses = losses
        self.class_weight = class_weight
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.warmup = warmup
        self.clip_norm = clip_norm
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.callbacks = callbacks
        self.net_params = net_params
        self.checkpoint_dir = checkpoint_dir
        self.verbose = verbose

    # -- predictions -------------------------------------------------------------------------

    def predict(self, X):
        """Predict all targets.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_targets)
            In the order of the columns of y. A DataFrame if y was one; an array of objects if y
            was an array and labels are no numbers.
        """
        outputs = self._by_target(X)
        predicted = {target.name: target.predict(outputs[target.name]) for target in self.targets_}
        index = X.index if self._named and isinstance(X, pd.DataFrame) else None
        table = pd.DataFrame(predicted, index=index, columns=self._targets.order)
        return table if self._named else table.to_numpy()

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
        outputs = self._by_target(X)
        return {
            target.name: target.probabilities(outputs[target.name])
            for target in self.targets_
            if target.kind != "regression"
        }

    @available_if(_is_self_supervised)
    def predict_unimodal(self, X):
        """Predict the self-supervised target from each modality alone.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        DataFrame of shape (n_samples, n_modalities)
            One column per modality, in the units of the target; NaN where the row lacks it.
        """
        target = self._targets[self.self_supervised]
        values = self._targets.split(self._outputs(X))[None] * target.scale + target.mean
        blocks = self.layout_.read(self._check_table(X, reset=False), stream=True)
        for i, modality in enumerate(self.layout_.modalities):
            own = [
                b
                for b, of in zip(blocks, self.layout_.blocks, strict=True)
                if of.modality == modality
            ]
            values[~np.any([block.present for block in own], axis=0), i] = np.nan
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
        check_is_fitted(self)
        numbers = self._check_y(y, X, learn=False)
        outputs = self._by_target(X)
        scores = []
        for target, column in zip(self.targets_, numbers.T, strict=True):
            labelled = ~np.isnan(column)
            if not labelled.any():
                continue
            weight = None if sample_weight is None else np.asarray(sample_weight)[labelled]
            own = outputs[target.name][labelled]
            if target.kind == "regression":
                scores.append(r2_score(column[labelled], target.predict(own), sample_weight=weight))
            else:
                scores.append(accuracy_score(column[labelled], own.argmax(1), sample_weight=weight))
        return float(np.mean(scores))

    def _by_target(self, X):
        outputs = self._outputs(X)  # before anything that only a fitted estimator has
        return self._targets.split(outputs)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.target_tags.two_d_labels = True
        return tags

    # -- what makes it a learner of several targets ------------------------------------------

    def _check_y(self, y, X, *, learn=True):
        """Return targets as floats of shape (n_samples, n_targets) in the order of ``targets_``."""
        name = type(self).__name__
        table = as_target_table(y, name)
        check_consistent_length(X, table)
        if learn:
            self._named = isinstance(y, pd.DataFrame)
            self._learn_targets(table)
        elif not self._named and table.shape[1] == len(self._targets.order):
            table = table.set_axis(self._targets.order, axis=1)
        return self._targets.numbers(table)

    def _check_target(self, y):
        """Targets are checked all at once, in ``_check_y``."""

    def _learn_targets(self, table):
        name = type(self).__name__
        targets = TargetSet(table, self.tasks, self.unimodal_targets or {}, name)
        targets.check_names("losses", self.losses or {})
        if isinstance(self.task_weights, Mapping):
            targets.check_names("task_weights", self.task_weights)
        if self.self_supervised is not None:
            targets.check_names("self_supervised", [self.self_supervised])
            supervised = targets[self.self_supervised]
            if supervised.kind != "regression" or supervised in targets.alone:
                what = supervised.kind if supervised in targets.fused else "in unimodal_targets"
                raise ValueError(
                    f"{name}: self_supervised must name a regression target of the whole row; "
                    f"{supervised.name!r} is {what}."
                )
        self._targets = targets
        self.targets_ = targets.all
        self.classes_ = {t.name: t.classes for t in targets.all if t.classes is not None}

    def _encode_target(self, y):
        return self._targets.standardize(y)

    def _strata(self, y):
        return self._targets.strata(y)

    def _learn_weights(self, y):
        """Note what share of the training rows is labelled, and the weights of classes."""
        self._shares = (~np.isnan(y)).mean(axis=0)
        self._class_weights = [
            None if t.classes is None else weights_of_classes(self.class_weight, c, len(t.classes))
            for t, c in zip(self.targets_, y.T, strict=True)
        ]

    def _loss(self):
        given = self.task_weights if isinstance(self.task_weights, Mapping) else {}
        tasks = [
            Task(
                n_outputs=target.head[1],
                loss=self._loss_of(target),
                classes=target.kind != "regression",
                # a mean over the labelled rows: those that lack the label count as zero
                weight=given.get(target.name, 1.0) / max(share, 1e-12),
                class_weights=None if weights is None else tuple(weights.tolist()),
            )
            for target, share, weights in zip(
                self.targets_, self._shares, self._class_weights, strict=True
            )
        ]
        return MultitaskLoss(tasks, learned=self.task_weights == "learned")

    def _loss_of(self, target):
        task = "regression" if target.kind == "regression" else "classification"
        default = "squared_error" if task == "regression" else "cross_entropy"
        loss = (self.losses or {}).get(target.name, default)
        if callable(loss):
            return loss
        if loss not in LOSSES[task]:
            raise ValueError(
                f"{type(self).__name__}: losses must give the target {target.name!r} "
                f"({target.kind}) one of {', '.join(map(repr, LOSSES[task]))} or a callable. "
                f"Got {loss!r} instead."
            )
        return LOSSES[task][loss]

    def _heads(self):
        targets, parts = self._targets, []
        if targets.alone:
            sources = [
                (self._modality(self.unimodal_targets[t.name]), *t.head) for t in targets.alone
            ]
            parts.append((UnimodalHeads, {"heads": sources}))
        if self.self_supervised is not None:
            parts.append((SelfSupervision, self._self_supervision()))
        return {
            "n_outputs": tuple(target.head for target in targets.fused),
            "head": JointHead,
            "logits": [target.kind for target in targets.fused] == ["classification"],
            "unimodal": tuple(parts),
        }

    def _self_supervision(self):
        """Return the options of SelfSupervision, in standardised units."""
        fusion = self._fusion_class()
        if fusion.decides:
            raise ValueError(
                f"{type(self).__name__}: self_supervised compares modalities with the fused "
                f"vector, which the fusion {fusion.__name__} does not have. Take another, such as "
                "'concat'."
            )
        target = self._targets[self.self_supervised]
        farthest = max(abs(target.low - self.neutral), abs(target.high - self.neutral))
        return {
            "target": self.targets_.index(target),
            "neutral": (self.neutral - target.mean) / target.scale,
            "limit": farthest / target.scale,
        }

    def _modality(self, name):
        modalities = list(self.layout_.modalities)
        if name not in modalities:
            raise ValueError(
                f"{type(self).__name__}: unimodal_targets names the modality {name!r}; the table "
                f"has {', '.join(map(repr, modalities))}."
            )
        return modalities.index(name)
