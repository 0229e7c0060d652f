"""make_clips: files, statistics, determinism, interactions, invalid parameters."""

import hashlib
import random
import sys
import wave
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score

from sklearn_mmsent import make_clips, read_table
from sklearn_mmsent.datasets._clip_plan import apportion, plan_clips
from sklearn_mmsent.exceptions import MissingDependencyError

CLASSES = ("negative", "neutral", "positive")
MODALITIES = ("text", "image", "audio")


def digests(folder):
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(Path(folder).rglob("*"))
        if file.is_file()
    }


def global_states():
    _, keys, position, *_ = np.random.get_state()  # noqa: NPY002 - the legacy state is tested
    return random.getstate(), keys.tolist(), position


def plan(n_samples=9000, *, interaction="agreeing", seed=0, **changes):
    options = {
        "modalities": MODALITIES,
        "classes": CLASSES,
        "interaction": {interaction: 1.0} if isinstance(interaction, str) else interaction,
        "noise": 0.0,
        "missing_rate": dict.fromkeys(MODALITIES, 0.0),
        "allow_empty_rows": False,
        "class_weights": [1, 1, 1],
        "n_groups": 10,
        "intensity_range": (1.0, 3.0),
    }
    return plan_clips(np.random.default_rng(seed), n_samples, **(options | changes))


def seen_levels(shown):
    """Return the class that each modality expresses in a plan without noise."""
    return np.digitize(shown, [-0.5, 0.5])


def bayes(codes, label):
    """Predict the most frequent label of each combination of observations."""
    keys = pd.MultiIndex.from_arrays(list(codes.T)).factorize()[0]
    table = pd.crosstab(keys, label).to_numpy()
    predicted = table.argmax(axis=1)[keys]
    return accuracy_score(label, predicted), f1_score(label, predicted, average="macro")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return make_clips(folder, 90, n_groups=9, missing_rate=0.2, random_state=0)


# -- files ---------------------------------------------------------------------------------


def test_round_trip(clips):
    again = read_table(
        clips.location, target="label", files=["image", "audio"], columns="text", groups="speaker"
    )
    pd.testing.assert_frame_equal(again.X, clips.X)
    np.testing.assert_array_equal(again.y, clips.y)
    np.testing.assert_array_equal(again.groups, clips.groups)
    number = read_table(
        clips.location, target="intensity", files=["image", "audio"], columns="text"
    )
    np.testing.assert_array_equal(number.y, clips.intensity)


def test_image_and_audio_files(clips):
    for file in clips.X["image"].dropna():
        with Image.open(file) as image:
            assert (image.size, image.mode) == ((64, 64), "RGB")
            assert np.asarray(image).std() > 10
    for file in clips.X["audio"].dropna():
        with wave.open(file) as sound:
            assert sound.getparams()[:3] == (1, 2, 16000)
            assert 0.5 < sound.getnframes() / 16000 < 2.0
            samples = np.frombuffer(sound.readframes(-1), "<i2") / 32768
            assert 0.01 < samples.std() < 0.5
            assert np.mean(np.abs(samples) > 0.999) < 0.001


def test_labels_are_discretised_intensities(clips):
    expected = np.array(CLASSES)[np.digitize(clips.intensity, [-0.5, 0.5])]
    np.testing.assert_array_equal(clips.y, expected)
    assert np.abs(clips.intensity).max() <= 3


def test_sentences_are_mostly_distinct(tmp_path):
    texts = make_clips(tmp_path, 600, modalities=("text",), interaction="agreeing").X["text"]
    assert texts.nunique() >= 590
    assert not texts.str.contains("  ").any()


def test_cells_of_a_speaker_differ(clips):
    files = clips.X["image"].dropna()
    assert len({Path(file).read_bytes() for file in files}) == len(files)


# -- determinism ---------------------------------------------------------------------------


def test_seed_determines_the_bytes(tmp_path):
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        make_clips(tmp_path / folder, 10, n_groups=2, random_state=seed)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert not set(digests(tmp_path / "a").values()) & set(digests(tmp_path / "c").values())


