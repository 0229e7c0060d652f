"""Behaviour of the estimators that scikit-learn's checks do not cover."""

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, cross_val_score

from sklearn_mmsent import FillBlocks, FusionClassifier, FusionMultitask, FusionRegressor
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.exceptions import BlockError
from sklearn_mmsent.nn import ConcatFusion, Fusion, MLPEncoder
from sklearn_mmsent.sampling import ModalityMixup
from sklearn_mmsent.training import BlockDataset, train_network


def quick(**params):
    return FusionClassifier(**{"max_epochs": 3, "random_state": 0, **params})


@pytest.fixture(name="table", scope="module")
def _table():
    rng = np.random.default_rng(0)
    said, shown = rng.choice([-1.0, 1.0], (2, 300))
    X = pd.DataFrame(
        {
            "text__a": said + rng.normal(scale=0.3, size=300),
            "text__b": rng.normal(size=300),
            "face__a": shown + rng.normal(scale=0.3, size=300),
        }
    )
    return X, np.where(said == shown, "sincere", "ironic")


@pytest.fixture(name="training")
def _training(monkeypatch):
    """The datasets that reach the training loop."""
    calls = []

    def spy(member):
        calls.append((member.plan, member.train, member.valid))
        return train_network(member)

    monkeypatch.setattr("sklearn_mmsent.estimators._base.train_network", spy)
    return calls


@pytest.mark.parametrize("fusion", ["concat", "weighted", "gated"])
def test_interactions_of_modalities_are_learned(table, fusion):
    X, y = table
    clf = FusionClassifier(fusion, max_epochs=40, random_state=0)
    both = cross_val_score(clf, X, y, cv=3).mean()
    text = X[["text__a", "text__b"]]
    alone = cross_val_score(clf, text, y, cv=3).mean()
    assert both > 0.9
    assert alone < 0.65


def test_kinds_of_estimators():
    assert is_classifier(FusionClassifier())
    assert is_regressor(FusionRegressor())


# -- internal split ------------------------------------------------------------------------------


def rows_of(dataset):
    (values, _, _), _ = dataset[torch.arange(len(dataset))]
    return {tuple(row) for row in np.hstack([v.numpy() for v in values])}


