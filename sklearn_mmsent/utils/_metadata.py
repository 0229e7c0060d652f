"""What goes to ``fit`` beside rows and targets, by the names under which an estimator takes it."""

from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from sklearn_mmsent.utils._sklearn import BaseSearchCV, _routing_enabled, _UnsupportedGroupCVMixin


def fit_metadata(estimator, /, **metadata):
    """Keep the metadata that an estimator's ``fit`` takes, and name it as it wants it named.

    A pipeline takes it for its last step, as ``<step>__groups``, and for others under a name that
    begins with theirs. A search takes it for what it searches; groups for its splitter where that
    asks for them, and for the last step of a pipeline that it searches. With metadata routing on,
    what is requested is handed over under its own name.

    Parameters
    ----------
    estimator : estimator
        It is not fitted.
    **metadata : object
        Such as ``groups`` or ``sample_weight``; None is left out.

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
    if key == "groups":  # under this name they are for the splitter alone
        names = [name for name in names if name != key]
        return [key, *names] if _splits_by_groups(estimator) else names
    return names


def _splits_by_groups(search):
    if hasattr(search.cv, "split"):
        return not isinstance(search.cv, _UnsupportedGroupCVMixin)
    # a number of folds keeps groups together only where the search says so
    splitters = [pair.router for name, pair in search.get_metadata_routing() if name == "splitter"]
    return any(splitter.consumes("split", ["groups"]) for splitter in splitters)
