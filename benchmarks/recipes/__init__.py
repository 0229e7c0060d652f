"""One fixed system for each real data set, with what it has to beat.

A module each, with the recipes of its data set in ``RECIPES``. All was chosen on training and
validation rows; what was tried is told by the recipe itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module

#: In the order of the page.
MODULES = ("mosi", "mvsa", "imdb", "ravdess", "hazumi")


@dataclass(frozen=True)
class Recipe:
    """A data set, the system that is scored on it, and its rivals.

    Parameters
    ----------
    name : str
        What the page calls it, such as "ravdess:speech".
    load : callable
        Maps the folder of all data and one for features to a Bunch with ``X`` (DataFrame), ``y``,
        ``groups`` and ``split`` (of "train", "val" and "test").
    systems : callable
        Maps the Bunch to a dict of unfitted estimators by name: the system first, then what it is
        compared with, single modalities under the name "text alone" and so on, and its own members.
    score : callable
        Maps true and predicted targets to a dict of scores.
    targets : dict of str to (str, float)
        For each score that has one, the operator (">=", ">" or "<=") and the number to reach.
    published : dict of str to dict
        Scores of others on the same rows, by their names.
    folds : callable or None, default=None
        Maps the Bunch to (train, test) pairs of row numbers, where the protocol is a
        cross-validation; None scores the test part.
    tried : str, default=""
        Markdown: what was tried, with the scores on validation rows that decided.
    """

    name: str
    load: Callable
    systems: Callable
    score: Callable
    targets: dict
    published: dict = field(default_factory=dict)
    folds: Callable | None = None
    tried: str = ""


def all_recipes():
    """Return the recipes of all modules by their names, in the order of the page."""
    modules = [import_module(f"recipes.{name}") for name in MODULES]
    return {recipe.name: recipe for module in modules for recipe in module.RECIPES}
