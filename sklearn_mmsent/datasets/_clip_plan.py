"""Sentiment of each clip, and what each modality expresses."""

from dataclasses import dataclass

import numpy as np

INTERACTIONS = ("agreeing", "complementary", "conflicting")
SIGNS = {"negative": -1, "neutral": 0, "positive": 1}
_NEUTRAL_RANGE = 0.3  # keeps neutral clips away from the threshold at 0.5


@dataclass(frozen=True)
class ClipPlan:
    """Properties of all clips, by row."""

    label: np.ndarray  # (n_samples,) index into the classes
    intensity: np.ndarray  # (n_samples,)
    shown: np.ndarray  # (n_samples, n_modalities) intensity that each modality expresses
    missing: np.ndarray  # (n_samples, n_modalities) bool
    speaker: np.ndarray  # (n_samples,)
    interaction: np.ndarray  # (n_samples,) str


def apportion(weights, n):
    """Split n into integer shares proportional to the weights (largest remainder method)."""
    exact = np.asarray(weights, dtype=float) / np.sum(weights) * n
    shares = np.floor(exact).astype(int)
    rest = np.argsort(-(exact - shares), kind="stable")[: n - shares.sum()]
    shares[rest] += 1
    return shares


def plan_clips(
    rng,
    n_samples,
    *,
    modalities,
    classes,
    interaction,
    noise,
    missing_rate,
    allow_empty_rows,
    class_weights,
    n_groups,
    intensity_range,
):
    """Draw labels, speakers, expressed intensities and missing cells.

    Parameters are those of :func:`make_clips` after validation: `interaction` and
    `missing_rate` as mappings, `class_weights` as one number per class.
    """
    signs = np.array([SIGNS[name] for name in classes])
    label = _shuffled(rng, np.arange(len(classes)), apportion(class_weights, n_samples))
    kind = _shuffled(
        rng, np.array(list(interaction)), apportion(list(interaction.values()), n_samples)
    )
    speaker = _shuffled(rng, np.arange(n_groups), apportion(np.ones(n_groups), n_samples))

    # strength is independent of the class, which it would otherwise reveal
    strength = rng.uniform(*intensity_range, n_samples)
    faint = rng.uniform(-_NEUTRAL_RANGE, _NEUTRAL_RANGE, (n_samples, len(modalities) + 1))
    intensity = _at_level(signs[label], strength, faint[:, -1])

    shown = np.repeat(intensity[:, None], len(modalities), axis=1)  # agreeing
    carrier = rng.integers(len(modalities), size=n_samples)
    silent = np.arange(len(modalities)) != carrier[:, None]
    silent &= (kind == "complementary")[:, None]
    shown = np.where(silent, faint[:, :-1], shown)

    said = rng.integers(len(classes), size=n_samples)
    tone = (said - label) % len(classes)
    speaking = "text" if "text" in modalities else modalities[0]
    for column, name in enumerate(modalities):
        level = signs[said if name == speaking else tone]
        ironic = _at_level(level, strength, faint[:, column])
        shown[:, column] = np.where(kind == "conflicting", ironic, shown[:, column])
    shown = shown + rng.normal(0, noise, shown.shape)

    missing = rng.random(shown.shape) < [missing_rate[name] for name in modalities]
    spared = rng.integers(len(modalities), size=n_samples)
    if not allow_empty_rows:
        empty = np.flatnonzero(missing.all(axis=1))
        missing[empty, spared[empty]] = False
    return ClipPlan(label, np.round(intensity, 4), shown, missing, speaker, kind)


def _shuffled(rng, values, counts):
    return rng.permutation(np.repeat(values, counts))


def _at_level(sign, strength, faint):
    return np.where(sign == 0, faint, sign * strength)
