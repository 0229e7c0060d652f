"""SearchSpace."""

import json
from collections.abc import Mapping
from fractions import Fraction
from math import lcm

from sklearn_mmsent.spaces.domains import PLAIN, Choices, DependsOn, Range, as_domain

SEPARATOR = "__"


class SearchSpace(Mapping):
    """Parameters and their domains, for any search.

    One description is converted to the format of each kind of search. It is a mapping; ``|``
    merges two spaces, and the right one takes precedence.

    Parameters
    ----------
    parameters : mapping of str to list, mapping, distribution or DependsOn
        Domain by name of the parameter: a list of values; a mapping of labels to values, for
        values without a distinct ``repr``; a distribution of Optuna, or ``uniform``,
        ``loguniform`` or ``randint`` of scipy; or :class:`DependsOn` another parameter.

    See Also
    --------
    DependsOn : Domain that depends on another parameter.
    FusionSearchCV : Searches a space, including its conditions.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn_mmsent import FusionClassifier
    >>> from sklearn_mmsent.spaces import SearchSpace
    >>> space = SearchSpace({"lr": loguniform(1e-4, 1e-2), "hidden_size": [32, 64]})
    >>> [round(lr, 4) for lr in space.for_grid()[0]["lr"]]
    [0.0001, 0.001, 0.01]
    >>> wider = FusionClassifier.search_space() | {"hidden_size": [256]}
    >>> list(wider.prefixed("fusionclassifier"))[0]
    'fusionclassifier__fusion'
    """

    def __init__(self, parameters):
        self._domains = _domains(parameters)
        self._order = self._sorted()

    # -- mapping -----------------------------------------------------------------------------

    def __getitem__(self, name):
        return self._domains[name]

    def __iter__(self):
        return iter(self._domains)

    def __len__(self):
        return len(self._domains)

    def __or__(self, other):
        """Merge two spaces; drop conditions on removed choices."""
        domains = self._domains | _domains(other)
        for name, domain in domains.items():
            on = domains.get(getattr(domain, "parameter", None))
            if name not in other and isinstance(on, Choices):
                kept = {k: case for k, case in domain.cases.items() if k in on.values}
                domains[name] = DependsOn(domain.parameter, kept, domain.otherwise)
        return SearchSpace(domains)

    def __repr__(self):
        lines = [f"    {name!r}: {domain!r}," for name, domain in self._domains.items()]
        return "\n".join(["SearchSpace({", *lines, "})"])

    # -- for other searches ------------------------------------------------------------------

    def prefixed(self, step):
        """Return the space for a pipeline that contains the estimator.

        Parameters
        ----------
        step : str
            Name of the step.

        Returns
        -------
        SearchSpace
            Space with names such as ``step__lr``.
        """
        prefix = step.removesuffix(SEPARATOR) + SEPARATOR
        domains = {}
        for name, domain in self._domains.items():
            if isinstance(domain, DependsOn):
                domain = DependsOn(prefix + domain.parameter, domain.cases, domain.otherwise)
            domains[prefix + name] = domain
        return SearchSpace(domains)

    def for_grid(self, n_values=3):
        """Convert the space for :class:`~sklearn.model_selection.GridSearchCV`.

        Parameters
        ----------
        n_values : int, default=3
            Number of values of each range.

        Returns
        -------
        list of dict
            Names and lists of values; one dict per combination of conditions.
        """
        return [
            {name: domain.grid(n_values) for name, domain in branch.items()}
            for branch, _ in self._branches()
        ]

    def for_random(self):
        """Convert the space for the random searches of scikit-learn.

        Returns
        -------
        list of dict
            Names and lists of values or distributions of scipy; one dict per combination of
            conditions, repeated so that all choices stay equally likely.
        """
        branches = self._branches()
        drawn = [{n: d.random() for n, d in branch.items()} for branch, _ in branches]
        if not any(isinstance(d, Range) for branch, _ in branches for d in branch.values()):
            return drawn  # lists only: all combinations are equally likely
        shares = [share for _, share in branches]
        smallest = lcm(*(share.denominator for share in shares))
        return [
            d for d, share in zip(drawn, shares, strict=True) for _ in range(int(share * smallest))
        ]

    def for_optuna(self):
        """Convert the space for OptunaSearchCV of the package optuna-integration.

        It does not support conditions: conditional parameters keep the value of the estimator.

        Returns
        -------
        dict
            Names and distributions of Optuna.

        Raises
        ------
        ValueError
            If a choice is not a value that a study can store.
        """
        distributions = {}
        for name, domain in self._domains.items():
            if isinstance(domain, DependsOn):
                continue
            if isinstance(domain, Choices):
                for label, value in domain.values.items():
                    if label is not value and label != value:
                        raise ValueError(
                            f"SearchSpace: OptunaSearchCV cannot store {value!r}, a choice of "
                            f"{name!r}. Use FusionSearchCV, or remove the parameter."
                        )
            distributions[name] = domain.distribution()
        return distributions

    # -- for FusionSearchCV ------------------------------------------------------------------

    def suggest(self, trial):
        """Sample values with a trial of Optuna.

        Parameters
        ----------
        trial : optuna.Trial
            Trial that samples.

        Returns
        -------
        dict
            Names and values, for ``set_params``.
        """
        return self._walk(lambda name, domain: _suggest(trial, name, domain))

    def decode(self, stored):
        """Return the values of parameters that a study has stored.

        Parameters
        ----------
        stored : mapping
            ``params`` of a trial.

        Returns
        -------
        dict
            Names and values, for ``set_params``.

        Raises
        ------
        KeyError
            If the trial belongs to another space.
        """

        def choose(name, domain):
            domain.value(stored[name])
            return stored[name]

        return self._walk(choose)

    def encode(self, values):
        """Return values as a study stores them, without those that are not in the space.

        Parameters
        ----------
        values : mapping
            Names and values of parameters, or ``params`` of a trial of another study.

        Returns
        -------
        dict
            Parameters for ``enqueue_trial``.
        """
        found = {}

        def choose(name, domain):
            value = values.get(name, values.get(name.partition("[")[0], _MISSING))
            label = _MISSING if value is _MISSING else _find(domain, value)
            if label is not _MISSING:
                found[name] = label
            return label

        self._walk(choose)
        return found

    def describe(self):
        """Return an identifying description of the space, as one line of JSON."""
        domains = {name: domain.describe() for name, domain in sorted(self._domains.items())}
        return json.dumps(domains, default=str, sort_keys=True)

    # -- traversal ---------------------------------------------------------------------------

    def _walk(self, choose):
        """Choose values in order of dependence; return them by name."""
        labels, values = {}, {}
        for name in self._order:
            domain, stored_as = self._domains[name], name
            if isinstance(domain, DependsOn):
                label = labels.get(domain.parameter, _MISSING)
                if label is _MISSING:
                    continue
                which = f"{domain.parameter}={label}" if label in domain.cases else "otherwise"
                domain, stored_as = domain.case(label), f"{name}[{which}]"
            if domain is None:
                continue
            if domain.constant:
                (label,) = domain.values
            else:
                label = choose(stored_as, domain)
            if label is not _MISSING:
                labels[name], values[name] = label, domain.value(label)
        return {name: values[name] for name in self._domains if name in values}

    def _branches(self):
        """Return a flat space per combination of conditions, with its probability."""
        flat = {n: d for n, d in self._domains.items() if not isinstance(d, DependsOn)}
        branches = [(flat, Fraction(1))]
        for name in self._order:
            domain = self._domains[name]
            if isinstance(domain, DependsOn):
                branches = [part for branch in branches for part in _divide(*branch, name, domain)]
        order = list(self._domains)
        return [
            (dict(sorted(branch.items(), key=lambda item: order.index(item[0]))), share)
            for branch, share in branches
        ]

    def _sorted(self):
        """Check dependences; return the names in order of dependence."""
        order = []

        def visit(name, path):
            if name in path:
                raise ValueError(f"SearchSpace: {' depends on '.join([*path, name])}.")
            domain = self._domains[name]
            if isinstance(domain, DependsOn):
                self._check_condition(name, domain)
                visit(domain.parameter, [*path, name])
            if name not in order:
                order.append(name)

        for name in self._domains:
            visit(name, [])
        return order

    def _check_condition(self, name, domain):
        on = self._domains.get(domain.parameter)
        if on is None:
            raise ValueError(
                f"SearchSpace: {name!r} depends on {domain.parameter!r}, which is not in the "
                f"space; it has {', '.join(map(repr, self._domains))}."
            )
        if isinstance(on, Range):
            raise ValueError(
                f"SearchSpace: {name!r} depends on {domain.parameter!r}, which is a range; list "
                "its values instead."
            )
        possible = on.values if isinstance(on, Choices) else _labels_of_cases(on)
        unknown = [label for label in domain.cases if label not in possible]
        if unknown:
            raise ValueError(
                f"SearchSpace: {name!r} has a case for {domain.parameter}={unknown[0]!r}, which is "
                f"not a choice; the choices are {', '.join(map(repr, possible))}."
            )


