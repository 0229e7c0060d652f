"""Generator of raw clips: sentences, drawn faces and synthetic voices, as files."""

import os
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from sklearn_mmsent.datasets._clip_audio import Voice, synthesise, write_wav
from sklearn_mmsent.datasets._clip_image import Looks, draw_face
from sklearn_mmsent.datasets._clip_plan import INTERACTIONS, SIGNS, plan_clips
from sklearn_mmsent.datasets._clip_text import TextHabits, write_sentence
from sklearn_mmsent.datasets._read_table import read_table
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, validate_params

_MODALITIES = ("text", "image", "audio")
_FILES = {"image": ("images", ".png"), "audio": ("voices", ".wav")}
_FRACTION = Interval(Real, 0, 1, closed="both")


@validate_params(
    {
        "location": [str, os.PathLike],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "modalities": [list, tuple],
        "classes": [list, tuple],
        "interaction": [StrOptions(set(INTERACTIONS)), Mapping],
        "noise": [_FRACTION],
        "missing_rate": [_FRACTION, Mapping],
        "allow_empty_rows": ["boolean"],
        "class_weights": [Mapping, None],
        "n_groups": [Interval(Integral, 1, None, closed="left")],
        "intensity_range": [list, tuple],
        "overwrite": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_clips(
    location,
    n_samples=600,
    *,
    modalities=_MODALITIES,
    classes=("negative", "neutral", "positive"),
    interaction="complementary",
    noise=0.2,
    missing_rate=0.0,
    allow_empty_rows=False,
    class_weights=None,
    n_groups=20,
    intensity_range=(1.0, 3.0),
    overwrite=False,
    random_state=None,
) -> Bunch:
    """Write raw clips with known sentiment: sentences, drawn faces and synthetic voices.

    Each clip consists of a sentence about a film, a product or a person, a face of 64 x 64 pixels
    (``images/*.png``) and about a second of babble at 16 kHz (``voices/*.wav``). Speakers
    differ in phrases, looks and pitch, which are independent of the sentiment: split by speaker.
    ``labels.csv`` lists all clips for :func:`read_table`.

    Parameters
    ----------
    location : str or path-like
        Folder to write to; created if it does not exist.
    n_samples : int, default=600
        Number of clips.
    modalities : tuple of {"text", "image", "audio"}, default=("text", "image", "audio")
        Modalities of a clip, in the order of the columns of ``X``.
    classes : tuple of str, default=("negative", "neutral", "positive")
        Two or three of these. Intensities are discretised at -0.5 and 0.5.
    interaction : str or mapping, default="complementary"
        How modalities express the sentiment: one of the three kinds below, or a mapping such as
        ``{"agreeing": 3, "conflicting": 1}`` to mix them clip by clip.

        - ``"agreeing"``: all modalities express it.
        - ``"complementary"``: one modality, drawn for each clip, expresses it; the others are
          neutral.
        - ``"conflicting"``: only the relation of modalities expresses it, as in irony. The text
          expresses one class, face and voice another, both random, and
          ``label = (text - other) % n_classes``. Without text, the first modality replaces it.
    noise : float in [0, 1], default=0.2
        Strength of perturbations: grain, hiss, exposure, level, typos, quoted opinions, and a
        normal deviation of ``noise`` on the intensity that each modality expresses. 0 leaves only
        differences between speakers.
    missing_rate : float in [0, 1] or mapping, default=0.0
        Probability that a cell is missing; a mapping gives it for each modality.
    allow_empty_rows : bool, default=False
        Whether all cells of a clip may be missing. If not, a random one is kept, which slightly
        lowers the rate.
    class_weights : mapping of str to float, default=None
        Class proportions, such as ``{"negative": 1, "neutral": 2, "positive": 7}``, which are met
        to the nearest clip. None makes classes equally large.
    n_groups : int, default=20
        Number of speakers, with equal numbers of clips up to one.
    intensity_range : tuple of (float, float), default=(1.0, 3.0)
        Minimum and maximum strength of non-neutral clips, above 0.5 and at most 3. Neutral clips
        lie within 0.3 of zero.
    overwrite : bool, default=False
        Whether to overwrite the clips of a folder with a ``labels.csv``.
    random_state : int, RandomState instance or None, default=None
        Controls the randomness; an int gives identical files. Global generators are untouched.

    Returns
    -------
    Bunch
        The result of ``read_table(location / "labels.csv")``: ``X`` with sentences and absolute
        paths, ``y`` with class names, ``groups`` with speakers, ``split`` None, ``DESCR``; and
        ``intensity``, ndarray of shape (n_samples,), in [-3, 3]; ``interaction``, ndarray of str,
        the kind of each clip; ``location``, the path of the table.

    Raises
    ------
    ValueError
        If a parameter names an unknown modality or class, an interaction other than
        "agreeing" has fewer than two modalities, or there are more speakers than clips.
    FileExistsError
        If the folder holds a ``labels.csv`` already and `overwrite` is False.
    MissingDependencyError
        If "image" is requested and Pillow is not installed.

    See Also
    --------
    read_table : Reads such a folder, or other tables.
    sklearn.datasets.make_classification : Generates features instead of raw cells.

    Notes
    -----
    Best possible accuracy / macro-F1 with equal classes, no missing cells and no noise, for
    K classes and M modalities:

    =============  ============================================  ==================
    interaction    one modality                                  all modalities
    =============  ============================================  ==================
    agreeing       1                                             1
    complementary  M = 3: .556 / .533;  M = 2: .667 / .667       1
    conflicting    1 / K (image and audio together: also 1 / K)  1 (text and either)
    =============  ============================================  ==================

    ("complementary" with three classes; a modality expresses the sentiment of 1 in M clips.)
    A linear model of all modalities can reach the best score of the first two kinds, which are
    additive. On "conflicting" with equal classes it stays near chance, since the relation of two
    modalities is not additive. Fusion networks learn it from about 600 clips for two classes
    (exclusive or), and about 2000 for three.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_mmsent import make_clips
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clips = make_clips(folder, 12, n_groups=3, missing_rate=0.2, random_state=0)
    >>> clips.X.shape, int(clips.X.isna().sum().sum()), sorted(set(clips.y))
    ((12, 3), 6, ['negative', 'neutral', 'positive'])
    >>> clips.intensity[:3].round(1)
    array([ 3. , -3. ,  0.2])
    """
    modalities = _check_names("modalities", modalities, _MODALITIES, at_least=1)
    classes = _check_names("classes", classes, tuple(SIGNS), at_least=2)
    classes = tuple(name for name in SIGNS if name in classes)
    if class_weights is None:
        class_weights = dict.fromkeys(classes, 1.0)
    _check_weights("class_weights", class_weights, classes)
    if n_groups > n_samples:
        raise ValueError(
            f"make_clips: n_groups={n_groups} speakers cannot share n_samples={n_samples} clips. "
            "Lower n_groups or raise n_samples."
        )
    seed = _seed(random_state)
    plan = plan_clips(
        np.random.default_rng([seed, 0]),
        n_samples,
        modalities=modalities,
        classes=classes,
        interaction=_check_interaction(interaction, modalities),
        noise=noise,
        missing_rate=_check_rates(missing_rate, modalities),
        allow_empty_rows=allow_empty_rows,
        class_weights=[class_weights.get(name, 0.0) for name in classes],
        n_groups=n_groups,
        intensity_range=_check_range(intensity_range),
    )
    folder = Path(location)
    table = folder / "labels.csv"
    if table.exists() and not overwrite:
        raise FileExistsError(
            f"make_clips: {str(folder)!r} already holds a labels.csv. Choose another folder, or "
            "set overwrite=True."
        )
    _write(folder, table, plan, modalities, classes, noise, seed)
    return _read(table, plan, modalities)


def _write(folder, table, plan, modalities, classes, noise, seed):
    """Write the files of all clips, then the table."""
    n_samples, n_groups = len(plan.label), plan.speaker.max() + 1
    rngs = [np.random.default_rng([seed, 1, group]) for group in range(n_groups)]
    speakers = [(TextHabits.draw(rng), Looks.draw(rng), Voice.draw(rng)) for rng in rngs]
    width = len(str(n_samples - 1))
    names = [f"clip_{row:0{width}}" for row in range(n_samples)]
    cells = {name: [""] * n_samples for name in modalities}

    for column, name in enumerate(modalities):
        if name in _FILES:
            (folder / _FILES[name][0]).mkdir(parents=True, exist_ok=True)
        for row in np.flatnonzero(~plan.missing[:, column]):
            # a separate stream, so that modalities are independent of each other
            rng = np.random.default_rng([seed, 2, row, _MODALITIES.index(name)])
            shown = plan.shown[row, column]
            habits, looks, voice = speakers[plan.speaker[row]]
            if name == "text":
                cells[name][row] = write_sentence(rng, shown, habits, noise)
                continue
            subfolder, suffix = _FILES[name]
            cells[name][row] = f"{subfolder}/{names[row]}{suffix}"
            file = folder / cells[name][row]
            if name == "image":
                draw_face(rng, shown, looks, noise).save(file, compress_level=1)
            else:
                write_wav(file, synthesise(rng, shown, voice, noise))

    folder.mkdir(parents=True, exist_ok=True)
    columns = {
        "id": names,
        **cells,
        "label": [classes[k] for k in plan.label],
        "intensity": plan.intensity,
        "speaker": [f"speaker_{k:02}" for k in plan.speaker],
        "interaction": plan.interaction,
    }
    pd.DataFrame(columns).to_csv(table, index=False, lineterminator="\n")


def _read(table, plan, modalities):
    """Return the written clips, with their planned properties."""
    clips = read_table(
        table,
        target="label",
        files=[name for name in modalities if name in _FILES],
        columns=[name for name in modalities if name not in _FILES],
        groups="speaker",
    )
    clips.X = clips.X[list(modalities)]
    clips.intensity = plan.intensity
    clips.interaction = plan.interaction.astype(object)
    clips.location = str(table)
    return clips


def _seed(random_state):
    if random_state is None:  # check_random_state(None) would draw from the global generator
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def _check_names(parameter, names, known, *, at_least):
    names = tuple(names)
    if len(names) < at_least or len(set(names)) < len(names) or not set(names) <= set(known):
        raise ValueError(
            f"make_clips: {parameter} should be {at_least} or more different names out of "
            f"{known}, got {names!r}."
        )
    return names


def _check_weights(parameter, weights, known):
    numbers = all(isinstance(w, Real) and 0 <= w < np.inf for w in weights.values())
    if not set(weights) <= set(known) or not numbers or sum(weights.values()) <= 0:
        raise ValueError(
            f"make_clips: {parameter} should give proportions (not negative, not all zero) of "
            f"{tuple(known)}, got {dict(weights)!r}."
        )


def _check_interaction(interaction, modalities):
    if isinstance(interaction, str):
        interaction = {interaction: 1.0}
    _check_weights("interaction", interaction, INTERACTIONS)
    crossing = [kind for kind in INTERACTIONS[1:] if interaction.get(kind, 0)]
    if len(modalities) < 2 and crossing:
        raise ValueError(
            f"make_clips: interaction {crossing[0]!r} needs two modalities or more, "
            f"got {modalities!r}. Use interaction='agreeing' for a single one."
        )
    return interaction


def _check_rates(missing_rate, modalities):
    if not isinstance(missing_rate, Mapping):
        return dict.fromkeys(modalities, missing_rate)
    in_range = all(isinstance(r, Real) and 0 <= r <= 1 for r in missing_rate.values())
    if not set(missing_rate) <= set(modalities) or not in_range:
        raise ValueError(
            f"make_clips: missing_rate should give rates in [0, 1] of {modalities}, got "
            f"{dict(missing_rate)!r}."
        )
    return {name: missing_rate.get(name, 0.0) for name in modalities}


def _check_range(intensity_range):
    bounds = tuple(intensity_range)
    ordered = len(bounds) == 2 and all(isinstance(b, Real) for b in bounds)
    if not ordered or not 0.5 < bounds[0] <= bounds[1] <= 3:
        raise ValueError(
            "make_clips: intensity_range should be (minimum, maximum) with "
            f"0.5 < minimum <= maximum <= 3, got {intensity_range!r}."
        )
    return bounds
