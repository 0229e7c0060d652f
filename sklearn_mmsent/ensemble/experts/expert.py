"""Experts: their names, their estimators, and the modalities that they read."""

from dataclasses import dataclass

from sklearn.base import is_classifier, is_regressor
from sklearn.utils import get_tags

from sklearn_mmsent.compose import FillBlocks, Pipeline
from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils._sklearn import BaseSearchCV, _BaseImputer

USAGE = (
    "Pass one estimator, to be cloned for each modality, or a list of (name, estimator) and "
    "(name, estimator, modalities), such as [('words', clf, 'text'), ('both', clf, ['text', "
    "'image'])]"
)


@dataclass(frozen=True)
class Expert:
    """Estimator that reads some modalities of a table.

    Parameters
    ----------
    name : str
        Its name.
    estimator : estimator
        Unfitted or fitted.
    modalities : tuple of str or None
        Modalities that it reads; None is the whole table.
    """

    name: str
    estimator: object
    modalities: tuple | None = None

    def __str__(self):
        return f"{self.name!r} ({type(final_step(self.estimator)).__name__})"


def make_experts(given, table, *, classifier, owner):
    """Return the experts of the parameter `experts` of an ensemble.

    Raise an error for invalid or duplicated names, unknown modalities, and estimators of the other
    kind.
    """
    if not isinstance(given, list):
        if table.layout is None:
            raise BlockError(
                f"{owner}: one estimator for each modality needs a numeric table whose column "
                "names give the modalities; this table has raw cells. Put make_extractor(...) "
                "before the ensemble, or pass a list of (name, pipeline) tuples that read raw rows."
            )
        given = [(name, given, name) for name in table.layout.modalities]
    experts = [_make_expert(entry, table, owner) for entry in given]
    names = [expert.name for expert in experts]
    if not names:
        raise ValueError(f"{owner}: the list of experts is empty. {USAGE}.")
    if duplicates := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{owner}: two experts have the name {duplicates[0]!r}. {USAGE}.")
    for expert in experts:
        is_other = is_regressor if classifier else is_classifier
        if is_other(expert.estimator):
            kinds = ("a regressor", "a classifier")
            kind, expected = kinds if classifier else kinds[::-1]
            raise ValueError(f"{owner}: the expert {expert} is {kind}; it must be {expected}.")
    return experts


def _make_expert(entry, table, owner):
    is_valid = isinstance(entry, tuple) and len(entry) in (2, 3) and isinstance(entry[0], str)
    if not is_valid or not hasattr(entry[1], "fit"):
        raise ValueError(f"{owner}: invalid expert {entry!r}. {USAGE}.")
    name, estimator = entry[:2]
    if not name or "__" in name:
        raise ValueError(
            f"{owner}: the name {name!r} of an expert must not be empty or contain '__'."
        )
    if len(entry) == 2:
        return Expert(name, estimator)
    modalities = (entry[2],) if isinstance(entry[2], str) else tuple(entry[2])
    table.check_modalities(modalities, name, owner)
    return Expert(name, estimator, modalities)


def accepts_nan(estimator):
    """Return whether an estimator accepts a table with NaN; False where unknown.

    All steps of a pipeline must, up to the first imputer; of a search its estimator.
    """
    if isinstance(estimator, BaseSearchCV):
        return accepts_nan(estimator.estimator)
    if not hasattr(estimator, "steps"):
        return get_tags(estimator).input_tags.allow_nan
    for _, step in estimator.steps:
        if isinstance(step, FillBlocks | _BaseImputer):
            return True
        if step not in (None, "passthrough") and not accepts_nan(step):
            return False
    return True


def with_imputation(estimator, table):
    """Return an estimator that can read a table, behind `FillBlocks` if it must, and the prefix of
    its parameters.
    """
    if table.layout is None or accepts_nan(estimator):
        return estimator, ""
    fill = FillBlocks(modalities=table.fill_modalities)
    return Pipeline([("fill", fill), ("predict", estimator)]), "predict__"
