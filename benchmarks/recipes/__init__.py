"""One fixed system per real data set, with targets and published results.

Each module has the recipes of its data set in ``RECIPES``. Systems were chosen on training and
validation rows; the recipe documents the alternatives.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module

#: Order of the page.
MODULES = ("mosi", "mvsa", "imdb", "ravdess", "hazumi")


@dataclass(frozen=True)
class Recipe:
    """A data set, its system, and the models that it is compared with.

    Parameters
    ----------
    name : str
        Name on the page, such as "ravdess:speech".
    load : callable
        Maps the folder of all data sets and a cache folder to a Bunch with ``X`` (DataFrame),
        ``y``, ``groups`` and ``split`` ("train", "val" or "test").
    systems : callable
        Maps the Bunch to a dict of unfitted estimators by name: the system first, then single
        modalities, named "text alone" and so on, and members of the system.
    score : callable
        Maps true and predicted targets to a dict of scores.
    targets : dict of str to (str, float)
        Operator (">=", ">" or "<=") and target value by score.
    published : dict of str to dict
        Scores by others on the same rows, by the name of the method.
    folds : callable or None, default=None
        Maps the Bunch to (train, test) pairs of row indices for a cross-validation; None scores
        the test part.
    tried : str, default=""
        Markdown: alternatives and their scores on validation rows.
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
    """Return all recipes by name, in the order of the page."""
    modules = [import_module(f"recipes.{name}") for name in MODULES]
    return {recipe.name: recipe for module in modules for recipe in module.RECIPES}
