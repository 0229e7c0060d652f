"""Domains: the values of one parameter, in the formats of different searches."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real

PLAIN = (str, bool, int, float, type(None))  #: Types of values that a study can store.


class Choices:
    """Finite set of values, each with a label that a study can store.

    Parameters
    ----------
    values : mapping or list
        Values by label; a value of a list is its own label, or its ``repr`` if a study cannot
        store it.
    """

    def __init__(self, values):
        if isinstance(values, Mapping):
            self.values = dict(values)
        else:
            pairs = [(_label(value), value) for value in values]
            self.values = dict(pairs)
            if len(self.values) < len(pairs):
                raise ValueError(
                    f"two of the choices {list(values)!r} have the same repr; give them labels: "
                    "{'first': ..., 'second': ...}."
                )
        if not self.values:
            raise ValueError("the list of choices is empty.")

    @property
    def constant(self):
        """Whether there is only one value."""
        return len(self.values) == 1

    def value(self, label):
        """Return the value with a label."""
        return self.values[label]

    def label(self, value):
        """Return the label of a value; raise KeyError if there is none."""
        wanted = _label(value)
        for label, choice in self.values.items():
            if choice is value or _label(choice) == wanted:
                return label
        raise KeyError(value)

    def only(self, labels):
        """Return the choices with given labels."""
        return Choices({label: self.values[label] for label in self.values if label in labels})

    def grid(self, n_values):
        """Return the values."""
        return list(self.values.values())

    def random(self):
        """Return the values, from which searches of scikit-learn sample."""
        return list(self.values.values())

    def distribution(self):
        """Return the distribution of the labels for Optuna."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(list(self.values))

    def describe(self):
        """Return an identifying description of the domain, as plain values."""
        return list(self.values)

    def __repr__(self):
        return repr(list(self.values))


@dataclass(frozen=True)
class Range:
    """Interval of numbers.

    Parameters
    ----------
    low, high : int or float
        Both ends, inclusive.
    log : bool, default=False
        Whether values are distributed log-uniformly.
    """

    low: Real
    high: Real
    log: bool = False

    constant = False

    def __post_init__(self):
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"a range requires finite low < high; got {self!r}.")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range requires low > 0; got {self!r}.")

    @property
    def integer(self):
        """Whether it contains only integers."""
        return isinstance(self.low, Integral) and isinstance(self.high, Integral)

    def value(self, label):
        """Return the number, which is its own label."""
        return label

    def label(self, value):
        """Return the number; raise KeyError if it is out of range."""
        if not isinstance(value, Real) or not self.low <= value <= self.high:
            raise KeyError(value)
        return value

    def grid(self, n_values):
        """Return equally spaced numbers, on a log scale if `log`, including both ends."""
        import numpy as np

        space = np.geomspace if self.log else np.linspace
        values = space(self.low, self.high, n_values).tolist()
        if n_values > 1:
            values[0], values[-1] = float(self.low), float(self.high)  # undo rounding
        return sorted({round(value) for value in values}) if self.integer else values

    def random(self):
        """Return a distribution of scipy."""
        from scipy.stats import loguniform, randint, uniform

        if self.integer:
            return (
                LogIntegers(self.low, self.high) if self.log else randint(self.low, self.high + 1)
            )
        if self.log:
            return loguniform(self.low, self.high)
        return uniform(self.low, self.high - self.low)

    def distribution(self):
        """Return a distribution of Optuna."""
        from optuna.distributions import FloatDistribution, IntDistribution

        kind = IntDistribution if self.integer else FloatDistribution
        return kind(self.low, self.high, log=self.log)

    def describe(self):
        """Return an identifying description of the domain, as plain values."""
        return [self.low, self.high, "log" if self.log else "linear"]


class LogIntegers:
    """Log-uniform distribution of integers, with the interface of scipy.

    Parameters
    ----------
    low, high : int
        Both ends, inclusive.
    """

    def __init__(self, low, high):
        self.low, self.high = low, high

    def rvs(self, random_state=None):
        """Draw one integer."""
        from sklearn.utils import check_random_state

        ends = math.log(self.low - 0.5), math.log(self.high + 0.5)
        drawn = math.exp(check_random_state(random_state).uniform(*ends))
        return int(min(max(round(drawn), self.low), self.high))


class DependsOn:
    """Values of a parameter that depend on the value of another one, in a :class:`SearchSpace`.

    Parameters
    ----------
    parameter : str
        Name of the other parameter, whose domain must be a list of choices.
    cases : mapping
        Domain by choice of the other parameter: a list, or anything else that
        :class:`SearchSpace` accepts. A choice that a study cannot store is given by its label.
    otherwise : list, distribution or None, default=None
        Domain for all other choices; with None, the parameter keeps the value of the
        estimator.

    See Also
    --------
    SearchSpace : Contains it.

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
                    "DependsOn: a case cannot depend on another parameter; let the parameter that "
                    "it depends on depend on it instead."
                )

    def case(self, label):
        """Return the domain for a label of the other parameter, or None."""
        return self.cases.get(label, self.otherwise)

    def describe(self):
        """Return an identifying description of the domain, as plain values."""
        cases = [[label, case.describe()] for label, case in self.cases.items()]
        return [self.parameter, cases, self.otherwise and self.otherwise.describe()]

    def __repr__(self):
        return f"DependsOn({self.parameter!r}, {self.cases!r}, otherwise={self.otherwise!r})"


def as_domain(value):
    """Convert a specification to a domain.

    Parameters
    ----------
    value : list, mapping, distribution, Range, Choices or DependsOn
        Choices, or a distribution of Optuna or scipy.

    Returns
    -------
    Choices, Range or DependsOn

    Raises
    ------
    TypeError
        If the value is none of these, or another distribution of scipy.
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
            "expected a list of values, a mapping of labels to values, DependsOn(...), a "
            "distribution of Optuna, or uniform, loguniform or randint of scipy; got "
            f"{value!r}. Write a single value as [{value!r}]."
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
        f"only uniform, loguniform and randint of scipy are supported; got {name}. Use one of "
        "these for its range, or list values."
    )


def _label(value):
    """Return a value if a study can store it, else its ``repr`` or name."""
    if hasattr(value, "item") and not getattr(value, "shape", True):  # numpy's scalars
        value = value.item()
    if isinstance(value, PLAIN):
        return value
    if inspect.isclass(value) or inspect.isroutine(value):
        return value.__qualname__  # their repr contains an address
    return " ".join(repr(value).split())
