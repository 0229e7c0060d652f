"""The generator of raw clips: sentences, drawn faces and synthesised voices as files."""

import os
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sklearn_mmsent.datasets._clip_audio import Voice, synthesise, write_wav
from sklearn_mmsent.datasets._clip_image import Looks, draw_face
from sklearn_mmsent.datasets._clip_plan import INTERACTIONS, SIGNS, plan_clips
from sklearn_mmsent.datasets._clip_text import TextHabits, write_sentence
from sklearn_mmsent.datasets._read_table import read_table
from sklearn_mmsent.utils._sklearn import Interval, StrOptions, validate_params

_MODALITIES = ("text", "image", "audio")
_FILES = {"image": ("images", ".png"), "audio": ("voices", ".wav")}
_SHARE = Interval(Real, 0, 1, closed="both")


@validate_params(
    {
        "location": [str, os.PathLike],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "modalities": [list, tuple],
        "classes": [list, tuple],
        "interaction": [StrOptions(set(INTERACTIONS)), Mapping],
        "noise": [_SHARE],
        "missing_rate": [_SHARE, Mapping],
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
):
    """Write raw clips of known sentiment: sentences, drawn faces and synthesised voices.

    Each clip is a sentence about a film, a product or a person, a face of 64 x 64 pixels
    (``images/*.png``) and about a second of babble at 16 kHz (``voices/*.wav``). Speakers
    differ in habits of speech, looks and pitch, which tell nothing about the sentiment:
    folds should be cut by speaker. ``labels.csv`` holds it all, for :func:`read_table`.

    Parameters
    ----------
    location : str or path-like
        Folder to write to; made if it is not there.
    n_samples : int, default=600
        Number of clips.
    modalities : tuple of {"text", "image", "audio"}, default=("text", "image", "audio")
        What a clip consists of, in the order of the columns of ``X``.
    classes : tuple of str, default=("negative", "neutral", "positive")
        Two or three of these. The intensity of a clip is cut at -0.5 and 0.5.
    interaction : str or mapping, default="complementary"
        Where the sentiment shows: one of the three below, or a mapping such as
        ``{"agreeing": 3, "conflicting": 1}`` that mixes them clip by clip.

        - ``"agreeing"``: in every modality.
        - ``"complementary"``: in one modality, drawn for each clip; the others are neutral.
        - ``"conflicting"``: in none, but in their relation, as with irony. The text says
          one of the classes, face and voice alike show another, both drawn at random, and
          ``label = (said - shown) % n_classes``. Without text the first modality says.
    noise : float in [0, 1], default=0.2
        Strength of what blurs the sentiment: grain, hiss, exposure, level, letters swapped,
        other people's opinions, and a normal deviation of ``noise`` on the intensity
        that each modality shows. 0 leaves only the speakers' differences.
    missing_rate : float in [0, 1] or mapping, default=0.0
        Probability that a cell is missing; a mapping gives it per modality.
    allow_empty_rows : bool, default=False
        Whether all cells of a clip may be missing. If not, one of them, drawn at random,
        is spared, and the true rate is a little lower.
    class_weights : mapping of str to float, default=None
        Proportions of the classes, such as ``{"negative": 1, "neutral": 2, "positive": 7}``;
        the numbers of clips follow them to the nearest clip. None makes them equal.
    n_groups : int, default=20
        Number of speakers, each with as many clips as the others, give or take one.
    intensity_range : tuple of (float, float), default=(1.0, 3.0)
        Least and greatest strength of clips that are not neutral, above 0.5 and at most 3.
        Neutral ones lie within 0.3 of zero.
    overwrite : bool, default=False
        Whether to write over the clips of a folder that already holds a ``labels.csv``.
    random_state : int, RandomState instance or None, default=None
        An int gives files that are equal to the byte. No global generator is touched.

    Returns
    -------
    Bunch
        As of ``read_table(location / "labels.csv")``: ``X`` of sentences and absolute paths,
        ``y`` of class names, ``groups`` of speakers, ``split`` None, ``DESCR``; and
        ``intensity``, ndarray of shape (n_samples,), in [-3, 3]; ``interaction``, ndarray of
        str: of which kind each clip is; ``location``, the path of the table.

    Raises
    ------
    ValueError
        If a parameter names an unknown modality or class, an interaction other than
        "agreeing" has fewer than two modalities, or there are more speakers than clips.
    FileExistsError
        If the folder holds a ``labels.csv`` already and `overwrite` is False.
    MissingDependencyError
        If "image" is asked for and Pillow is not installed.

    See Also
    --------
    read_table : Reads such a folder again, and tables of one's own.
    sklearn.datasets.make_classification : Numbers at once, where no raw cells are needed.

    Notes
    -----
    The best that any predictor can reach with equal classes, nothing missing and no noise,
    as accuracy / macro-F1, on K classes and M modalities:

    =============  ============================================  ==================
    interaction    one modality                                  all modalities
    =============  ============================================  ==================
    agreeing       1                                             1
    complementary  M = 3: .556 / .533;  M = 2: .667 / .667       1
    conflicting    1 / K (image and audio together: also 1 / K)  1 (text and either)
    =============  ============================================  ==================

    (complementary with three classes; a single modality sees the sentiment of 1 in M clips.)
    A linear model of all modalities can reach the best score of the first two, for what
    they show adds up, but on "conflicting" with equal classes it stays near chance: the
    relation of two modalities is not a sum. Networks that join modalities learn it: of two
    classes (exclusive or) from some 600 clips, of three (nine cells) from some 2000.

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
    if isinstance(interaction, str):
        interaction = {interaction: 1.0}
    _check_weights("interaction", interaction, INTERACTIONS)
    crossing = [kind for kind in INTERACTIONS[1:] if interaction.get(kind, 0)]
    if len(modalities) < 2 and crossing:
        raise ValueError(
            f"make_clips: interaction {crossing[0]!r} needs two modalities or more, "
            f"got {modalities!r}. Use interaction='agreeing' for a single one."
        )
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
        interaction=interaction,
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


def _write(folder, table, plan, modalities, classes, noise, seed):
    """Write the files of all clips and, last, the table that names them."""
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
            # a stream of its own, so that one modality's draws never shift another's
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


def _seed(random_state):
    if random_state is None:  # check_random_state(None) would draw from numpy's global state
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
            "make_clips: intensity_range should be (least, greatest) with 0.5 < least <= greatest "
            f"<= 3, got {intensity_range!r}."
        )
    return bounds
