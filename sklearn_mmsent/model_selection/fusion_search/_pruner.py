"""A pruner for trials that are trained side by side."""

import numpy as np
from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import TrialState

#: Steps of a study from here on count folds, those below it epochs of the first fold.
FOLD = 1000
_SEEN = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class RacePruner(BasePruner):
    """Stop a trial that is not among the better part of all that came as far.

    Optuna's own pruners look at trials that have finished; in a race those count that run beside
    it, too, so that the first trials are pruned as well.

    Parameters
    ----------
    keep_epochs : float, default=0.7
        Share of trials that go on after some epochs, when scores tell little yet.
    keep_folds : float, default=0.5
        Share that goes on after a fold.
    n_others : int, default=5
        Trials that must have come as far before any is stopped.
    """

    def __init__(self, keep_epochs=0.7, keep_folds=0.5, n_others=5):
        self.keep_epochs = keep_epochs
        self.keep_folds = keep_folds
        self.n_others = n_others

    def prune(self, study, trial):
        """Tell whether to stop a trial."""
        step = trial.last_step
        if step is None:
            return False
        sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
        value = sign * trial.intermediate_values[step]
        others = [
            sign * other.intermediate_values[step]
            for other in study.get_trials(deepcopy=False, states=_SEEN)
            if other.number != trial.number and step in other.intermediate_values
        ]
        others = [other for other in others if not np.isnan(other)]
        if len(others) < self.n_others:
            return False
        keep = self.keep_folds if step >= FOLD else self.keep_epochs
        if np.isnan(value):
            return True
        # equals count half: where most are as bad as a constant, they fall behind together
        better = np.mean(np.array(others) > value)
        return bool(better > 0 and better + np.mean(np.array(others) == value) / 2 >= keep)