@pytest.mark.parametrize("random_state", [None, 0, np.random.RandomState(0)])
def test_global_generators_are_untouched(tmp_path, random_state):
    before = global_states()
    make_clips(tmp_path, 4, n_groups=2, random_state=random_state)
    assert global_states() == before


def test_without_seed_clips_differ(tmp_path):
    a = make_clips(tmp_path / "a", 6, n_groups=2, modalities=["text", "audio"])
    b = make_clips(tmp_path / "b", 6, n_groups=2, modalities=["text", "audio"])
    assert a.X["text"].tolist() != b.X["text"].tolist()


# -- statistics ----------------------------------------------------------------------------


def test_class_proportions_are_exact(tmp_path):
    weights = {"negative": 1, "neutral": 2, "positive": 7}
    clips = make_clips(
        tmp_path, 50, modalities=["text", "audio"], class_weights=weights, n_groups=5
    )
    assert pd.Series(clips.y).value_counts().to_dict() == {
        "negative": 5,
        "neutral": 10,
        "positive": 35,
    }


def test_classes_can_be_chosen(tmp_path):
    clips = make_clips(
        tmp_path, 20, modalities=["text"], interaction="agreeing", classes=("positive", "negative")
    )
    assert pd.Series(clips.y).value_counts().to_dict() == {"negative": 10, "positive": 10}


@pytest.mark.parametrize(
    ("weights", "n", "expected"),
    [([1, 1, 1], 10, [4, 3, 3]), ([0, 1, 3], 4, [0, 1, 3]), ([1, 1], 1, [1, 0])],
)
def test_apportion_rounds_to_the_exact_sum(weights, n, expected):
    assert apportion(weights, n).tolist() == expected


def test_groups_are_of_equal_size(clips):
    assert set(pd.Series(clips.groups).value_counts()) == {10}


def test_speakers_are_independent_of_the_label():
    drawn = plan()
    shares = pd.crosstab(drawn.speaker, drawn.label, normalize="index").to_numpy()
    assert np.abs(shares - 1 / 3).max() < 0.06


def test_missing_rates_by_modality_leave_no_empty_row():
    rates = {"text": 0.0, "image": 0.1, "audio": 0.5}
    drawn = plan(missing_rate=rates)
    np.testing.assert_allclose(drawn.missing.mean(axis=0), list(rates.values()), atol=0.02)
    high = dict.fromkeys(MODALITIES, 0.9)
    assert not plan(missing_rate=high).missing.all(axis=1).any()
    empty = plan(missing_rate=high, allow_empty_rows=True).missing.all(axis=1)
    assert empty.mean() == pytest.approx(0.9**3, abs=0.02)


def test_missing_cells_have_no_file(clips, tmp_path):
    assert 0.1 < clips.X.isna().to_numpy().mean() < 0.3
    folder = Path(clips.location).parent
    files = {str(file) for file in folder.rglob("clip_*")}
    assert files == {*clips.X["image"].dropna(), *clips.X["audio"].dropna()}
    empty = make_clips(tmp_path, 20, missing_rate=1.0, allow_empty_rows=True, random_state=0)
    assert empty.X.isna().to_numpy().all()


# -- interactions: the best scores in the docstring ------------------------------------------


def test_agreeing_modalities_are_equal():
    drawn = plan(interaction="agreeing")
    for column in range(3):
        assert bayes(seen_levels(drawn.shown)[:, [column]], drawn.label) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("modalities", "expected"),
    [(MODALITIES, (0.556, 0.533)), (("text", "audio"), (0.667, 0.667))],
)
def test_complementary_best_scores(modalities, expected):
    drawn = plan(
        interaction="complementary",
        modalities=modalities,
        missing_rate=dict.fromkeys(modalities, 0.0),
    )
    levels = seen_levels(drawn.shown)
    for column in range(len(modalities)):
        assert bayes(levels[:, [column]], drawn.label) == pytest.approx(expected, abs=0.02)
    assert bayes(levels, drawn.label) == (1.0, 1.0)


