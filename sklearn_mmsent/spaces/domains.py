"""Domain: what one parameter may be, in the forms that different searches take."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real

PLAIN = (str, bool, int, float, type(None))  #: Types of what a study can store.


class Choices:
    """Some values, each under a label that a study can store.

    Parameters
    ----------
    values : mapping or list
        Values by label; those of a list are labelled by themselves, or by how they are written.
    """

    def __init__(self, values):
        if isinstance(values, Mapping):
            self.values = dict(values)
        else:
            pairs = [(_label(value), value) for value in values]
            self.values = dict(pairs)
            if len(self.values) < len(pairs):
                raise ValueError(
                    f"two of the choices {list(values)!r} look the same; give them labels: "
                    "{'first': ..., 'second': ...}."
                )
        if not self.values:
            raise ValueError("there is nothing to choose from: the list of choices is empty.")

    @property
    def constant(self):
        """Whether there is one value only."""
        return len(self.values) == 1

    def value(self, label):
        """Return the value under a label."""
        return self.values[label]

    def label(self, value):
        """Return the label of a value; KeyError if there is none."""
        wanted = _label(value)
        for label, own in self.values.items():
            if own is value or _label(own) == wanted:
                return label
        raise KeyError(value)

    def only(self, labels):
        """Return the choices under some labels."""
        return Choices({label: self.values[label] for label in self.values if label in labels})

    def grid(self, n_values):
        """Return the values."""
        return list(self.values.values())

    def random(self):
        """Return the values, among which scikit-learn's searches draw."""
        return list(self.values.values())

    def distribution(self):
        """Return Optuna's distribution of the labels."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(list(self.values))

    def describe(self):
        """Return what tells this domain from others, as plain values."""
        return list(self.values)

    def __repr__(self):
        return repr(list(self.values))


@dataclass(frozen=True)
class Range:
    """All numbers between two.

    Parameters
    ----------
    low, high : int or float
        The ends, both of them included.
    log : bool, default=False
        Whether all orders of magnitude are equally likely.
    """

    low: Real
    high: Real
    log: bool = False

    constant = False

    def __post_init__(self):
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"a range goes from a number to a larger one; got {self!r}.")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range must begin above 0; got {self!r}.")

    @property
    def integer(self):
        """Whether it holds integers only."""
        return isinstance(self.low, Integral) and isinstance(self.high, Integral)

    def value(self, label):
        """Return the number, which is its own label."""
        return label

    def label(self, value):
        """Return the number; KeyError if it lies outside."""
        if not isinstance(value, Real) or not self.low <= value <= self.high:
            raise KeyError(value)
        return value

    def grid(self, n_values):
        """Return numbers at equal distances, or ratios, both ends among them."""
        import numpy as np

        space = np.geomspace if self.log else np.linspace
        values = space(self.low, self.high, n_values).tolist()
        if n_values > 1:
            values[0], values[-1] = float(self.low), float(self.high)  # but for rounding
        return sorted({round(value) for value in values}) if self.integer else values

    def random(self):
        """Return scipy's distribution."""
        from scipy.stats import loguniform, randint, uniform

        if self.integer:
            return (
                LogIntegers(self.low, self.high) if self.log else randint(self.low, self.high + 1)
            )
        if self.log:
            return loguniform(self.low, self.high)
        return uniform(self.low, self.high - self.low)

    def distribution(self):
        """Return Optuna's distribution."""
        from optuna.distributions import FloatDistribution, IntDistribution

        kind = IntDistribution if self.integer else FloatDistribution
        return kind(self.low, self.high, log=self.log)

    def describe(self):
        """Return what tells this domain from others, as plain values."""
        return [self.low, self.high, "log" if self.log else "linear"]


class LogIntegers:
    """Integers between two, small ones as likely as large ones; of the form of scipy's.

    Parameters
    ----------
    low, high : int
        The ends, both of them included.
    """

    def __init__(self, low, high):
        self.low, self.high = low, high

    def rvs(self, random_state=None):
        """Draw one."""
        from sklearn.utils import check_random_state

        ends = math.log(self.low - 0.5), math.log(self.high + 0.5)
        drawn = math.exp(check_random_state(random_state).uniform(*ends))
        return int(min(max(round(drawn), self.low), self.high))


