"""Metadata of ``fit``, by the names under which an estimator accepts it."""

from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from sklearn_mmsent.utils._sklearn import BaseSearchCV, _routing_enabled, _UnsupportedGroupCVMixin


def fit_metadata(estimator, /, **metadata):
    """Select the metadata that an estimator's ``fit`` accepts, under the names that it expects.

    A pipeline accepts it for its last step, as ``<step>__groups``, and for other steps under a name
    with their prefix. A search accepts it for the estimator that it searches, and groups also for
    its splitter if that uses them. With metadata routing enabled, requested metadata keeps its
    name.

    Parameters
    ----------
    estimator : estimator
        Not fitted here.
    **metadata : object
        Such as ``groups`` or ``sample_weight``; None is dropped.

    Returns
    -------
    dict of str to object
        Keyword arguments of ``fit``.
    """
    given = {name: value for name, value in metadata.items() if value is not None}
    if _routing_enabled():
        taken = get_routing_for_object(estimator).consumes("fit", given)
        return {name: value for name, value in given.items() if name in taken}
    return {name: given[key] for key in given for name in _names(estimator, key)}


def _names(estimator, key):
    """Return the names of a piece of metadata in ``fit``; an empty list if it has none."""
    if hasattr(estimator, "steps"):
        if key.partition("__")[0] in dict(estimator.steps):
            return [key]
        step, final = estimator.steps[-1]
        return [f"{step}__{name}" for name in _names(final, key)]
    if has_fit_parameter(estimator, key):
        return [key]
    if not isinstance(estimator, BaseSearchCV):
        return []
    names = _names(estimator.estimator, key)
    if key == "groups":  # under this name, only the splitter reads them
        names = [name for name in names if name != key]
        return [key, *names] if _splits_by_groups(estimator) else names
    return names


def _splits_by_groups(search):
    if hasattr(search.cv, "split"):
        return not isinstance(search.cv, _UnsupportedGroupCVMixin)
    # a number of folds keeps groups together only if the search does
    splitters = [pair.router for name, pair in search.get_metadata_routing() if name == "splitter"]
    return any(splitter.consumes("split", ["groups"]) for splitter in splitters)
