import torch

from sklearn_mmsent.nn._alignment import common_clock, uniform_draws


def test_a_common_clock():
    long = torch.tensor([[True] * 6, [False, True, True, False, True, True]])
    short = torch.tensor([[False, True, True, True], [False, False, True, False]])
    (first, second), ticks = common_clock([long, short])
    assert first[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert second[0].tolist() == [1, 1, 2, 2, 3, 3]
    assert first[1, :5].tolist() == [1, 2, 2, 4, 5]  # the gap shows what came before it
    assert second[1, :5].tolist() == [2] * 5
    assert ticks.tolist() == [[True] * 6, [True] * 5 + [False]]


def test_draws_are_uniform_and_independent():
    torch.manual_seed(0)
    draws = uniform_draws(torch.ones(20_000, 6, dtype=torch.bool)).double()
    assert 0 <= draws.min() < draws.max() < 1
    counts = torch.histc(draws, 20, 0, 1) / draws.numel()
    assert (counts - 0.05).abs().max() < 0.003
    correlation = torch.corrcoef(draws.T) - torch.eye(6)
    assert correlation.abs().max() < 0.03
    again = uniform_draws(torch.ones(20_000, 6, dtype=torch.bool)).double()
    assert abs(torch.corrcoef(torch.stack([draws[:, 0], again[:, 0]]))[0, 1]) < 0.03
