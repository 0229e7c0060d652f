"""Compare samplers, weights, losses, augmentation and offsets for imbalanced classes.

Each method is combined with one network. All are fitted on the training part and scored on the
validation part, from which the recommended and the best method are chosen; then they are fitted on
both parts and scored on the test part once per seed. Writes docs/benchmarks/imbalance.md from
imbalance.csv, which has one row per fit; other data sets and methods keep their rows.

    python benchmarks/imbalance.py --data FOLDER --quick
    python benchmarks/imbalance.py --data FOLDER --seeds 5 --jobs 2
    python benchmarks/imbalance.py --data FOLDER --only ravdess:speech --methods mixup
"""

import tempfile
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.metrics import recall_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils import Bunch
from tqdm import tqdm

from common.command_line import make_parser, parse
from common.data import load_dataset
from common.features import extract, find_text_model
from common.report import update_csv, write_page
from sections.imbalance_page import NONE, format_page, write_table
from sklearn_mmsent import (
    MFCC,
    Cached,
    ColorTexture,
    FusionClassifier,
    LogMel,
    TextEmbedder,
    classification_scores,
)
from sklearn_mmsent.model_selection import TunedOffsetsClassifierCV
from sklearn_mmsent.sampling import (
    AudioAugmenter,
    ImageAugmenter,
    LabelNoiseFilter,
    ModalityBalancer,
    ModalityMixup,
    ModalitySMOTE,
    OutlierRemover,
    TextAugmenter,
)

REAL = {
    "mvsa_single:split": "mvsa_single",
    "mvsa_single:split_qmf": "mvsa_single_qmf",
    "ravdess:speech": "ravdess_speech",
}
RATIOS = (1, 10, 100)
GENERATED = {f"generated 1:{ratio}": ratio for ratio in RATIOS}
QUICK_ROWS, QUICK_EPOCHS = 600, 2


@dataclass(frozen=True)
class Augmented:
    """A network after an augmenter of raw cells; its validation rows are not augmented."""

    augmenter: object
    network: object

    def fit(self, data, fitted, seed):
        """Fit on rows of a data set and their augmented copies; return the network."""
        rows = np.flatnonzero(fitted)
        folds = StratifiedGroupKFold(10, shuffle=True, random_state=seed)
        kept, held = next(folds.split(rows, data.y[rows], data.groups[rows]))
        kept, held = rows[kept], rows[held]
        augmenter = clone(self.augmenter).set_params(random_state=seed)
        raw, y = augmenter.fit_resample(data.raw.iloc[kept], data.y[kept])
        copies = extract(raw.iloc[len(kept) :], data.extractors)
        X = pd.concat([data.X.iloc[kept], copies], ignore_index=True)
        network = clone(self.network).set_params(random_state=seed)
        return network.fit(X, y, X_val=data.X.iloc[held], y_val=data.y[held])


