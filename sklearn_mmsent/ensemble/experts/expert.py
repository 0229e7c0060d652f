"""Who the experts are: their names, their estimators, and the modalities that they read."""

from dataclasses import dataclass

from sklearn.base import is_classifier, is_regressor
from sklearn.utils import get_tags

from sklearn_mmsent.compose import FillBlocks, Pipeline
from sklearn_mmsent.compose.parts import final_step
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.utils._sklearn import BaseSearchCV, _BaseImputer

HOW_TO_NAME = (
    "Give one estimator, of which each modality gets a clone, or a list of (name, estimator) and "
    "(name, estimator, modalities), such as [('words', clf, 'text'), ('both', clf, ['text', "
    "'image'])]"
)


@dataclass(frozen=True)
class Expert:
    """An estimator that reads some modalities of a table.

    Parameters
    ----------
    name : str
        Its name.
    estimator : estimator
        Unfitted.
    modalities : tuple of str or None
        What it reads; None is the whole table.
    """

    name: str
    estimator: object
    modalities: tuple | None = None

    def __str__(self):
        return f"{self.name!r} ({type(final_step(self.estimator)).__name__})"


def name_experts(given, table, *, classifier, owner):
    """Turn what the user gave into experts.

    Parameters
    ----------
    given : estimator or list of tuple
        One estimator for each modality, or (name, estimator[, modalities]) tuples.
    table : ExpertTable
        What they are to read.
    classifier : bool
        Whether they are to tell classes.
    owner : str
        Who asks, for messages.

    Returns
    -------
    list of Expert
        In the order given, or that of the modalities.

    Raises
    ------
    ValueError, BlockError
        If names stand twice, modalities are unknown, or an estimator does another task.
    """
    if not isinstance(given, list):
        if table.layout is None:
            raise BlockError(
                f"{owner}: one estimator for each modality needs a table of numbers, whose column "
                "names tell the modalities; this one has raw cells. Put make_extractor(...) before "
                "it, or give a list of (name, pipeline) tuples that read raw rows."
            )
        given = [(name, given, name) for name in table.layout.modalities]
    experts = [_read_entry(entry, table, owner) for entry in given]
    names = [expert.name for expert in experts]
    if not names:
        raise ValueError(f"{owner}: the list of experts is empty. {HOW_TO_NAME}.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{owner}: two experts have the name {twice[0]!r}. {HOW_TO_NAME}.")
    for expert in experts:
        is_other = is_regressor if classifier else is_classifier
        if is_other(expert.estimator):
            kinds = ("a regressor", "a classifier")
            is_kind, wanted = kinds if classifier else kinds[::-1]
            raise ValueError(f"{owner}: the expert {expert} is {is_kind}; it must be {wanted}.")
    return experts


def _read_entry(entry, table, owner):
    fine = isinstance(entry, tuple) and len(entry) in (2, 3) and isinstance(entry[0], str)
    if not fine or not hasattr(entry[1], "fit"):
        raise ValueError(f"{owner}: {entry!r} is no expert. {HOW_TO_NAME}.")
    name, estimator = entry[:2]
    if not name or "__" in name:
        raise ValueError(f"{owner}: the name {name!r} of an expert must not be empty or have '__'.")
    if len(entry) == 2:
        return Expert(name, estimator)
    modalities = (entry[2],) if isinstance(entry[2], str) else tuple(entry[2])
    table.check_modalities(modalities, name, owner)
    return Expert(name, estimator, modalities)


def reads_gaps(estimator):
    """Tell whether an estimator takes a table with NaN.

    Of a pipeline each step must, up to one that fills; of a search, what it searches.

    Parameters
    ----------
    estimator : estimator
        Unfitted.

    Returns
    -------
    bool
        False where in doubt.
    """
    if isinstance(estimator, BaseSearchCV):
        return reads_gaps(estimator.estimator)
    if not hasattr(estimator, "steps"):
        return get_tags(estimator).input_tags.allow_nan
    for _, step in estimator.steps:
        if isinstance(step, FillBlocks | _BaseImputer):
            return True
        if step not in (None, "passthrough") and not reads_gaps(step):
            return False
    return True


def behind_fill(estimator, table):
    """Let an estimator read a table.

    Parameters
    ----------
    estimator : estimator
        Unfitted.
    table : ExpertTable
        Where it may have gaps that the estimator does not read, the latter goes behind
        `FillBlocks`.

    Returns
    -------
    estimator : estimator
        The same, or a pipeline.
    prefix : str
        What its parameters are called by there, in front.
    """
    if table.layout is None or reads_gaps(estimator):
        return estimator, ""
    fill = FillBlocks(modalities=table.how_to_fill)
    return Pipeline([("fill", fill), ("predict", estimator)]), "predict__"
