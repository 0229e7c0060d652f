"""LabelNoiseFilter: rows whose label a classifier that has not seen them contradicts."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold, check_cv, cross_val_predict
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent.compose import FillBlocks, make_pipeline
from sklearn_mmsent.sampling._base import BaseRowSampler, Resampled
from sklearn_mmsent.utils._sklearn import HasMethods, Interval, StrOptions

TINY = np.finfo(np.float64).tiny
STRENGTHS = np.geomspace(0.5, 50.0, 5)  # C of the default classifier times the number of rows
INNER_FOLDS = 3  # that it is chosen by


class LabelNoiseFilter(BaseRowSampler):
    """Remove or down-weight the rows whose label is probably wrong (confident learning [1]_).

    Each row gets probabilities from a classifier of the other rows. A row counts as one of a class
    if its probability reaches what rows with that label have on average. From these counts comes
    an estimate of how many rows of each label truly are of each other class, and so many go, those
    that the classifier contradicts most.

    Parameters
    ----------
    estimator : classifier or None, default=None
        Gives the probabilities: anything with ``predict_proba``, also a pipeline from raw cells or
        a :class:`FusionClassifier`. None takes logistic regression on all blocks, behind
        :class:`FillBlocks` and a scaler, regularised as strongly as its training labels ask for
        (C from 0.5 to 50 divided by their number, by log loss): the more of them are wrong, the
        more strongly.
    how : {"remove", "weight"}, default="remove"
        "remove" leaves the rows out. "weight" keeps them with the weight that the report tells:
        `sampler=` of a fusion estimator reads it; elsewhere pass ``sample_weight_`` to ``fit``.
    prune : {"noise_rate", "class", "both"}, default="noise_rate"
        Which rows go: for each pair of classes as many as are estimated to be of the second under
        the label of the first, by the margin between the two; or for each class as many as are
        estimated to bear its label wrongly, by the label's own probability; or only those that
        both name.
    cv : int or splitter, default=5
        How rows are split. An int makes that many stratified, shuffled folds.
    modalities : "auto", mapping or None, default="auto"
        Where the blocks are, for the default classifier. See
        :meth:`sklearn_mmsent.blocks.BlockLayout.of`.
    n_jobs : int or None, default=None
        How many folds are fitted at once.
    random_state : int, RandomState or None, default=None
        Decides the folds.

    Attributes
    ----------
    report_ : DataFrame
        One row for each that was found, the surest first: its number ``row``, its ``label``, the
        class ``suggested`` in its place, the probabilities ``label_proba`` and ``suggested_proba``,
        and ``weight``, the ratio of the two, each as a multiple of its average.
    joint_ : DataFrame of shape (n_classes, n_classes)
        Estimated share of the rows for each label (rows) and each true class (columns).
    sample_weight_ : ndarray of float of shape (n_samples_new,)
        Weight of each row that stays; 1 with "remove".
    sample_indices_ : ndarray of int of shape (n_samples_new,)
        Indices of the rows that are kept.
    sampling_strategy_ : dict
        The classes, as imbalanced-learn tells them.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of str objects of shape (n_features_in_,)
        Names of features seen during fit. Defined only when X has feature names that are all
        strings.

    See Also
    --------
    OutlierRemover : Finds rows that are odd whatever their label.

    Notes
    -----
    Probabilities are compared as multiples of what rows with that label have on average, and no row
    goes whose own label is the likeliest by them or by the probabilities themselves. In [1]_ the
    probabilities alone decide, by which a rare class, that no row is surely of, is taken for noise
    of the others and may vanish.

    Rows of one speaker or film in several folds make a classifier surer of wrong labels than it
    should be; a splitter that knows the groups, such as a list of splits, keeps them together.

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
        """Whether what it finds is lost to who reads its rows alone."""
        return self.how == "weight"

    def _fit_resample(self, X, y):
        classes, given = np.unique(y, return_inverse=True)
        rows = np.arange(len(y))
        proba = self._out_of_fold(X, y, given)
        standing = stand_among(proba, given)
        joint = estimate_joint(standing, given)
        wrong, suggested = find_wrong(proba, standing, given, joint, self.prune)
        doubt = standing[rows, given] / np.maximum(standing[rows, suggested], TINY)
        wrong = wrong[np.argsort(doubt[wrong], kind="stable")]
        other = suggested[wrong]
        self.report_ = pd.DataFrame(
            {
                "row": wrong,
                "label": y[wrong],
                "suggested": classes[other],
                "label_proba": proba[wrong, given[wrong]],
                "suggested_proba": proba[wrong, other],
                "weight": doubt[wrong],
            }
        )
        self.joint_ = pd.DataFrame(joint, index=classes, columns=classes)
        weights = np.ones(len(y))
        weights[wrong] = doubt[wrong]
        kept = rows if self.how == "weight" else np.delete(rows, wrong)
        self.sample_weight_ = weights[kept]
        return Resampled(kept)

    def _out_of_fold(self, X, y, given):
        """Return what classifiers of the other folds say of each row."""
        cv = self.cv
        if isinstance(cv, Integral):
            counts = np.bincount(given)
            if counts.min() < cv:
                label = np.unique(y).tolist()[counts.argmin()]
                raise ValueError(
                    f"{type(self).__name__}: the class {label!r} has {counts.min()} row(s), fewer "
                    f"than the {cv} folds, so some classifier would not know it. Take a smaller "
                    "cv, or leave the class out before."
                )
            cv = StratifiedKFold(cv, shuffle=True, random_state=self.random_state)
        folds = list(check_cv(cv, y, classifier=True).split(X, y))
        estimator = (
            clone(self.estimator) if self.estimator is not None else self._line(given, folds)
        )
        proba = cross_val_predict(
            estimator, X, y, cv=folds, method="predict_proba", n_jobs=self.n_jobs
        )
        if not np.isfinite(proba).all():
            row = int(np.flatnonzero(~np.isfinite(proba).all(axis=1))[0])
            raise ValueError(
                f"{type(self).__name__}: {type(estimator).__name__} gave no probability for row "
                f"{row}. Take a classifier whose predict_proba is finite."
            )
        return proba

    def _line(self, given, folds):
        """Return the default classifier."""
        n_rows = len(folds[0][0])
        least = min(np.bincount(given[rows], minlength=given.max() + 1).min() for rows, _ in folds)
        if least < INNER_FOLDS:
            line = LogisticRegression(C=STRENGTHS[0] / n_rows, max_iter=1000)
        else:
            line = LogisticRegressionCV(
                Cs=STRENGTHS / n_rows,
                cv=INNER_FOLDS,
                scoring="neg_log_loss",
                max_iter=1000,
                l1_ratios=(0.0,),
                use_legacy_attributes=False,
            )
        return make_pipeline(FillBlocks(modalities=self.modalities), StandardScaler(), line)