def build_models(epochs=200):
    """Return the network with each method.

    Parameters
    ----------
    epochs : int, default=200
        Maximum number of epochs.

    Returns
    -------
    dict of str to classifier
        Classifiers by the name of the method on the page.
    """

    def network(**params):
        return FusionClassifier("gated", device="cpu", max_epochs=epochs, **params)

    def tuned(**params):
        return TunedOffsetsClassifierCV(network(**params), cv=StratifiedGroupKFold(3))

    balanced = {"class_weight": "balanced"}
    return {
        NONE: network(),
        "RandomOverSampler": network(sampler=RandomOverSampler()),
        "RandomUnderSampler": network(sampler=RandomUnderSampler()),
        "SMOTE": network(sampler=SMOTE()),
        "ModalitySMOTE": network(sampler=ModalitySMOTE()),
        "ModalityMixup": network(sampler=ModalityMixup()),
        "ModalityBalancer": network(sampler=ModalityBalancer()),
        "OutlierRemover": network(sampler=OutlierRemover()),
        "LabelNoiseFilter": network(sampler=LabelNoiseFilter()),
        "LabelNoiseFilter, weights": network(sampler=LabelNoiseFilter(how="weight")),
        "class_weight balanced": network(**balanced),
        "class_weight effective": network(class_weight="effective"),
        "focal loss": network(loss="focal"),
        "focal loss, balanced": network(loss="focal", **balanced),
        "modality_dropout": network(modality_dropout=0.2),
        "offsets": tuned(),
        "balanced_batches": network(balanced_batches=True),
        "block_noise": network(block_noise=0.3),
        "mixup": network(mixup=0.4),
        "TextAugmenter": Augmented(TextAugmenter(replace=0, insert=0), network()),
        "ImageAugmenter": Augmented(ImageAugmenter(), network()),
        "AudioAugmenter": Augmented(AudioAugmenter(factor=1), network()),
        "balanced_batches + mixup": network(balanced_batches=True, mixup=0.4),
        "effective + mixup": network(class_weight="effective", mixup=0.4),
        "balanced + modality_dropout": network(modality_dropout=0.2, **balanced),
        "balanced + OutlierRemover": network(sampler=OutlierRemover(), **balanced),
        "balanced + LabelNoiseFilter": network(sampler=LabelNoiseFilter(), **balanced),
        "balanced + offsets": tuned(**balanced),
        "RandomOverSampler + offsets": tuned(sampler=RandomOverSampler()),
    }


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    models = build_models(QUICK_EPOCHS if options.quick else 200)
    models = {name: models[name] for name in models if name in (options.methods or models)}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.only:
            data = load(name, options, options.cache or scratch)
            applicable = {key: model for key, model in models.items() if _applies(model, data)}
            if not applicable:
                continue
            scores = compare(applicable, data, options).assign(data=name)
            print(f"\n## {name}\n\n{write_table(scores)}\n", flush=True)
            if not options.quick:
                scores = _write_csv(options.output / "imbalance.csv", scores)
    if not options.quick:
        write_page(options.output / "imbalance.md", format_page(scores, options))
        print(f"Wrote imbalance.md after {(time.perf_counter() - start) / 60:.0f} minutes.")


def load(name, options, cache):
    """Load a data set as blocks, labels, groups and parts.

    Parameters
    ----------
    name : str
        One of REAL or GENERATED.
    options : Namespace
        Command line.
    cache : str or Path
        Folder of cached features.

    Returns
    -------
    Bunch
        With ``X``, ``y``, ``groups`` and ``split``.
    """
    if name in GENERATED:
        data = generate(GENERATED[name])
    else:
        data = load_dataset(REAL[name], options.data)
    if options.quick:
        rows = np.sort(np.random.default_rng(0).permutation(len(data.X))[:QUICK_ROWS])
        data = Bunch(X=data.X.iloc[rows], **{k: data[k][rows] for k in ("y", "groups", "split")})
    if name in REAL:
        _, text_model = find_text_model(None)
        data.extractors = {
            "text": Cached(TextEmbedder(text_model), cache),
            "image": Cached(ColorTexture(), cache),
            "audio": {"mfcc": Cached(MFCC(), cache), "logmel": Cached(LogMel(), cache)},
        }
        data.raw = data.X
        data.X = extract(data.X, data.extractors)
    data.X = data.X.reset_index(drop=True)
    return data


def generate(ratio, n_rows=6000, seed=0):
    """Generate rows of three classes in three modalities, a fifth of each missing.

    Parameters
    ----------
    ratio : int
        Size of the largest class relative to the smallest; the third is between.
    n_rows : int, default=6000
        Number of rows, half for training and a sixth for validation.
    seed : int, default=0
        Random seed.

    Returns
    -------
    Bunch
        With ``X``, ``y``, ``groups`` and ``split``.
    """
    rng = np.random.default_rng([seed, ratio])
    share = np.array([ratio, ratio**0.5, 1.0])
    y = rng.choice(3, size=n_rows, p=share / share.sum())
    parts = {}
    for modality, n_features in {"text": 20, "audio": 12, "image": 8}.items():
        centres = rng.normal(size=(3, n_features)) * 1.6 / np.sqrt(n_features)
        values = centres[y] + rng.normal(size=(n_rows, n_features))
        values[rng.random(n_rows) < 0.2] = np.nan
        names = [f"{modality}__f{i:02d}" for i in range(n_features)]
        parts[modality] = pd.DataFrame(values.astype(np.float32), columns=names)
    return Bunch(
        X=pd.concat(parts.values(), axis=1),
        y=np.array(["many", "some", "few"])[y],
        groups=np.arange(n_rows),
        split=rng.choice(["train", "val", "test"], size=n_rows, p=[1 / 2, 1 / 6, 1 / 3]),
    )


