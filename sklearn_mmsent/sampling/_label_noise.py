"""LabelNoiseFilter: confident learning to find wrong labels."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold, check_cv, cross_val_predict
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent.compose import FillBlocks, make_pipeline
from sklearn_mmsent.sampling._base import BaseRowSampler, Resampled
from sklearn_mmsent.utils._documentation import document_shared_parameters
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, StrOptions

TINY = np.finfo(np.float64).tiny
STRENGTHS = np.geomspace(0.5, 50.0, 5)  # C of the default classifier, times the number of rows
INNER_FOLDS = 3  # to choose it


@document_shared_parameters(BaseRowSampler)
class LabelNoiseFilter(BaseRowSampler):
    """Remove or down-weight rows whose label is probably wrong (confident learning [1]_).

    Each row gets out-of-fold class probabilities. A row counts as a member of a class if its
    probability reaches the average of the rows with that label. These counts estimate how many
    rows of each label belong to each other class; as many rows are selected, those with the
    strongest evidence against their label.

    Parameters
    ----------
    estimator : classifier or None, default=None
        Classifier with ``predict_proba``, such as a pipeline from raw cells or a
        :class:`FusionClassifier`. None uses logistic regression on all blocks, after
        :class:`FillBlocks` and a scaler; its C is chosen by log loss from 0.5 to 50 divided by the
        number of training rows, so that noisy labels lead to strong regularisation.
    how : {"remove", "weight"}, default="remove"
        "remove" drops the rows. "weight" keeps them with the weights of the report, which a fusion
        estimator reads from its `sampler=`; otherwise pass ``sample_weight_`` to ``fit``.
    prune : {"noise_rate", "class", "both"}, default="noise_rate"
        Criterion of the selection. "noise_rate": for each pair of classes, the estimated number of
        rows of the second class with the label of the first, by the margin between both. "class":
        for each class, the estimated number of wrong labels, by the probability of the label.
        "both": rows selected by both.
    cv : int or splitter, default=5
        Cross-validation splitter. An int gives stratified, shuffled folds.
    modalities : "auto", mapping or None, default="auto"
        Block layout of the columns, for the default classifier. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    n_jobs : int or None, default=None
        Number of folds fitted in parallel; None means 1.
    random_state : int, RandomState or None, default=None
        Controls the folds; pass an int for reproducible results.

    Attributes
    ----------
    report_ : DataFrame
        One row per row found, in order of decreasing evidence: its index ``row``, its ``label``,
        the ``suggested`` class, the probabilities ``label_proba`` and ``suggested_proba``, and
        ``weight``, the ratio of both, each relative to its average.
    joint_ : DataFrame of shape (n_classes, n_classes)
        Estimated fraction of rows for each label (rows) and each true class (columns).
    sample_weight_ : ndarray of float of shape (n_samples_new,)
        Weight of each kept row; 1 with "remove".
    sample_indices_ : ndarray of int of shape (n_samples_new,)
        Indices of the rows that are kept.
    sampling_strategy_ : dict
        The classes, as in imbalanced-learn.

    See Also
    --------
    OutlierRemover : Removes unusual rows whatever their label.

    Notes
    -----
    Probabilities are divided by their average over the rows with that label, and no row is
    selected whose label has the highest probability, divided or not. Plain probabilities as in
    [1]_ treat a rare class, whose rows never reach high probabilities, as noise of the others.

    If rows of one speaker or film are in several folds, classifiers overfit wrong labels; a
    splitter that respects groups, such as a list of splits, prevents this.

    References
    ----------
    .. [1] C. G. Northcutt, L. Jiang, I. L. Chuang, "Confident learning: estimating uncertainty in
       dataset labels", JAIR 70, 2021.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_mmsent.sampling import LabelNoiseFilter
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["neg", "pos"], 50)
    >>> tone = np.where(y == "pos", 2.0, -2.0) + rng.normal(size=100)
    >>> X = pd.DataFrame({"text__tone": tone, "face__smile": tone + rng.normal(size=100)})
    >>> y[3] = "pos"
    >>> noise = LabelNoiseFilter(random_state=0)
    >>> X_new, y_new = noise.fit_resample(X, y)
    >>> noise.report_[["row", "label", "suggested"]]
       row label suggested
    0    3   pos       neg
    """

    _sampling_type = "clean-sampling"
    _strategy = "all"
    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "how": [StrOptions({"remove", "weight"})],
        "prune": [StrOptions({"noise_rate", "class", "both"})],
        "cv": [Interval(Integral, 2, None, closed="left"), "cv_object"],
        "modalities": FillBlocks._parameter_constraints["modalities"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator=None,
        *,
        how="remove",
        prune="noise_rate",
        cv=5,
        modalities="auto",
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.how = how
        self.prune = prune
        self.cv = cv
        self.modalities = modalities
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def _weighs_rows(self):
        """Whether the result depends on weights that a pipeline would drop."""
        return self.how == "weight"

    def _fit_resample(self, X, y):
        classes, labels = np.unique(y, return_inverse=True)
        rows = np.arange(len(y))
        proba = self._out_of_fold(X, y, labels)
        relative = relative_proba(proba, labels)
        joint = estimate_joint(relative, labels)
        wrong, suggested = find_label_issues(proba, relative, labels, joint, self.prune)
        ratio = relative[rows, labels] / np.maximum(relative[rows, suggested], TINY)
        wrong = wrong[np.argsort(ratio[wrong], kind="stable")]
        other = suggested[wrong]
        self.report_ = pd.DataFrame(
            {
                "row": wrong,
                "label": y[wrong],
                "suggested": classes[other],
                "label_proba": proba[wrong, labels[wrong]],
                "suggested_proba": proba[wrong, other],
                "weight": ratio[wrong],
            }
        )
        self.joint_ = pd.DataFrame(joint, index=classes, columns=classes)
        weights = np.ones(len(y))
        weights[wrong] = ratio[wrong]
        kept = rows if self.how == "weight" else np.delete(rows, wrong)
        self.sample_weight_ = weights[kept]
        return Resampled(kept)

    def _out_of_fold(self, X, y, labels):
        """Return out-of-fold probabilities."""
        cv = self.cv
        if isinstance(cv, Integral):
            counts = np.bincount(labels)
            if counts.min() < cv:
                label = np.unique(y).tolist()[counts.argmin()]
                raise ValueError(
                    f"{type(self).__name__}: the class {label!r} has {counts.min()} row(s), fewer "
                    f"than the {cv} folds, so some classifiers would not see it. Use a smaller "
                    "cv, or exclude the class beforehand."
                )
            cv = StratifiedKFold(cv, shuffle=True, random_state=self.random_state)
        folds = list(check_cv(cv, y, classifier=True).split(X, y))
        if self.estimator is not None:
            estimator = clone(self.estimator)
        else:
            estimator = self._default_classifier(labels, folds)
        proba = cross_val_predict(
            estimator, X, y, cv=folds, method="predict_proba", n_jobs=self.n_jobs
        )
        if not np.isfinite(proba).all():
            row = int(np.flatnonzero(~np.isfinite(proba).all(axis=1))[0])
            raise ValueError(
                f"{type(self).__name__}: {type(estimator).__name__} gave no probability for row "
                f"{row}. Use a classifier whose predict_proba is finite."
            )
        return proba

    def _default_classifier(self, labels, folds):
        n_rows = len(folds[0][0])
        counts = [np.bincount(labels[rows], minlength=labels.max() + 1) for rows, _ in folds]
        if np.min(counts) < INNER_FOLDS:
            classifier = LogisticRegression(C=STRENGTHS[0] / n_rows, max_iter=1000)
        else:
            classifier = LogisticRegressionCV(
                Cs=STRENGTHS / n_rows,
                cv=INNER_FOLDS,
                scoring="neg_log_loss",
                max_iter=1000,
                l1_ratios=(0.0,),
                use_legacy_attributes=False,
            )
        return make_pipeline(FillBlocks(modalities=self.modalities), StandardScaler(), classifier)


def relative_proba(proba, labels):
    """Divide probabilities (n_samples, n_classes) by their average over the rows with that label.

    A row with a value of at least 1 belongs to a class as clearly as the rows with that label.
    """
    averages = np.array([proba[labels == k, k].mean() for k in range(proba.shape[1])])
    return proba / np.maximum(averages, TINY)


def estimate_joint(relative, labels):
    """Estimate the joint distribution of labels and true classes, (n_classes, n_classes).

    From the output of `relative_proba` and class indices. Fractions sum to one, and each row to
    the fraction of its label.
    """
    n_classes = relative.shape[1]
    is_label = np.arange(n_classes) == labels[:, None]
    # equal probabilities may miss their mean by rounding; ties are resolved for the label
    relative = relative + 1e-9 + 1e-9 * is_label
    counted = (relative >= 1).any(axis=1)
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (labels[counted], relative[counted].argmax(axis=1)), 1)
    uncounted = counts.sum(axis=1) == 0  # labels without confident rows are assumed correct
    counts[uncounted, uncounted] = 1
    sizes = np.bincount(labels, minlength=n_classes)
    return counts / counts.sum(axis=1, keepdims=True) * sizes[:, None] / len(labels)


def find_label_issues(proba, relative, labels, joint, prune="noise_rate"):
    """Find rows with a wrong label by the criterion `prune`.

    Returns their indices, in increasing order, and for all rows the class with the highest
    relative probability other than the label.
    """
    rows, n_classes = np.arange(len(labels)), proba.shape[1]
    by_rate, by_class = np.zeros((2, len(labels)), dtype=bool)
    n_rows = np.rint(joint * len(labels)).astype(int)
    for k in range(n_classes):
        members = np.flatnonzero(labels == k)
        confidence = relative[members, k]
        n_wrong = n_rows[k].sum() - n_rows[k, k]
        by_class[members[np.argsort(confidence, kind="stable")[:n_wrong]]] = True
        for other in np.flatnonzero(np.arange(n_classes) != k):
            margins = confidence - relative[members, other]
            by_rate[members[np.argsort(margins, kind="stable")[: n_rows[k, other]]]] = True
    chosen = {"noise_rate": by_rate, "class": by_class, "both": by_rate & by_class}[prune]
    others = np.where(np.arange(n_classes) == labels[:, None], -np.inf, relative)
    suggested = others.argmax(axis=1)
    contradicted = np.logical_and(
        *(values[rows, suggested] > values[rows, labels] for values in (proba, relative))
    )
    return np.flatnonzero(chosen & contradicted), suggested