def stand_among(proba, given):
    """Compare each probability with what rows of that label have on average.

    Parameters
    ----------
    proba : ndarray of float of shape (n_samples, n_classes)
        Out-of-fold probabilities.
    given : ndarray of int of shape (n_samples,)
        Numbers of the labels, each of which occurs.

    Returns
    -------
    ndarray of float of shape (n_samples, n_classes)
        From 1 on, a row is as surely of a class as those with its label are.
    """
    averages = np.array([proba[given == k, k].mean() for k in range(proba.shape[1])])
    return proba / np.maximum(averages, TINY)


def estimate_joint(standing, given):
    """Estimate how often each label stands on rows of each class.

    Parameters
    ----------
    standing : ndarray of float of shape (n_samples, n_classes)
        As ``stand_among`` gives it.
    given : ndarray of int of shape (n_samples,)
        Numbers of the labels, each of which occurs.

    Returns
    -------
    ndarray of float of shape (n_classes, n_classes)
        Shares that sum to one; each label's sum to its own share.
    """
    n_classes = standing.shape[1]
    own = np.arange(n_classes) == given[:, None]
    # equal probabilities may miss their mean by the last digit; a tie is for the label
    standing = standing + 1e-9 + 1e-9 * own
    counted = (standing >= 1).any(axis=1)
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (given[counted], standing[counted].argmax(axis=1)), 1)
    unsure = counts.sum(axis=1) == 0  # no row of the label is surely of anything: it stands
    counts[unsure, unsure] = 1
    sizes = np.bincount(given, minlength=n_classes)
    return counts / counts.sum(axis=1, keepdims=True) * sizes[:, None] / len(given)


def find_wrong(proba, standing, given, joint, prune="noise_rate"):
    """Find the rows that bear a wrong label.

    Parameters
    ----------
    proba : ndarray of float of shape (n_samples, n_classes)
        Out-of-fold probabilities.
    standing : ndarray of float of shape (n_samples, n_classes)
        As ``stand_among`` gives it.
    given : ndarray of int of shape (n_samples,)
        Numbers of the labels.
    joint : ndarray of float of shape (n_classes, n_classes)
        As ``estimate_joint`` gives it.
    prune : {"noise_rate", "class", "both"}, default="noise_rate"
        As the parameter of the filter.

    Returns
    -------
    wrong : ndarray of int of shape (n_wrong,)
        Numbers of the rows, in order.
    suggested : ndarray of int of shape (n_samples,)
        Of each row, the class that stands highest but for its label.
    """
    rows, n_classes = np.arange(len(given)), proba.shape[1]
    by_rate, by_class = np.zeros((2, len(given)), dtype=bool)
    n_rows = np.rint(joint * len(given)).astype(int)
    for k in range(n_classes):
        here = np.flatnonzero(given == k)
        own = standing[here, k]
        n_wrong = n_rows[k].sum() - n_rows[k, k]
        by_class[here[np.argsort(own, kind="stable")[:n_wrong]]] = True
        for other in np.flatnonzero(np.arange(n_classes) != k):
            margins = own - standing[here, other]
            by_rate[here[np.argsort(margins, kind="stable")[: n_rows[k, other]]]] = True
    chosen = {"noise_rate": by_rate, "class": by_class, "both": by_rate & by_class}[prune]
    others = np.where(np.arange(n_classes) == given[:, None], -np.inf, standing)
    suggested = others.argmax(axis=1)
    contradicted = np.logical_and(
        *(values[rows, suggested] > values[rows, given] for values in (proba, standing))
    )
    return np.flatnonzero(chosen & contradicted), suggested
