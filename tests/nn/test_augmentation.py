"""What changes inside a batch: how far, where, and only in training."""

import pytest
import torch
from scipy.stats import beta, kstest
from torch.func import vmap

from sklearn_mmsent.nn.augmentation import (
    BlockNoise,
    FrequencyMasking,
    Mixup,
    TimeMasking,
    mix_targets,
)
from sklearn_mmsent.nn.losses import cross_entropy, squared_error

STEPS = torch.arange(20) < torch.tensor([20, 13, 5, 1, 0] * 200).unsqueeze(1)  # (1000, 20)


def sequences():
    torch.manual_seed(0)
    return torch.randn(1000, 20, 6) * STEPS.unsqueeze(-1)


@pytest.mark.parametrize("kind", [BlockNoise, TimeMasking, FrequencyMasking])
def test_without_strength_or_in_evaluation_nothing_changes(kind):
    values, state = sequences(), torch.random.get_rng_state()
    assert kind(0.0).train()(values, STEPS) is values
    assert kind(0.5).eval()(values, STEPS) is values
    [mixed], share = Mixup(0.0, [True]).train()([values], STEPS[:, :1], [STEPS])
    assert mixed is values
    assert share is None
    [mixed], share = Mixup(0.5, [True]).eval()([values], STEPS[:, :1], [STEPS])
    assert mixed is values
    assert share is None
    assert torch.equal(torch.random.get_rng_state(), state)


def test_noise_is_as_strong_as_asked_and_leaves_gaps():
    values = sequences()
    values[:, :, 2] = 0.0  # missing
    changed = BlockNoise(0.3).train()(values, STEPS)
    noise = (changed - values)[values != 0]
    assert noise.std() == pytest.approx(0.3, rel=0.02)
    assert abs(noise.mean()) < 0.01
    assert (changed[values == 0] == 0).all()


def test_one_stretch_of_real_steps_is_hidden():
    values = sequences() + STEPS.unsqueeze(-1) * 9
    changed = TimeMasking(0.4).train()(values, STEPS)
    hidden = (changed == 0).all(2) & STEPS
    assert torch.equal(changed[~hidden], values[~hidden])
    edges = hidden.int().diff(dim=1, prepend=torch.zeros(1000, 1, dtype=torch.int)).clamp(min=0)
    assert edges.sum(1).max() == 1
    n, length = hidden.sum(1), STEPS.sum(1)
    assert (n <= (0.4 * length).ceil()).all()
    long = n[length == 20].float()
    assert set(long.tolist()) == set(range(9))
    assert long.mean() == pytest.approx(4.0, abs=0.5)
    first = hidden[length == 20].float().mean(0)
    assert first.min() > 0.02  # no step is spared


def test_one_band_is_hidden_in_all_steps():
    values = sequences() + STEPS.unsqueeze(-1) * 9
    changed = FrequencyMasking(0.5).train()(values, STEPS)
    here = STEPS.any(1)
    hidden = (changed == 0)[here]  # (B, T, F)
    bands = hidden[:, 0]
    assert torch.equal(hidden, bands.unsqueeze(1) | ~STEPS[here].unsqueeze(-1))
    assert bands.sum(1).max() == 3
    assert bands.float().mean(0).min() > 0.1
    edges = bands.int().diff(dim=1, prepend=torch.zeros(len(bands), 1, dtype=torch.int))
    assert edges.clamp(min=0).sum(1).max() == 1


def test_flat_values_and_pictures_have_no_steps_to_hide():
    for kind in (TimeMasking, FrequencyMasking):
        values = torch.randn(4, 3)
        assert kind(0.5).train()(values, None) is values


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.4, 1.0, 5.0, 10.0])
def test_shares_follow_beta(alpha):
    torch.manual_seed(0)
    mixup = Mixup(alpha, [True]).train()
    present = torch.ones(20_000, 1, dtype=torch.bool)
    shares = mixup([torch.zeros(20_000, 1)], present, [None])[1].double().numpy()
    assert 0 <= shares.min() <= shares.max() <= 0.5
    smaller = kstest(shares, lambda x: 2 * beta.cdf(x, alpha, alpha))
    assert smaller.pvalue > 0.01 or smaller.statistic < 0.01


def batch():
    torch.manual_seed(1)
    present = torch.rand(50, 3) < 0.7
    steps = torch.rand(50, 4) < 0.8
    values = [torch.randn(50, 2), torch.randn(50, 4, 2) * steps.unsqueeze(-1), torch.randn(50, 1)]
    return values, present, [None, steps, None]


def test_mixes_what_both_have_and_never_token_numbers():
    values, present, steps = batch()
    mixup = Mixup(1.0, [True, True, False]).train()
    (flat, sequence, tokens), shares = mixup(values, present, steps)
    both = present & present.roll(1, 0)
    share = shares * present.sum(1).clamp(min=1) / both[:, :2].sum(1)
    partner = values[0].roll(1, 0)
    expected = values[0] + share.unsqueeze(1) * (partner - values[0])
    torch.testing.assert_close(flat[both[:, 0]], expected[both[:, 0]])
    assert torch.equal(flat[~both[:, 0]], values[0][~both[:, 0]])
    assert tokens is values[2]
    real = steps[1] & steps[1].roll(1, 0) & both[:, 1, None]
    assert torch.equal(sequence[~real], values[1][~real])
    assert not torch.isclose(sequence[real], values[1][real]).all()


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_targets_are_mixed_like_rows(kind):
    values, present, steps = batch()
    mixup = Mixup(1.0, [True] * 3).train()
    share, weights = mixup(values, present, steps)[1], torch.rand(50) + 0.1
    if kind == "classes":
        outputs, targets, loss = torch.randn(50, 3), torch.randint(3, (50,)), cross_entropy
    else:
        outputs, targets, loss = torch.randn(50, 1), torch.randn(50, 1), squared_error
    loss_of, mixed = mix_targets(share, loss, targets, weights)
    total = (1 - share) * weights * loss(outputs, targets)
    total = total + share * weights.roll(1) * loss(outputs, targets.roll(1, 0))
    torch.testing.assert_close(mixed * loss_of(outputs), total)
    torch.testing.assert_close(mixed, (1 - share) * weights + share * weights.roll(1))
    if kind == "classes":  # of equal weights: the cross-entropy of soft labels
        loss_of, _ = mix_targets(share, loss, targets, torch.ones(50))
        one_hot = torch.nn.functional.one_hot(targets, 3).float()
        soft = one_hot + share.unsqueeze(1) * (one_hot.roll(1, 0) - one_hot)
        torch.testing.assert_close(loss_of(outputs), cross_entropy(outputs, soft))


def test_rows_without_weight_keep_no_weight():
    mixup = Mixup(1.0, [True]).train()
    _, share = mixup([torch.randn(4, 2)], torch.ones(4, 1, dtype=torch.bool), [None])
    loss_of, mixed = mix_targets(
        share, cross_entropy, torch.zeros(4, dtype=torch.long), torch.zeros(4)
    )
    assert torch.equal(mixed, torch.zeros(4))
    assert torch.isfinite(loss_of(torch.randn(4, 2))).all()


def test_members_of_a_stack_may_have_different_rates():
    rates, values = torch.tensor([0.0, 0.4]), sequences()
    for kind in (BlockNoise, TimeMasking, FrequencyMasking):

        def change(p, kind=kind):
            layer = kind(0.0).train()
            del layer.p
            layer.register_buffer("p", p)
            return layer(values, STEPS)

        none, some = vmap(change, randomness="different")(rates)
        assert torch.equal(none, values)
        assert not torch.equal(some, values)