def space_of(estimator, level="small"):
    """Return the search space of an estimator, or of the steps of a pipeline.

    Parameters
    ----------
    estimator : estimator
        Estimator with a method ``search_space``, or a pipeline with such steps.
    level : {"small", "full"}, default="small"
        Size of the space.

    Returns
    -------
    SearchSpace
        Empty if no step has one.
    """
    if hasattr(estimator, "search_space"):
        return estimator.search_space(level)
    space = SearchSpace({})
    for name, step in getattr(estimator, "steps", []):
        if hasattr(step, "search_space"):
            space = space | step.search_space(level).prefixed(name)
    return space


_MISSING = object()


def _domains(parameters):
    domains = {}
    for name, value in parameters.items():
        try:
            domains[name] = as_domain(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"SearchSpace: {name!r}: {error}") from None
    return domains


def _find(domain, value):
    """Return the label of a value; a stored label is returned unchanged."""
    try:
        return domain.label(value)
    except KeyError:
        stored = isinstance(domain, Choices) and isinstance(value, PLAIN)
        return value if stored and value in domain.values else _MISSING


def _suggest(trial, name, domain):
    if isinstance(domain, Choices):
        return trial.suggest_categorical(name, list(domain.values))
    kind = trial.suggest_int if domain.integer else trial.suggest_float
    return kind(name, domain.low, domain.high, log=domain.log)


def _labels_of_cases(domain):
    cases = [*domain.cases.values(), domain.otherwise]
    return {label for case in cases if isinstance(case, Choices) for label in case.values}


def _divide(branch, share, name, domain):
    """Divide a flat space by the cases of a conditional parameter."""
    on = branch.get(domain.parameter)
    if on is None:
        return [(branch, share)]
    groups = {}  # labels with the same case
    for label in on.values:
        groups.setdefault(id(domain.case(label)), []).append(label)
    parts = []
    for labels in groups.values():
        part = branch | {domain.parameter: on.only(labels)}
        case = domain.case(labels[0])
        part = part if case is None else part | {name: case}
        parts.append((part, share * Fraction(len(labels), len(on.values))))
    return parts
