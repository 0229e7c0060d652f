"""Samplers whose draws depend on a seed and the number of the trial, and on nothing else."""

import numpy as np
from optuna.samplers import BaseSampler, RandomSampler, TPESampler


class NumberedSampler(BaseSampler):
    """Draws for each trial with a generator of its own.

    A sampler of Optuna draws from one generator, which starts anew in each process: a resumed
    study, or two workers of one seed, would try the same values again.

    Parameters
    ----------
    kind : {"tpe", "random"}
        What chooses.
    seed : int
        Of the study.
    params : dict
        Parameters of Optuna's sampler.
    """

    def __init__(self, kind, seed, params):
        self.kind = {"tpe": TPESampler, "random": RandomSampler}[kind]
        self.seed = seed
        self.params = params
        self._of_trial = {}
        self._of(0)  # wrong parameters tell so before the first trial

    def _of(self, number):
        if number not in self._of_trial:
            seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
            self._of_trial = {number: self.kind(seed=seed, **self.params)}
        return self._of_trial[number]

    def infer_relative_search_space(self, study, trial):
        """Return the parameters that are drawn together."""
        return self._of(trial.number).infer_relative_search_space(study, trial)

    def sample_relative(self, study, trial, search_space):
        """Draw parameters together."""
        return self._of(trial.number).sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, param_name, param_distribution):
        """Draw one parameter."""
        sampler = self._of(trial.number)
        return sampler.sample_independent(study, trial, param_name, param_distribution)