@pytest.mark.parametrize("sampler", [None, RandomOverSampler(), SMOTE(), RandomUnderSampler()])
def test_no_row_or_group_is_on_both_sides(table, training, sampler):
    X, y = table
    X = X.copy()
    X["text__b"] = np.arange(300.0)  # identifies the original row
    X.iloc[150:200] = X.iloc[:50].to_numpy()  # copies, as an oversampler before would make them
    y = np.where(np.arange(300) % 3 == 0, "rare", "often")
    y[150:200] = y[:50]
    groups = np.arange(300) // 2
    quick(sampler=sampler, validation_fraction=0.3).fit(X, y, groups=groups)
    [(_, train, valid)] = training
    held = {int(row[1]) for row in rows_of(valid)}
    assert 30 <= len(held) <= 100
    if not isinstance(sampler, SMOTE):  # whose rows lie between two others
        trained = {int(row[1]) for row in rows_of(train)}
        assert not held & trained
        pair = {row // 2 for row in held}
        assert not pair & {row // 2 for row in trained}


def test_the_sampler_sees_training_rows_only_and_balances_them(table, training):
    X, y = table
    y = np.where(np.arange(300) % 5 == 0, "rare", "often")
    quick(sampler=SMOTE(random_state=0)).fit(X, y)
    [(_, train, valid)] = training
    counts = np.bincount(train.targets.numpy())
    assert counts[0] == counts[1]
    share = (valid.targets.numpy() == 1).mean()
    assert 0.1 < share < 0.3  # the validation rows keep the natural shares


def test_a_sampler_works_on_missing_blocks_and_sequences(named_table, training):
    X, y, _ = named_table(150, missing=0.2)
    clf = quick(sampler=SMOTE(k_neighbors=3)).fit(X, y)
    [(_, train, _)] = training
    assert 0 < (~train.present).sum() < train.present.numel()
    assert not any(torch.isnan(values).any() for values in train.values)
    assert clf.predict(X).shape == y.shape


def test_an_unseeded_sampler_is_seeded(table):
    X, y = table
    y = np.where(np.arange(300) % 5 == 0, "rare", "often")
    first, second = (quick(sampler=SMOTE()).fit(X, y).predict_proba(X) for _ in range(2))
    assert (first == second).all()


def test_sample_weight_follows_chosen_rows_but_not_blends(table, training):
    X, y = table
    y = np.where(np.arange(300) % 5 == 0, "rare", "often")
    weight = np.where(y == "rare", 3.0, 1.0)
    quick(sampler=RandomOverSampler(random_state=0)).fit(X, y, sample_weight=weight)
    [(_, train, _)] = training
    np.testing.assert_array_equal(train.weights.numpy(), np.where(train.targets == 1, 3, 1))
    with pytest.raises(ValueError, match="SMOTE makes new rows, for which sample_weight has no"):
        quick(sampler=SMOTE()).fit(X, y, sample_weight=weight)


def test_a_sampler_may_return_shares_of_classes(named_table, training):
    X, y, _ = named_table(60)
    mixup = ModalityMixup({"neg": 50}, labels="soft", random_state=0)
    clf = quick(sampler=mixup, class_weight={"neg": 2.0}).fit(X, y)
    [(_, train, valid)] = training
    assert train.targets.shape == (len(train), 3)
    assert ((train.targets > 0) & (train.targets < 1)).any()
    torch.testing.assert_close(train.weights, 1 + train.targets[:, 0])
    assert valid.targets.ndim == 1
    assert clf.predict_proba(X).shape == (60, 3)
    for options in ({"loss": "focal"}, {"ordinal": ["neg", "neu", "pos"]}):
        with pytest.raises(ValueError, match=r"ModalityMixup gives shares of classes, .* cannot"):
            quick(sampler=mixup, **options).fit(X, y)
    with pytest.raises(ValueError, match=r"ModalityMixup gave targets of shape .* one target per"):
        FusionRegressor(sampler=ModalityMixup(labels="soft")).fit(X, np.where(y == "neg", 0, 1))


def test_hard_and_one_hot_soft_labels_are_equivalent(named_table):
    X, y, _ = named_table(60)

    class Certain(ModalityMixup):
        def fit_resample(self, X, y):
            return X, pd.get_dummies(y, dtype=float)

    filled = FillBlocks().fit_transform(X)
    soft = quick(sampler=Certain(labels="soft"), early_stopping=False).fit(filled, y)
    hard = quick(early_stopping=False).fit(filled, y)
    np.testing.assert_allclose(soft.predict_proba(filled), hard.predict_proba(filled), atol=1e-5)


def test_balanced_batches_draw_each_class_equally_often():
    classes = np.repeat([0, 1, 2], [50, 9, 1])
    X = pd.DataFrame({"a__x": np.arange(60.0)})
    data = BlockDataset(BlockLayout.from_names(X.columns).read(X), classes)
    plain, balanced = data.view(), data.view(classes=classes)
    generator = torch.Generator().manual_seed(0)
    assert sorted(plain.order(generator).tolist()) == list(range(60))
    epochs = [balanced.order(generator) for _ in range(8)]
    for order in epochs:
        assert np.bincount(classes[order], minlength=3).tolist() == [20, 20, 20]
        assert np.bincount(order, minlength=60)[:50].max() == 1
        assert set(np.bincount(order, minlength=60)[50:59]) <= {2, 3}
    assert not torch.equal(epochs[0], epochs[1])
    assert len(set(torch.cat(epochs).tolist())) > 55


def test_balanced_batches_raise_the_recall_of_a_small_class():
    rng = np.random.default_rng(0)
    y = np.where(rng.random(600) < 0.06, "rare", "often")
    X = pd.DataFrame(rng.normal(size=(600, 4)), columns=["a__x", "a__y", "b__x", "b__y"])
    X["a__x"] += np.where(y == "rare", 1.5, 0.0)
    rare = y == "rare"
    recalls = [
        (quick(max_epochs=10, balanced_batches=on).fit(X, y).predict(X[rare]) == "rare").mean()
        for on in (False, True)
    ]
    assert recalls[1] > recalls[0] + 0.3


AUGMENTED = {"block_noise": 0.3, "mixup": 0.4, "time_masking": 0.3, "frequency_masking": 0.3}


@pytest.mark.parametrize("option", [*AUGMENTED, "balanced_batches"])
def test_augmentation_changes_training_and_not_prediction(named_table, option):
    X, y, _ = named_table(80, {"text": 4, "audio": (6, 3)}, missing=0.2)
    y[:20] = "neg"
    amount = AUGMENTED.get(option, True)
    plain, changed, again = (
        quick(early_stopping=False, **params).fit(X, y)
        for params in ({}, {option: amount}, {option: amount})
    )
    assert not np.array_equal(plain.predict_proba(X), changed.predict_proba(X))
    assert np.array_equal(changed.predict_proba(X), again.predict_proba(X))
    assert np.array_equal(changed.predict_proba(X), changed.predict_proba(X))
    off = quick(early_stopping=False, **{option: type(amount)(0)}).fit(X, y)
    assert np.array_equal(plain.predict_proba(X), off.predict_proba(X))


@pytest.mark.parametrize("kind", [FusionRegressor, FusionMultitask])
def test_augmentation_of_other_targets(named_table, kind):
    X, y, _ = named_table(80, {"text": 4, "audio": (6, 3)}, missing=0.2)
    y = np.where(y == "pos", 1.5, -1.0) + np.linspace(0, 0.1, 80)
    y = y if kind is FusionRegressor else pd.DataFrame({"all": y, "text": -y})
    model = kind(hidden_size=8, max_epochs=3, random_state=0, **AUGMENTED).fit(X, y)
    assert np.isfinite(np.asarray(model.predict(X), dtype=float)).all()


@pytest.mark.parametrize(
    "params",
    [
        {"mixup": -1},
        {"mixup": 11},
        {"block_noise": -0.1},
        {"time_masking": 1.0},
        {"frequency_masking": 2},
    ],
)
def test_invalid_augmentation_is_rejected(table, params):
    with pytest.raises(ValueError, match=next(iter(params))):
        quick(**params).fit(*table)


def test_given_validation_rows_are_used(table, training):
    X, y = table
    clf = quick(max_epochs=30, n_iter_no_change=2).fit(
        X[:200], y[:200], X_val=X[200:], y_val=y[200:]
    )
    [(_, train, valid)] = training
    assert (len(train), len(valid)) == (200, 100)
    assert len(clf.net_.history[:, "valid_loss"]) <= 30
    numbers = (y == "ironic").astype(int)
    as_bools = quick().fit(X[:200], numbers[:200], X_val=X[200:], y_val=numbers[200:] == 1)
    as_numbers = quick().fit(X[:200], numbers[:200], X_val=X[200:], y_val=numbers[200:])
    assert (as_bools.predict_proba(X) == as_numbers.predict_proba(X)).all()
    with pytest.raises(ValueError, match="X_val is given without y_val"):
        quick().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="y_val has the label 'odd' at row 0, which is"):
        quick().fit(X, y, X_val=X[:1], y_val=["odd"])
    with pytest.raises(ValueError, match="feature names"):
        quick().fit(X, y, X_val=X.rename(columns={"text__a": "text__z"}), y_val=y)


def test_statistics_come_from_training_rows_only(table, training):
    X, y = table
    quick(validation_fraction=0.4).fit(X, y)
    [(plan, train, _)] = training
    (values, _, _), _ = train[torch.arange(len(train))]
    np.testing.assert_allclose(plan.statistics[0][0], values[0].numpy().mean(0))


def test_early_stopping_off_uses_all_rows(table, training):
    X, y = table
    quick(early_stopping=False).fit(X, y)
    [(_, train, valid)] = training
    assert len(train) == 300
    assert valid is None


# -- metadata ------------------------------------------------------------------------------------


def test_groups_are_routed_without_being_requested(table):
    X, y = table
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            quick(), X, y, cv=GroupKFold(3), params={"groups": np.arange(300) // 10}
        )
    assert len(scores) == 3


def test_metadata_is_checked(table):
    X, y = table
    with pytest.raises(ValueError, match=r"groups has 5 entries, but X has 300 rows.*sampler="):
        quick().fit(X, y, groups=range(5))
    with pytest.raises(ValueError, match="sample_weight has 5 entries, but X has 300 rows"):
        quick().fit(X, y, sample_weight=np.ones(5))
    groups = np.array(["a"] * 299 + [None], dtype=object)
    with pytest.raises(ValueError, match="groups has no value at row 299"):
        quick().fit(X, y, groups=groups)
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        quick().fit(X, y, sample_weight=-np.ones(300))


@pytest.mark.parametrize("how", ["class_weight", "sample_weight"])
def test_weights_move_the_decision(table, how):
    X, _ = table
    rng = np.random.default_rng(0)
    y = np.where(rng.random(300) < 0.2, "rare", "often")  # nothing to learn but the shares
    plain = quick(early_stopping=False).fit(X, y).predict_proba(X)[:, 1].mean()
    if how == "class_weight":
        weighted = quick(early_stopping=False, class_weight="balanced").fit(X, y)
        by_dict = quick(early_stopping=False, class_weight={"rare": 4.0, "often": 1.0}).fit(X, y)
        assert by_dict.predict_proba(X)[:, 1].mean() > plain + 0.1
    else:
        weight = np.where(y == "rare", 4.0, 1.0)
        weighted = quick(early_stopping=False).fit(X, y, sample_weight=weight)
    assert weighted.predict_proba(X)[:, 1].mean() > plain + 0.1


# -- architecture as parameters ------------------------------------------------------------------


def test_custom_classes_for_fusion_and_encoder(table):
    class Sum(ConcatFusion):
        def forward(self, vectors, present):
            return vectors.sum(1)

    class Wide(MLPEncoder):
        pass

    X, y = table
    clf = quick(fusion=Sum, encoders={"face": Wide}, hidden_size=10).fit(X, y)
    module = clf.net_.module_
    assert isinstance(module.fusion, Sum)
    assert [type(e) for e in module.encoders] == [MLPEncoder, Wide]
    with pytest.raises(ValueError, match="encoders names 'smell', which is not a modality"):
        quick(encoders={"smell": "mlp"}).fit(X, y)
    with pytest.raises(ValueError, match="unknown encoder 'gru2' for the block 'text'"):
        quick(encoders={"text": "gru2"}).fit(X, y)


def test_modality_dropout_trains_for_absence(table):
    X, y = table
    y = np.where(X["text__a"] > 0, "pos", "neg")
    X = X.assign(face__a=X["text__a"] + 0.01 * X["text__b"])  # each modality alone is enough
    gone = X.assign(face__a=np.nan)
    clf = FusionClassifier(random_state=0, modality_dropout=0.3).fit(X, y)
    assert clf.score(gone, y) > 0.9


def test_only_verbose_fits_print(table, capsys):
    X, y = table
    quick().fit(X, y)
    assert capsys.readouterr().out == ""
    quick(verbose=1).fit(X, y)
    assert "valid_loss" in capsys.readouterr().out


@pytest.mark.parametrize("params", [{"lr": -1}, {"fusion": "glue"}, {"dropout": 1.0}])
def test_parameters_are_checked(table, params):
    with pytest.raises(
        ValueError, match=f"The '{next(iter(params))}' parameter of FusionClassifier"
    ):
        quick(**params).fit(*table)


# -- bad input -----------------------------------------------------------------------------------


def test_invalid_labels_are_rejected(table):
    X, y = table
    with pytest.raises(ValueError, match="y has one class only: 'sincere'"):
        quick().fit(X, np.full(300, "sincere"))
    missing = y.astype(object)
    missing[7] = None
    with pytest.raises(ValueError, match="row 7 has no label"):
        quick().fit(X, missing)
    with pytest.raises(ValueError, match="row 3 is nan"):
        FusionRegressor().fit(X, np.where(np.arange(300) == 3, np.nan, 1.0))
    with pytest.raises(ValueError, match=r"predicts numbers, and y .* use FusionClassifier"):
        FusionRegressor().fit(X, y)


def test_a_class_with_a_single_row(table, training):
    X, y = table
    y = y.astype(object)
    y[0] = "unique"
    clf = quick().fit(X, y)
    [(_, train, _)] = training
    assert clf.predict_proba(X).shape == (300, 3)
    assert (train.targets == list(clf.classes_).index("unique")).sum() == 1


def test_a_modality_without_training_rows(table):
    X, y = table
    with pytest.warns(UserWarning, match="no training row has the block 'face'"):
        clf = quick().fit(X.assign(face__a=np.nan), y)
    np.testing.assert_array_equal(clf.predict_proba(X), clf.predict_proba(X.assign(face__a=np.nan)))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_columns_of_another_table(table):
    X, y = table
    clf = quick().fit(X, y)
    unseen = X.assign(voice__a=1.0)
    for bad, message in [
        (unseen, "unseen at fit time:\n- voice__a"),
        (X.drop(columns="face__a"), "yet now missing:\n- face__a"),
        (X[X.columns[::-1]], "must be in the same order"),
        (X.to_numpy()[:, :2], "X has 2 features"),
    ]:
        with pytest.raises(BlockError, match=message) as caught:
            clf.predict(bad)
        assert "needs the columns of its training table, in their order" in str(caught.value)
    with pytest.raises(BlockError, match="column name 'text__a' is duplicated"):
        quick().fit(X.set_axis(["text__a", "text__a", "face__a"], axis=1), y)


def test_infinity_and_text_in_a_table(table):
    X, y = table
    broken = X.copy()
    broken.loc[5, "face__a"] = np.inf
    with pytest.raises(BlockError, match="row 5, column 2 'face__a' is inf"):
        quick().fit(broken, y)
    clf = quick().fit(X, y)
    with pytest.raises(BlockError, match="row 5, column 2 'face__a' is inf"):
        clf.predict(broken)
    with pytest.raises(BlockError, match="column 'text__a' has dtype"):
        quick().fit(X.astype({"text__a": str}), y)


def test_empty_tables(table):
    X, y = table
    clf = quick().fit(X, y)
    with pytest.raises(ValueError, match=r"found 0 sample\(s\)"):
        clf.predict(X[:0])


def test_the_regressor_is_invariant_to_units(table):
    X, _ = table
    y = X["text__a"] + X["face__a"]
    params = {"random_state": 0, "max_epochs": 20}
    plain = FusionRegressor(**params).fit(X, y).predict(X)
    moved = FusionRegressor(**params).fit(X, 1000 + 50 * y).predict(X)
    np.testing.assert_allclose((moved - 1000) / 50, plain, atol=1e-4)
    constant = FusionRegressor(**params).fit(X, np.full(300, 7.0)).predict(X)
    np.testing.assert_allclose(constant, 7, atol=0.3)


class MeanOfTokens(Fusion):
    """The mean of all real tokens; counts how often it is asked for its loss."""

    sequential = True
    asked = 0

    def __init__(self, n_blocks, width, dropout, scale=1.0):
        super().__init__()
        self.scale = scale

    def forward(self, tokens, real, present):
        for sequence, mask in zip(tokens, real, strict=True):
            assert sequence.shape[:2] == mask.shape
            assert mask.any(dim=1).all()
        tokens, real = torch.cat(tokens, dim=1), torch.cat(real, dim=1).unsqueeze(-1)
        return self.scale * (tokens * real).sum(1) / real.sum(1)

    def auxiliary_loss(self, intermediates, batch):
        MeanOfTokens.asked += 1
        assert batch.losses.shape == batch.weights.shape
        assert not batch.losses.requires_grad
        return None


class FirstDecides(Fusion):
    """The first block's vector decides alone."""

    decides = True

    def __init__(self, n_blocks, width, dropout, head):
        super().__init__()
        self.head = head()

    def forward(self, vectors, present):
        return self.head(vectors[:, 0])

    def auxiliary_loss(self, intermediates, batch):
        return sum(p.abs().sum() for p in self.head.parameters())


def test_a_fusion_of_sequences_and_its_options(named_table):
    X, y, _ = named_table(60, missing=0.3)
    settings = {"max_epochs": 2, "random_state": 0, "early_stopping": False}
    MeanOfTokens.asked = 0
    one = FusionClassifier(MeanOfTokens, **settings).fit(X, y)
    assert MeanOfTokens.asked == 2 * 2  # batches of training rows, and of no others
    two = FusionClassifier(MeanOfTokens, fusion_params={"scale": 2.0}, **settings).fit(X, y)
    assert (one.predict_proba(X) != two.predict_proba(X)).any()


def test_a_fusion_that_decides_and_adds_to_the_loss(named_table):
    X, y, _ = named_table(60)
    clf = FusionClassifier(FirstDecides, max_epochs=30, random_state=0).fit(X, y)
    assert isinstance(clf.net_.module_.head, torch.nn.Identity)
    assert clf.predict_proba(X).shape == (60, 3)
    free = FusionClassifier("concat", max_epochs=30, random_state=0).fit(X, y)
    assert clf.net_.history[0, "train_loss"] > free.net_.history[0, "train_loss"]


def test_encoders_and_fusions_derive_from_their_base_classes(named_table):
    X, y, _ = named_table(60)

    class Plain(torch.nn.Module):
        pass

    with pytest.raises(ValueError, match=r"sklearn_mmsent.nn.Encoder. Got Plain instead"):
        FusionClassifier(encoders=Plain).fit(X, y)
    with pytest.raises(ValueError, match=r"nn.Fusion if it is a class. Got Plain instead"):
        FusionClassifier(Plain).fit(X, y)


def test_a_subclass_may_have_fewer_parameters(table):
    class Small(FusionClassifier):
        def __init__(self, lr=1e-3):
            super().__init__("gated", lr=lr, max_epochs=3, random_state=0)

    X, y = table
    small = clone(Small(lr=0.01)).fit(X, y)
    plain = quick(fusion="gated", lr=0.01).fit(X, y)
    assert (small.predict_proba(X) == plain.predict_proba(X)).all()


def test_acronyms_name_fusions(named_table):
    X, y, _ = named_table(60)
    settings = {"max_epochs": 2, "random_state": 0}
    acronym, name = (FusionClassifier(f, **settings).fit(X, y) for f in ("gmu", "gated"))
    assert (acronym.predict_proba(X) == name.predict_proba(X)).all()


def test_a_misspelt_fusion_gets_a_suggestion(named_table):
    X, y, _ = named_table(60)
    message = r"must be one of 'concat', .*'gmu' .* Got 'gatd' instead. Did you mean 'gated'\?"
    with pytest.raises(ValueError, match=message):
        FusionClassifier("gatd").fit(X, y)


def test_encoders_take_options(named_table):
    X, y, _ = named_table(60)
    with pytest.raises(TypeError, match="depth"):
        FusionClassifier(encoders={"text": ("mlp", {"depth": 2})}).fit(X, y)


@pytest.mark.parametrize(
    ("cls", "name"),
    [(FusionClassifier, "classes_"), (FusionMultitask, "classes_"), (FusionMultitask, "targets_")],
)
def test_fitted_attributes_are_missing_before_fit(cls, name):
    assert not hasattr(cls(), name)
    with pytest.raises(NotFittedError, match=f"This {cls.__name__} instance is not fitted yet"):
        getattr(cls(), name)