def compare(models, data, options):
    """Fit and score every method with every seed, on validation and on test rows.

    Parameters
    ----------
    models : dict of str to classifier
        Classifiers by method.
    data : Bunch
        Data set from `load`.
    options : Namespace
        Command line.

    Returns
    -------
    DataFrame
        One row per fit.
    """
    fitted = {"val": data.split == "train", "test": data.split != "test"}
    tasks = [(p, m, s) for p in fitted for m in models for s in range(options.seeds)]
    with parallel_config("loky", n_jobs=options.jobs, inner_max_num_threads=1):
        runs = Parallel(return_as="generator")(
            delayed(fit_and_score)(models[m], data, fitted[p], data.split == p, s)
            for p, m, s in tasks
        )
        scores = list(tqdm(runs, total=len(tasks), desc="fits", unit="fit", leave=False))
    names = pd.DataFrame(tasks, columns=["part", "model", "seed"])
    return pd.concat([names, pd.DataFrame(scores)], axis=1)


def fit_and_score(model, data, fitted, scored, seed):
    """Fit a clone on some rows and score it on others.

    Parameters
    ----------
    model : classifier
        Classifier.
    data : Bunch
        Data set from `load`.
    fitted, scored : ndarray of bool of shape (n_samples,)
        Masks of the training and test rows.
    seed : int
        Value of every ``random_state``.

    Returns
    -------
    dict of str to float
        Scores, the recall of each class, and seconds.
    """
    start = time.perf_counter()
    if isinstance(model, Augmented):
        model = model.fit(data, fitted, seed)
    else:
        model = clone(model)
        seeds = [name for name in model.get_params() if name.rpartition("__")[2] == "random_state"]
        model.set_params(**dict.fromkeys(seeds, seed))
        model.fit(data.X[fitted], data.y[fitted], groups=data.groups[fitted])
    seconds = time.perf_counter() - start
    y, y_pred = data.y[scored], model.predict(data.X[scored])
    scores = classification_scores(y, y_pred)
    classes = np.unique(data.y)
    recalls = recall_score(y, y_pred, labels=classes, average=None, zero_division=np.nan)
    return {
        **{name: scores[name] for name in ("f1_macro", "f1_weighted", "accuracy")},
        **{f"recall_{label}": recall for label, recall in zip(classes, recalls, strict=True)},
        "seconds": seconds,
    }


def _applies(model, data):
    """Return whether a data set has the raw column that a model augments, if any."""
    return not isinstance(model, Augmented) or model.augmenter.columns in data.get("raw", ())


def _write_csv(path, scores):
    """Write scores to a csv file in place of earlier ones of the same data sets and methods."""
    front = ["data", "part", "model", "seed"]
    scores = scores[front + [c for c in scores if c not in front]]
    order = {"data": [*REAL, *GENERATED], "model": list(build_models())}
    return update_csv(path, scores, keys=["data", "model"], order=order)


def _parse(arguments):
    parser = make_parser(
        __doc__,
        data=True,
        only=[*REAL, *GENERATED],
        seeds=5,
        jobs=2,
        cache=True,
        machine=True,
        quick=f"{QUICK_ROWS} rows, {QUICK_EPOCHS} epochs, one seed",
        writes="imbalance.md and imbalance.csv",
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        choices=list(build_models()),
        help="names of methods, as on the page (default: all)",
    )
    return parse(parser, arguments, without_data=list(GENERATED))


if __name__ == "__main__":
    main()
