"""What goes to ``fit`` beside rows and targets, by the names under which an estimator takes it."""

from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter


def fit_metadata(estimator, **metadata):
    """Keep the metadata that an estimator's ``fit`` takes, and name it as it wants it named.

    A pipeline takes it for its last step, as ``<step>__groups``; a search for what it searches, and
    groups for its splitter where that asks for them. With metadata routing on, what is requested is
    handed over under its own name.

    Parameters
    ----------
    estimator : estimator
        It is not fitted.
    **metadata : array-like of shape (n_samples,) or None
        Such as ``groups`` or ``sample_weight``; None is left out.

    Returns
    -------
    dict of str to array-like
        Keyword arguments of ``fit``.
    """
    given = {name: value for name, value in metadata.items() if value is not None}
    if _routing_enabled():
        taken = get_routing_for_object(estimator).consumes("fit", given)
        return {name: value for name, value in given.items() if name in taken}
    return {name: given[key] for key in given for name in _names(estimator, key)}


def _names(estimator, key):
    """Return the name of a piece of metadata in ``fit``, in a list; an empty one if it has none."""
    if hasattr(estimator, "steps"):
        step, final = estimator.steps[-1]
        return [f"{step}__{name}" for name in _names(final, key)]
    if has_fit_parameter(estimator, key):
        return [key]
    if not isinstance(estimator, BaseSearchCV):
        return []
    if key == "groups":  # without routing they are for the splitter alone
        return [key] if _splits_by_groups(estimator) else []
    return _names(estimator.estimator, key)


def _splits_by_groups(search):
    splitters = [pair.router for name, pair in search.get_metadata_routing() if name == "splitter"]
    return any(splitter.consumes("split", ["groups"]) for splitter in splitters)
