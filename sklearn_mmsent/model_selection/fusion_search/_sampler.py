"""Sampler whose draws depend on the seed and the number of the trial only."""

import numpy as np
from optuna.samplers import BaseSampler, RandomSampler, TPESampler


class NumberedSampler(BaseSampler):
    """Sample the parameters of each trial with a generator of its own.

    Optuna's samplers draw from one generator per process: a resumed study, or two workers with the
    same seed, would sample the same values again.

    Parameters
    ----------
    kind : {"tpe", "random"}
        Optuna's sampler.
    seed : int
        Seed of the study.
    params : dict
        Parameters of Optuna's sampler.
    """

    def __init__(self, kind, seed, params):
        self.kind = {"tpe": TPESampler, "random": RandomSampler}[kind]
        self.seed = seed
        self.params = params
        self._by_trial = {}
        self._sampler(0)  # raises an error for invalid parameters before the first trial

    def _sampler(self, number):
        if number not in self._by_trial:
            seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
            self._by_trial = {number: self.kind(seed=seed, **self.params)}
        return self._by_trial[number]

    def infer_relative_search_space(self, study, trial):
        """Return the parameters that are sampled jointly."""
        return self._sampler(trial.number).infer_relative_search_space(study, trial)

    def sample_relative(self, study, trial, search_space):
        """Sample parameters jointly."""
        return self._sampler(trial.number).sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, param_name, param_distribution):
        """Sample one parameter."""
        sampler = self._sampler(trial.number)
        return sampler.sample_independent(study, trial, param_name, param_distribution)