class DependsOn:
    """Let the values of a parameter depend on what another one is.

    For the values of a :class:`SearchSpace`.

    Parameters
    ----------
    parameter : str
        The other parameter, of which the space lists choices.
    cases : mapping
        What there is to try for some choices of the other: lists, or whatever else a
        :class:`SearchSpace` takes. A choice that is no plain value goes by its label.
    otherwise : list, distribution or None, default=None
        What there is to try for all other choices; with None, the parameter is left as the
        estimator has it.

    See Also
    --------
    SearchSpace : Holds it.

    Examples
    --------
    >>> from sklearn_mmsent.spaces import DependsOn, SearchSpace
    >>> rank = DependsOn("fusion", {"low_rank": [{"rank": 2}, {"rank": 8}]}, otherwise=[None])
    >>> space = SearchSpace({"fusion": ["concat", "low_rank"], "fusion_params": rank})
    >>> [len(grid["fusion_params"]) for grid in space.for_grid()]
    [1, 2]
    """

    def __init__(self, parameter, cases, otherwise=None):
        self.parameter = parameter
        self.cases = {label: as_domain(case) for label, case in cases.items()}
        self.otherwise = None if otherwise is None else as_domain(otherwise)
        for domain in (*self.cases.values(), self.otherwise):
            if isinstance(domain, DependsOn):
                raise ValueError(
                    "DependsOn: a case cannot depend on yet another parameter; let the parameter "
                    "that is depended on depend on it."
                )

    def case(self, label):
        """Return what there is to try where the other parameter has a label, or None."""
        return self.cases.get(label, self.otherwise)

    def describe(self):
        """Return what tells this domain from others, as plain values."""
        cases = [[label, case.describe()] for label, case in self.cases.items()]
        return [self.parameter, cases, self.otherwise and self.otherwise.describe()]

    def __repr__(self):
        return f"DependsOn({self.parameter!r}, {self.cases!r}, otherwise={self.otherwise!r})"


def as_domain(value):
    """Turn what a user writes into a domain.

    Parameters
    ----------
    value : list, mapping, distribution, Range, Choices or DependsOn
        Choices, or a distribution of Optuna or scipy.

    Returns
    -------
    Choices, Range or DependsOn
    """
    if isinstance(value, (Choices, Range, DependsOn)):
        return value
    if isinstance(value, Mapping):
        return Choices(value)
    found = _from_optuna(value) or _from_scipy(value)
    if found is not None:
        return found
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise TypeError(
            "a search space takes lists of values, mappings of labels to values, DependsOn(...), "
            "Optuna's distributions, and of scipy's uniform, loguniform and randint. Got "
            f"{value!r} instead; is it a single value? Then write [{value!r}]."
        )
    return Choices(list(value))


def _from_optuna(value):
    if type(value).__module__ != "optuna.distributions":
        return None
    if hasattr(value, "choices"):
        return Choices(list(value.choices))
    if value.single():
        return Choices([value.low])
    if value.step is not None and not (
        type(value).__name__ == "IntDistribution" and value.step == 1
    ):
        n_steps = math.floor((value.high - value.low) / value.step + 1e-9)
        return Choices([value.low + i * value.step for i in range(n_steps + 1)])
    return Range(value.low, value.high, log=value.log)


def _from_scipy(value):
    name = getattr(getattr(value, "dist", None), "name", None)
    if name is None:
        return None
    low, high = value.support()
    if name in ("loguniform", "reciprocal", "uniform"):
        return Range(float(low), float(high), log=name != "uniform")
    if name == "randint":
        return Range(int(low), int(high))
    raise TypeError(
        f"a search space takes scipy's uniform, loguniform and randint; got {name}. Write the "
        "range that it covers as one of these, or list some values."
    )


def _label(value):
    """Return a value itself where a study can store it, else how it is written."""
    if hasattr(value, "item") and not getattr(value, "shape", True):  # numpy's scalars
        value = value.item()
    if isinstance(value, PLAIN):
        return value
    if inspect.isclass(value) or inspect.isroutine(value):
        return value.__qualname__  # their repr holds an address
    return " ".join(repr(value).split())
