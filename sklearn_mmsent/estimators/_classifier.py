"""FusionClassifier."""

from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_mmsent.estimators._base import BaseFusion
from sklearn_mmsent.estimators._parameters import ClassifierParameters
from sklearn_mmsent.estimators._target import ClassTarget


class FusionClassifier(ClassifierParameters, ClassifierMixin, BaseFusion):
    """Classify rows of several modalities with a fusion network.

    Each block of the table is standardised and encoded by a small network, the
    block vectors are fused, and a head predicts the class; all parts are trained
    end to end. Modalities may be missing in training and prediction, in any
    combination.

    Parameters
    ----------
    fusion : str or class, default="concat"
        How the blocks are fused:

        - "concat": concatenation; the baseline;
        - "sum", "mean": sum or mean of the blocks that are present;
        - "weighted": mean with learned weights of the blocks;
        - "gated": gates computed from all blocks (gated multimodal unit);
        - "mag": one main block, shifted by the others (adaptation gate);
        - "multiplicative": each block rescales the result of those before it;
        - "tensor", "low_rank": products of units of all blocks, full (TFN) or of
          low rank (LMF);
        - "attention": self-attention between blocks;
        - "misa": shared and private representations of the blocks (MISA);
        - "poe": product of experts: Gaussians weighted by their precision;
        - "decision": one prediction per block, averaged (late fusion);
        - "quality_aware": the same, weighted by each row's confidence (QMF);
        - "mult": attention between the sequences of blocks (MulT);
        - "bottleneck": attention through a few shared tokens (MBT);
        - "memory": recurrent networks with a shared memory (MFN);
        - "reinforced": steps selected by gates that are trained by reward
          (GME-LSTM).

        "mult" and "bottleneck" need a lower `lr` than the default, such as 5e-4.
        The acronyms "gmu", "tfn", "lmf", "mbt", "mfn" and "qmf" are accepted, too.
        The classes in :mod:`sklearn_mmsent.nn` document papers and options. A class
        derived from ``sklearn_mmsent.nn.Fusion`` is built as
        ``fusion(n_blocks, width, dropout)``.
    modalities : "auto", mapping or None, default="auto"
        Blocks of the table. "auto" reads the column names; a mapping such as
        ``{"text": 384, "audio": (50, 74)}`` gives shapes in column order; None
        takes the table as one block.
    fusion_params : dict or None, default=None
        Options of the fusion, such as ``{"rank": 8}`` for "low_rank".
    encoders : "auto", {"mlp", "mean", "attentive", "conv1d", "conv2d", "gru", "lstm", \
            "transformer", "pretrained_text", "pretrained_image", "pretrained_speech", \
            "cnn-end-to-end"}, class, tuple or mapping, default="auto"
        How a block is encoded as a vector or, for a fusion of sequences, as a
        sequence of vectors; for all blocks, or by name of modality or block.
        "mlp" reads any block: a sequence by mean and standard deviation of its
        steps, an image by its pixels. "mean", "attentive", "conv1d", "gru",
        "lstm" and "transformer" read sequences, and "conv2d" images and
        spectrograms. "pretrained_text" reads the token ids of
        :class:`TokenIds`, "pretrained_image" the pixels of :class:`Pixels` and
        "pretrained_speech" the samples of :class:`Waveform`, with a model that
        is fine-tuned (options ``model``, ``trainable_layers`` and ``lr``).
        "cnn-end-to-end" is for raw input: "mlp" (layers of 128 and D) for flat
        blocks, "conv2d" for images and "conv1d" for sequences (channels 64 and
        128, each layer pooled), with the wide first kernel of M5 for waveforms
        of 1000 steps and more; train it with ``lr=1e-3, weight_decay=0``.
        "auto" is "conv2d" for images of 8 x 8 pixels and more, "gru" for
        sequences under a fusion of sequences, and "mlp" otherwise. A tuple such
        as ``("gru", {"n_layers": 2})`` adds options: the keyword arguments of
        the classes in ``sklearn_mmsent.nn.ENCODERS``. A class derived from
        ``sklearn_mmsent.nn.Encoder`` is built as ``encoder(shape, width, dropout, **options)``.
    encoders_from : str, Path, estimator, mapping or None, default=None
        Trained encoders to start from: a file written by ``save_encoders``, or a
        fitted estimator as ``sklearn.frozen.FrozenEstimator(fitted)`` (``clone``
        would drop its fit otherwise). Encoders of blocks with the same name are
        taken, with the mean and scale of their features: the units must be the
        same. A mapping takes encoders by modality or block:
        ``{"image": "faces.safetensors"}``. All other weights are initialised at
        random. For a separate learning rate, use
        ``net_params={"optimizer__param_groups": [("encoders.*", {"lr": 1e-4})]}``.
    freeze_encoders : bool, default=False
        Whether the encoders taken from `encoders_from` are not trained further,
        and have no dropout.
    hidden_size : int, default=64
        Width of the hidden layers and of the block vectors.
    dropout : float, default=0.2
        Probability with which a hidden unit is zeroed in training.
    modality_dropout : float, default=0.0
        Probability with which a modality of a row is hidden in training, which
        prepares the network for missing modalities (ModDrop).
    block_noise : float, default=0.0
        Standard deviation of Gaussian noise on each feature in training, after
        standardisation; token ids and raw input of pretrained encoders get none.
    mixup : float, default=0.0
        Mixes each training row with another of its batch, in shares drawn from
        Beta(mixup, mixup), and their targets likewise; 0 turns it off, 0.2 to
        0.4 are usual. Blocks that are missing in one of the rows are not mixed.
    time_masking : float, default=0.0
        Largest share of a sequence's steps that is masked in one stretch in
        training (SpecAugment).
    frequency_masking : float, default=0.0
        Largest share of a sequence's features, such as the bands of a
        spectrogram, that is masked in all steps in training (SpecAugment).
    loss : {"cross_entropy", "binary_cross_entropy", "focal"} or callable, \
            default="cross_entropy"
        Loss that is minimised; "focal" reduces the weight of rows that are
        classified well, "binary_cross_entropy" is for two classes, one of which
        may weigh more. A callable maps logits (B, C) and class numbers (B,) to
        the loss of each row, (B,); it must be defined at module level to be
        picklable.
    loss_params : dict or None, default=None
        Options of the loss: ``{"label_smoothing": 0.1}`` of "cross_entropy" (0
        by default), ``{"pos_weight": 3.0}`` of "binary_cross_entropy", the
        weight of the second class (1 by default), ``{"gamma": 2.0}`` of "focal"
        (2 by default).
    ordinal : bool or list, default=False
        Whether the classes are ordered: one score per row, which thresholds cut
        into classes (proportional odds), instead of a logit per class. True for
        classes that are numbers; a list gives the classes from low to high.
    class_weight : dict, "balanced", "effective" or None, default=None
        Weights of the classes in the loss; "balanced" gives all classes the same
        total weight; "effective", a milder form for many rows, divides by the
        effective number of rows, ``(1 - 0.999 ** n) / (1 - 0.999)``.
    balanced_batches : bool, default=False
        Whether every epoch draws each class equally often, as many rows in total
        as there are: rows of small classes several times, of large ones not all.
        Over-sampling without longer epochs; with `class_weight`, small classes
        would count twice.
    sampler : imbalanced-learn sampler or None, default=None
        Resamples the training rows after the internal validation split, which
        keeps blends of validation rows out of training. It may return shares of
        the classes, as ``ModalityMixup(labels="soft")`` does, under
        ``loss="cross_entropy"``.
    lr : float, default=3e-3
        Learning rate of AdamW.
    lr_schedule : {"cosine", "linear"} or None, default=None
        How the learning rate decays, step by step, to zero at the end of
        `max_epochs`; None keeps it constant.
    warmup : float, default=0.0
        Share of all steps in which the learning rate first rises to `lr`.
    clip_norm : float or None, default=None
        Largest norm of the gradients of a step, all together; larger gradients
        are scaled down to it, which stabilises recurrent encoders.
    weight_decay : float, default=1e-2
        Weight decay of AdamW.
    batch_size : int, default=32
        Rows in a training batch.
    max_epochs : int, default=200
        Maximum number of passes over the training rows.
    early_stopping : bool, default=True
        Whether to hold out rows, stop when their loss no longer decreases, and
        restore the best weights. Groups and identical rows stay on one side.
        Without a row to spare, training runs for all of `max_epochs`.
    validation_fraction : float, default=0.1
        Share of the rows held out.
    n_iter_no_change : int, default=20
        Epochs without a better validation loss after which training stops.
    device : str, default="auto"
        A torch device; "auto" uses a GPU if there is one.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Floating-point type of the layers in training and validation. "bfloat16"
        has half the bits and 2 to 3 digits, for speed and memory; weights, their
        updates and losses stay in float32. "auto" is "bfloat16" for networks
        with a pretrained encoder on CUDA devices that support it, and "float32"
        otherwise: "bfloat16" slows down small networks, and CPUs without
        bfloat16 instructions. Predictions are computed in float64 on a CPU and
        in float32 on a GPU.
    random_state : int, RandomState or None, default=None
        Determines initial weights, order of rows, dropout and the internal
        split. The global generators are never touched.
    callbacks : list of skorch callbacks or None, default=None
        Called during training.
    net_params : dict or None, default=None
        Further parameters of the :class:`skorch.NeuralNet` inside, such as
        ``{"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}``.
    checkpoint_dir : str, Path or None, default=None
        Folder for checkpoints: a fit that was killed resumes from the last one
        when it is started again with the same data and parameters, with the same
        result, and finished networks are not trained again. This includes
        searches, cross-validations and ensembles of the estimator. Needs an int
        as `random_state`; see ``docs/checkpoints.md``.
    verbose : int or bool, default=0
        Whether to print a line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
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
    FusionRegressor : Predicts intensities instead of classes.
    make_extractor : Makes the table from texts, images and sounds.

    References
    ----------
    - "gated": Arevalo, Solorio, Montes-y-Gomez, Gonzalez (2017), Gated multimodal
      units for information fusion, arXiv:1702.01992.
    - `modality_dropout`: Neverova, Wolf, Taylor, Nebout (2016), ModDrop: adaptive
      multi-modal gesture recognition, IEEE TPAMI 38(8).
    - "focal": Lin, Goyal, Girshick, He, Dollar (2017), Focal loss for dense object
      detection, ICCV.
    - "effective": Cui, Jia, Lin, Song, Belongie (2019), Class-balanced loss based
      on effective number of samples, CVPR.
    - `ordinal`: McCullagh (1980), Regression models for ordinal data, Journal of
      the Royal Statistical Society B 42(2).
    - `mixup`: Zhang, Cisse, Dauphin, Lopez-Paz (2018), mixup: Beyond empirical risk
      minimization, ICLR.
    - `time_masking`: Park, Chan, Zhang, Chiu, Zoph, Cubuk, Le (2019), SpecAugment:
      a simple data augmentation method for automatic speech recognition,
      Interspeech.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent import FusionClassifier
    >>> rng = np.random.default_rng(0)
    >>> said, shown = rng.choice([-1.0, 1.0], (2, 200))
    >>> X = pd.DataFrame({"text__tone": said, "face__smile": shown})
    >>> y = np.where(said == shown, "sincere", "ironic")
    >>> clf = FusionClassifier(fusion="gated", random_state=0).fit(X, y)
    >>> clf.predict(pd.DataFrame({"text__tone": [1.0, 1.0], "face__smile": [1.0, -1.0]}))
    array(['sincere', 'ironic'], dtype='<U7')
    """

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of ``classes_``.
        """
        outputs = self._outputs(X)
        return self._target.probabilities(outputs)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Log-probabilities, in the order of ``classes_``.
        """
        outputs = self._outputs(X)
        return log_softmax(self._target.class_outputs(outputs), axis=1)

    def predict(self, X):
        """Predict the class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            A table with the columns seen in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        outputs = self._outputs(X)
        return self._target.predict(outputs)

    @property
    def classes_(self):
        """The class labels, sorted."""
        check_is_fitted(self, "_target")
        return self._target.classes

    def _make_target(self, y):
        return ClassTarget.from_labels(y, self.ordinal, type(self).__name__)
