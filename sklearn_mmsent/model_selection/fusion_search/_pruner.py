"""Pruner for trials that are trained at the same time."""

import numpy as np
from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import TrialState

#: Steps of a study below this are epochs of the first fold; multiples of it count finished folds.
FOLD = 1000
_COMPARED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class RacePruner(BasePruner):
    """Stop a trial that is not in the better part of all trials that reached its step.

    Running trials count as well, so that the trials of the first batch are pruned. Optuna's median,
    percentile and Hyperband pruners compare with complete trials; its successive halving pruner
    compares with running ones, but always promotes the first trial that asks.

    Parameters
    ----------
    keep_epochs : float, default=0.7
        Share of trials to keep after some epochs, when scores are still uncertain.
    keep_folds : float, default=0.5
        Share of trials to keep after a fold.
    n_others : int, default=5
        Number of other trials that must have reached a step before any trial is stopped.
    """

    def __init__(self, keep_epochs=0.7, keep_folds=0.5, n_others=5):
        self.keep_epochs = keep_epochs
        self.keep_folds = keep_folds
        self.n_others = n_others

    def prune(self, study, trial):
        """Return whether to stop a trial."""
        step = trial.last_step
        if step is None:
            return False
        sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
        value = sign * trial.intermediate_values[step]
        others = [
            sign * other.intermediate_values[step]
            for other in study.get_trials(deepcopy=False, states=_COMPARED)
            if other.number != trial.number and step in other.intermediate_values
        ]
        others = [other for other in others if not np.isnan(other)]
        if len(others) < self.n_others:
            return False
        keep = self.keep_folds if step >= FOLD else self.keep_epochs
        if np.isnan(value):
            return True
        # ties count half, so that all trials that are as bad as a constant are pruned
        better = np.mean(np.array(others) > value)
        return bool(better > 0 and better + np.mean(np.array(others) == value) / 2 >= keep)