@pytest.mark.parametrize("classes", [CLASSES, ("negative", "positive")])
def test_conflicting_best_scores(classes):
    k = len(classes)
    drawn = plan(interaction="conflicting", classes=classes, class_weights=[1] * k)
    levels = seen_levels(drawn.shown)
    for columns in ([0], [1], [2], [1, 2]):
        accuracy, _ = bayes(levels[:, columns], drawn.label)
        assert accuracy == pytest.approx(1 / k, abs=0.02)
    for columns in ([0, 1], [0, 2]):
        assert bayes(levels[:, columns], drawn.label) == (1.0, 1.0)


def test_strength_is_independent_of_the_class_when_conflicting():
    drawn = plan(interaction="conflicting")
    strength = np.abs(drawn.shown).max(axis=1)
    means = [strength[(drawn.label == k) & (strength > 0.5)].mean() for k in range(3)]
    assert np.ptp(means) < 0.05


def test_mixture_of_interactions():
    drawn = plan(interaction={"agreeing": 3, "conflicting": 1})
    assert pd.Series(drawn.interaction).value_counts().to_dict() == {
        "agreeing": 6750,
        "conflicting": 2250,
    }


def test_noise_affects_modalities_but_not_the_intensity():
    still, blurred = plan(), plan(noise=0.5)
    np.testing.assert_array_equal(still.intensity, blurred.intensity)
    assert np.std(blurred.shown - still.shown) == pytest.approx(0.5, abs=0.02)


# -- bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modalities": ()}, "modalities should be 1 or more different names"),
        ({"modalities": ("text", "text")}, "modalities should be 1 or more different names"),
        ({"modalities": ("text", "video")}, "modalities should be 1 or more different names"),
        ({"classes": ("negative",)}, "classes should be 2 or more different names"),
        ({"classes": ("bad", "good")}, "classes should be 2 or more different names"),
        ({"modalities": ("text",)}, "interaction 'complementary' needs two modalities"),
        (
            {"modalities": ("text",), "interaction": {"agreeing": 1, "conflicting": 1}},
            "interaction 'conflicting' needs two modalities",
        ),
        ({"interaction": "ironic"}, "The 'interaction' parameter of make_clips"),
        ({"interaction": {"ironic": 1}}, "interaction should give proportions"),
        ({"interaction": {}}, "interaction should give proportions"),
        ({"class_weights": {"negative": -1}}, "class_weights should give proportions"),
        ({"class_weights": {"bad": 1}}, "class_weights should give proportions"),
        ({"missing_rate": {"video": 0.1}}, "missing_rate should give rates"),
        ({"missing_rate": {"text": 1.5}}, "missing_rate should give rates"),
        ({"missing_rate": -0.1}, "The 'missing_rate' parameter of make_clips"),
        ({"n_groups": 30}, "n_groups=30 speakers cannot share n_samples=20"),
        ({"n_samples": 0}, "The 'n_samples' parameter of make_clips"),
        ({"noise": 2.0}, "The 'noise' parameter of make_clips"),
        ({"intensity_range": (0.2, 3)}, "intensity_range should be"),
        ({"intensity_range": (2, 1)}, "intensity_range should be"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_invalid_parameters_write_nothing(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        make_clips(tmp_path / "clips", **({"n_samples": 20} | options))
    assert not (tmp_path / "clips").exists()


def test_clips_are_not_overwritten_by_default(tmp_path):
    make_clips(tmp_path, 4, n_groups=2, random_state=0)
    with pytest.raises(FileExistsError, match=r"already holds a labels\.csv"):
        make_clips(tmp_path, 4, n_groups=2, random_state=1)
    assert len(make_clips(tmp_path, 6, n_groups=2, overwrite=True).X) == 6


def test_missing_pillow_error_names_the_extra(tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.partition(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match=r"sklearn-mmsent\[image\]"):
        make_clips(tmp_path, 4, n_groups=2)
