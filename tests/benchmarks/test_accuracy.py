"""The accuracy benchmark and its recipes."""

import importlib

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch

from sklearn_mmsent import classification_scores


@pytest.fixture
def accuracy(script):
    return script("accuracy")


@pytest.fixture
def parts(script):
    """Load a module of the recipes."""
    script("accuracy")  # makes recipes importable
    return lambda name: importlib.import_module(f"recipes.{name}")


def make_rows(data, cache, n=90):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["text__tone", "face__smile"])
    return Bunch(
        X=X,
        y=np.where(X.sum(axis=1) > 0, "up", "down"),
        groups=np.arange(n) // 2,
        split=np.repeat(["train", "val", "test"], [n // 2, n // 6, n - n // 2 - n // 6]),
        task="classification",
    )


@pytest.fixture
def recipes(accuracy, monkeypatch):
    recipe = importlib.import_module("recipes").Recipe(
        name="made",
        load=make_rows,
        systems=lambda data: {
            "system": LogisticRegression(),
            "stump": DecisionTreeClassifier(max_depth=1),
        },
        score=classification_scores,
        targets={"accuracy": (">=", 0.5), "f1_macro": (">", 1.1)},
        published={"a paper": {"accuracy": 0.4}},
        tried="Nothing else was tried.",
    )
    monkeypatch.setattr(accuracy, "all_recipes", lambda: {"made": recipe})


def test_page_and_csv_files(accuracy, recipes, tmp_path, capsys):
    common = ["--data", str(tmp_path), "--output", str(tmp_path), "--seeds", "2"]
    accuracy.main(common)
    accuracy.main([*common, "--differences", "--folds", "3"])
    page = (tmp_path / "accuracy.md").read_text()
    (reached,) = [line for line in page.splitlines() if line.startswith("| made | accuracy |")]
    assert reached.startswith("| made | accuracy | >= 0.5 |")
    assert reached.endswith(" stump |")  # neither the constant nor the system
    assert "| yes |" in page
    assert "| no, by" in page
    assert "a paper: accuracy 0.4" in page
    assert "2 x 3 folds" in page
    assert "| stump |" in page
    assert "Nothing else was tried." in page
    fits = pd.read_csv(tmp_path / "accuracy.csv")
    assert fits.groupby("model").size().to_dict() == {"constant": 1, "stump": 2, "system": 2}
    assert (fits["test_rows"] == 30).all()
    folds = pd.read_csv(tmp_path / "accuracy_differences.csv")
    assert folds["test_rows"].max() <= 22  # of sixty rows outside the test part


@pytest.mark.parametrize(
    ("model", "rival"),
    [("stump", True), ("constant", False), ("system", False), ("system (transductive)", False)],
)
def test_rivals_are_neither_constant_nor_transductive(accuracy, model, rival):
    assert importlib.import_module("sections.accuracy_page").is_rival(model, "system") == rival


def test_validation_part_is_printed_and_writes_nothing(accuracy, recipes, tmp_path, capsys):
    accuracy.main(["--data", str(tmp_path), "--output", str(tmp_path), "--part", "val"])
    assert "| system |" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_targets_of_every_recipe_are_known_scores(accuracy):
    names = [*accuracy.all_recipes()]
    assert len(names) == 8
    for recipe in accuracy.all_recipes().values():
        known = set(importlib.import_module("sections.accuracy_page").SCORES)
        assert set(recipe.targets) <= known


def test_probabilities_of_finer_labels_add_up_to_classes(parts):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 2)), index=rng.permutation(200) + 5)
    finer = pd.Series(np.where(X[0] > 0, "a", "b"), X.index) + np.where(X[1] > 0, "1", "2")
    y = np.where(finer == "a1", "yes", "no")
    model = parts("_labels").FromFinerLabels(LogisticRegression(), finer).fit(X, y)
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.predict_proba(X).sum(axis=1) == pytest.approx(1)
    assert (model.predict(X) == y).mean() > 0.9
    assert (model.predict(X.iloc[::-1]) == model.predict(X)[::-1]).all()


