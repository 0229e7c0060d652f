"""RacePruner: pruning among trials that run at the same time."""

import optuna
import pytest

from sklearn_mmsent.model_selection.fusion_search._pruner import FOLD, RacePruner


def test_a_trial_is_compared_with_those_that_reached_its_step():
    study = optuna.create_study(direction="maximize")
    for value in range(10):
        trial = study.ask()
        trial.report(value, 4)
        trial.report(value, FOLD)
    trials = study.trials
    pruner = RacePruner(keep_epochs=0.7, keep_folds=0.5, n_others=5)
    assert [pruner.prune(study, trial) for trial in trials] == [True] * 5 + [False] * 5
    assert not any(RacePruner(n_others=10).prune(study, trial) for trial in trials)
    for trial in trials:
        del trial.intermediate_values[FOLD]
    assert [pruner.prune(study, trial) for trial in trials] == [True] * 3 + [False] * 7
    trials[9].intermediate_values[4] = float("nan")
    assert pruner.prune(study, trials[9])
    assert not pruner.prune(study, study.ask()._get_latest_trial())


@pytest.mark.parametrize(("n_better", "stopped"), [(0, False), (1, True), (5, True)])
def test_ties_are_pruned_together(n_better, stopped):
    study = optuna.create_study(direction="maximize")
    for value in [0.5] * 8 + [0.7] * n_better:
        study.ask().report(value, FOLD)
    assert [RacePruner().prune(study, t) for t in study.trials[:8]] == [stopped] * 8
    assert not any(RacePruner().prune(study, trial) for trial in study.trials[8:])


def test_pruners_of_optuna_keep_running_trials_that_fall_behind():
    study = optuna.create_study(direction="maximize")
    trials = [study.ask() for _ in range(10)]
    for value, trial in enumerate(trials):
        trial.report(value, FOLD)
    running = study.trials
    assert [RacePruner().prune(study, trial) for trial in running] == [True] * 5 + [False] * 5
    # percentiles are those of complete trials, of which there are none
    percentile = optuna.pruners.PercentilePruner(50.0, n_startup_trials=0)
    assert not any(percentile.prune(study, trial) for trial in running)
    # halving promotes the first trials that ask, here the worst of all
    halving = optuna.pruners.SuccessiveHalvingPruner(min_resource=FOLD, reduction_factor=2)
    assert not halving.prune(study, running[0])
