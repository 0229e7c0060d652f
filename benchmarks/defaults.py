"""Compare a constant, each modality alone, a linear model and the fusions on real data.

Each data set is cut as its field cuts it: a fixed test part, or folds that share no speaker.
Without --quick the scores go to OUTPUT/defaults.csv, one row per fit, and all sections of
OUTPUT/defaults.md are written anew from it; data sets that were not asked for keep their rows.

    python benchmarks/defaults.py --data FOLDER --quick
    python benchmarks/defaults.py --data FOLDER --only mosi ravdess --seeds 5 --jobs 2
"""

import argparse
import tempfile
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from joblib import cpu_count
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from common.data import data_folder, load_dataset
from common.features import MINILM, extract, find_text_model
from sections import defaults_page
from sklearn_mmsent import (
    MFCC,
    Cached,
    ColorTexture,
    FillBlocks,
    FusionClassifier,
    FusionRegressor,
    LogMel,
    TextEmbedder,
    TfidfEmbedder,
    make_pipeline,
)
from sklearn_mmsent import compare as compare_models
from sklearn_mmsent.compose import MultimodalExtractor, SelectModalities

QUICK_ROWS = 300
LINEAR = "linear, all"
COMPARED = ("concat", "weighted", "gated")  # of the fusions, those on the published page
LIBRARIES = ("sklearn-mmsent", "scikit-learn", "torch", "skorch", "imbalanced-learn")


@dataclass(frozen=True)
class Benchmark:
    """A data set and how it is cut: folds by group, or its own test part."""

    name: str
    loader: str
    n_folds: int | None = None


BENCHMARKS = (
    Benchmark("mvsa_single:split", "mvsa_single"),
    Benchmark("mvsa_single:split_qmf", "mvsa_single_qmf"),
    Benchmark("mvsa_single:split_clmlf", "mvsa_single_clmlf"),
    Benchmark("ravdess:speech", "ravdess_speech", n_folds=6),
    Benchmark("ravdess:song", "ravdess_song", n_folds=6),
    Benchmark("mosi", "mosi"),
    Benchmark("hazumi", "hazumi"),
    Benchmark("imdb_poster_review", "imdb_poster_review"),
)


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    text_name, text_model = find_text_model(options.text_model)
    with tempfile.TemporaryDirectory() as scratch:
        cache = options.cache or scratch
        extractors = {
            "image": Cached(ColorTexture(), cache),
            "audio": {"mfcc": Cached(MFCC(), cache), "logmel": Cached(LogMel(), cache)},
        }
        if text_model is not None:
            extractors["text"] = Cached(TextEmbedder(text_model), cache)
        for benchmark in options.only:
            start = time.perf_counter()
            data = load_dataset(benchmark.loader, options.data)
            if options.quick:
                data = _some_rows(data)
            table = extract(data.X, extractors)
            scores = compare(benchmark, data, table, options)
            scores["settings"] = _settings(data, options, text_name)
            print(f"\n{defaults_page.table(scores)}\n")
            print(f"{benchmark.name}: {time.perf_counter() - start:.0f} s\n", flush=True)
            if not options.quick and options.part == "test":
                defaults_page.add(options.output, scores, [b.name for b in BENCHMARKS])
    if not options.quick and options.part == "test":
        print(f"Tables and the scores of each fit are in {options.output}")


def compare(benchmark, data, table, options):
    """Fit and score all models on all splits with all seeds.

    Parameters
    ----------
    benchmark : Benchmark
        How the rows are cut.
    data : Bunch
        Targets, groups and parts of the rows.
    table : DataFrame
        The rows, as `extract` gives them.
    options : Namespace
        Command line.

    Returns
    -------
    DataFrame
        One row per fit.
    """
    models = build_models(table, data.task, options.imbalance)
    with warnings.catch_warnings():
        # published splits are taken as they are, and the page tells of the near-duplicates
        warnings.filterwarnings("ignore", message=".*cut through groups")
        results = compare_models(
            models,
            table,
            data.y,
            groups=data.groups,
            cv=make_splits(benchmark, data, options.part),
            seeds=range(options.seeds),
            n_jobs=options.jobs,
            batched=False,  # seconds of each fit are told
            verbose=1,
        ).results
    if not _resamples(data, options):
        # its solver draws nothing: other seeds would only look like certainty
        results = results[(results["model"] != LINEAR) | (results["seed"] == 0)]
    scores = results.assign(
        data=benchmark.name, rows=len(table), groups=len(np.unique(data.groups))
    ).sort_values(["seed", "fold"], kind="stable")
    scores = scores.sort_values("model", key=lambda m: m.map(list(models).index), kind="stable")
    return scores[[c for c in defaults_page.COLUMNS if c in scores]]


def make_splits(benchmark, data, part):
    """Cut the rows into what is fitted and what is scored.

    Parameters
    ----------
    benchmark : Benchmark
        Whether by folds or by the set's own parts.
    data : Bunch
        Groups and parts of the rows.
    part : {"test", "val"}
        "test" fits on all other rows; "val" fits on the training part and scores the
        validation part, without a look at the test part.

    Returns
    -------
    list of (ndarray of int, ndarray of int) tuples
        Numbers of the rows to fit on and to score.
    """
    if part == "val":
        return [(np.flatnonzero(data.split == "train"), np.flatnonzero(data.split == "val"))]
    if benchmark.n_folds is None:
        scored = data.split == "test"
        return [(np.flatnonzero(~scored), np.flatnonzero(scored))]
    return list(GroupKFold(benchmark.n_folds).split(data.X, groups=data.groups))