def test_logit_adjustment_favours_rare_classes(parts):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"text__tone": rng.normal(size=400)})
    y = np.where(X["text__tone"] + rng.normal(size=400) > 1.5, "rare", "usual")
    adjusted = parts("_labels").LogitAdjusted
    plain = LogisticRegression().fit(X, y)
    same = adjusted(LogisticRegression(), 0.0).fit(X, y)
    assert np.allclose(same.predict_proba(X), plain.predict_proba(X))
    counts = [(adjusted(plain, s).fit(X, y).predict(X) == "rare").sum() for s in (0, 0.3, 1.0)]
    assert counts[0] < counts[1] < counts[2]
    odds = adjusted(plain, 1.0).fit(X, y).predict_proba(X) / plain.predict_proba(X)
    share = (y == "rare").mean()
    assert odds[:, 0] / odds[:, 1] == pytest.approx((1 - share) / share)


def test_features_of_spectrograms_do_not_depend_on_the_batch(parts, monkeypatch):
    maps = []

    def pooled(pictures):  # replaces the network, whose weights are in an extra
        assert pictures.shape[1:] == (3, 224, 320)
        assert pictures.min() >= 0
        assert pictures.max() <= 255
        maps.append(pictures)
        return pictures[:, :1].expand(-1, 1280, -1, -1)

    module = parts("_imagenet")
    monkeypatch.setattr(module, "_maps", pooled)
    monkeypatch.setattr(module.ImageNetFeaturesOfSound, "_libraries", ())
    rng = np.random.default_rng(0)
    clips = [(rng.normal(size=n) / 10, 16_000) for n in (8_000, 20_000)]
    extractor = module.ImageNetFeaturesOfSound(n_fft=1024, hop_length=160, n_mels=128, top_db=None)
    cells = pd.DataFrame({"audio": pd.Series(clips, dtype=object)})
    both = extractor.fit_transform(cells)
    single = extractor.fit_transform(cells.iloc[:1])
    assert both.shape == (2, 1280)
    assert np.allclose(np.asarray(both)[:1], np.asarray(single), atol=1e-4)


def test_neighbours_are_utterances_of_the_same_video(parts):
    places = pd.DataFrame({"video": ["a", "b", "a", "a"], "place": [2, 1, 10, 1]})
    near = parts("mosi")._neighbours(np.array([1.0, 2.0, 3.0, 4.0]), places)
    assert near[0].tolist() == [4, 3, 0, 0, 3.5]  # at distance 1 and 2, and the mean of the others
    assert near[1].tolist() == [0] * 5
    assert near[3].tolist() == [0, 1, 0, 3, 2]


def test_training_rows_are_predicted_by_networks_fitted_on_other_videos(parts):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"text__tone": rng.normal(size=60), "audio__pitch": rng.normal(size=60)})
    groups = np.arange(60) // 6
    seen = []

    class Text(LinearRegression):
        def __init__(self, random_state=None):
            super().__init__()
            self.random_state = random_state

        def fit(self, X, y):
            seen.append(set(X.index))
            return super().fit(X, y)

        def predict(self, X):
            assert list(X) == ["text__tone"]
            return super().predict(X)

    model = parts("mosi").FusedReview(Text(), LinearRegression(), None, random_state=3)
    model.fit(X, X["text__tone"] + X["audio__pitch"], groups=groups)
    assert len(seen) == 4
    for rows in seen:
        assert not set(groups[list(rows)]) & set(groups[list(set(range(60)) - rows)])
    assert [text.random_state for text in model.texts_] == [12, 13, 14, 15]
    assert np.corrcoef(model.predict(X), X.sum(axis=1))[0, 1] > 0.99


def test_long_texts_are_split_at_ends_of_sentences(parts):
    cut = parts("_sentiment_text").cut
    text = "one two three four. five six seven<br />eight nine. ten"
    assert cut(text, 5) == ["one two three four.", "five six seven eight nine.", "ten"]
    assert " ".join(cut("a b c d e f g", 3)) == "a b c d e f g"
    assert cut(" ", 3) == [" "]
