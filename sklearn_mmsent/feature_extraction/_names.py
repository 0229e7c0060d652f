"""Names of columns, alike in all extractors."""


def numbered(prefix, n):
    """Return n names with numbers of equal length, at least three digits."""
    n_digits = max(3, len(str(n - 1)))
    return [f"{prefix}{i:0{n_digits}}" for i in range(n)]


def statistic_names(names, statistics):
    """Return the names of each feature's statistics over time."""
    return [f"{name}_{statistic}" for name in names for statistic in statistics]


def part_names(names, n_parts):
    """Return the names of the features in each part of a clip; of one part, as they are."""
    if n_parts == 1:
        return list(names)
    n_digits = len(str(n_parts - 1))
    return [f"{name}_part{part:0{n_digits}}" for part in range(n_parts) for name in names]


def step_names(names, n_steps):
    """Return the names of the features at each step of a sequence."""
    n_digits = len(str(n_steps - 1))
    return [f"{name}@{step:0{n_digits}}" for step in range(n_steps) for name in names]