def build_models(table, task, imbalance):
    """Build what is compared: a constant, each modality alone, all in a line, and the fusions.

    Parameters
    ----------
    table : DataFrame
        Blocks, and perhaps a raw column "text".
    task : {"classification", "intensity"}
        What is predicted.
    imbalance : {"none", "class_weight", "oversample"}
        What all classifiers do about classes of unequal size.

    Returns
    -------
    dict of str to estimator
        Pipelines from rows of the table to predictions, in the order of the report.
    """
    modalities = list(dict.fromkeys(name.partition("__")[0] for name in table))
    weights = "balanced" if imbalance == "class_weight" else None
    sampler = RandomOverSampler() if imbalance == "oversample" else None
    learned = [_embed_learned_text()] if "text" in table else []

    def fuse(fusion, names=modalities):
        select = [SelectModalities(names)] if names != modalities else []
        network = (
            # inside the estimator, the sampler acts after the split for early stopping
            FusionClassifier(fusion, class_weight=weights, sampler=sampler)
            if task == "classification"
            else FusionRegressor(fusion)
        )
        return make_pipeline(*learned, *select, network)

    if task == "classification":
        constant = DummyClassifier()
        # of 1, 0.1, 0.01 and 0.001 the best on validation parts, as the page tells
        line = [LogisticRegression(C=0.01, class_weight=weights, max_iter=2000)]
        line = [*([sampler] if sampler else []), StandardScaler(), *line]
    else:
        constant = DummyRegressor()
        line = [StandardScaler(), RidgeCV(alphas=np.logspace(0, 5, 11))]
    return {
        "constant": constant,
        **{f"{name} alone": fuse("concat", [name]) for name in modalities},
        LINEAR: make_pipeline(*learned, FillBlocks(), *line),
        **{f"{fusion} fusion": fuse(fusion) for fusion in COMPARED},
    }


def _embed_learned_text():
    """Learn to embed the raw text inside the pipeline, from training rows, and pass the rest."""
    return MultimodalExtractor(
        [("text", TfidfEmbedder(), "text")],
        remainder="passthrough",
        verbose_feature_names_out=_name_feature,
    )


def _name_feature(transformer, feature):
    return feature if transformer == "remainder" else f"{transformer}__{feature}"


def _some_rows(data):
    rows = np.random.default_rng(0).permutation(len(data.X))[:QUICK_ROWS]
    rows.sort()
    return Bunch(
        X=data.X.iloc[rows].reset_index(drop=True),
        task=data.task,
        convention=data.convention,
        **{key: data[key][rows] for key in ("y", "groups", "split")},
    )


def _resamples(data, options):
    return data.task == "classification" and options.imbalance == "oversample"


def _settings(data, options, text_name):
    """Tell in one cell of the csv what made a row."""
    extractors = {"text": text_name, "image": "ColorTexture", "audio": "MFCC+LogMel"}
    settings = {name: extractors[name] for name in data.X if name in extractors}
    if data.task == "classification":
        settings["imbalance"] = options.imbalance
    if settings.get("text") not in (None, "tf-idf"):
        settings["sentence-transformers"] = version("sentence-transformers")
    settings |= {name: version(name) for name in LIBRARIES}
    settings["cores"] = cpu_count()
    return " ".join(f"{name}={value}" for name, value in settings.items())


def _choose(names):
    """Benchmarks whose name, or its part before the colon, was asked for."""
    return [b for b in BENCHMARKS if {b.name, b.name.partition(":")[0]} & set(names)]


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = sorted({name for b in BENCHMARKS for name in (b.name, b.name.partition(":")[0])})
    parser.add_argument("--data", metavar="FOLDER", help="of all data (default: $MMSENT_DATA)")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=names,
        default=names,
        help=f"data sets (default: all): {', '.join(names)}",
    )
    parser.add_argument("--seeds", type=int, default=5, help="fits of each network (default: 5)")
    parser.add_argument("--jobs", type=int, default=2, help="fits at once (default: 2)")
    parser.add_argument(
        "--text-model",
        metavar="FOLDER",
        help="sentence-transformers model, or 'tfidf' (default: the one in the package "
        f"{MINILM}; tf-idf where it is not installed)",
    )
    parser.add_argument(
        "--imbalance",
        choices=["none", "class_weight", "oversample"],
        default="oversample",
        help="what every classifier does about unequal classes (default: oversample)",
    )
    parser.add_argument("--cache", metavar="FOLDER", help="keeps features for the next run")
    parser.add_argument(
        "--part",
        choices=["test", "val"],
        default="test",
        help="val fits on the training part and prints scores of the validation part, to "
        "choose settings by; it writes nothing (default: test)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_ROWS} rows and one seed, to see it run; prints scores, writes nothing",
    )
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        type=Path,
        default=Path(__file__).parents[1] / "docs" / "benchmarks",
        help="where defaults.md and defaults.csv are (default: docs/benchmarks)",
    )
    options = parser.parse_args(arguments)
    if min(options.seeds, options.jobs) < 1:
        parser.error("--seeds and --jobs must be at least 1")
    try:
        options.data = data_folder(options.data)
    except FileNotFoundError as error:
        parser.error(str(error))
    options.only = _choose(options.only)
    options.seeds = 1 if options.quick else options.seeds
    return options


if __name__ == "__main__":
    main()
