"""Compare default fusion networks with a constant, single modalities and a linear model.

Each data set has a fixed test part or folds by speaker, as is usual in its field. Writes
docs/benchmarks/defaults.md from defaults.csv, which has one row per fit; other data sets keep their
rows.

    python benchmarks/defaults.py --data FOLDER --quick
    python benchmarks/defaults.py --data FOLDER --only mosi ravdess --seeds 5 --jobs 2
"""

import tempfile
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from joblib import cpu_count
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from common.command_line import make_parser, parse
from common.data import load_dataset
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
COMPARED = ("concat", "weighted", "gated")  # fusions
LIBRARIES = ("sklearn-mmsent", "scikit-learn", "torch", "skorch", "imbalanced-learn")


@dataclass(frozen=True)
class Benchmark:
    """A data set and its protocol: folds by group, or a fixed test part."""

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
        Protocol.
    data : Bunch
        Targets, groups and parts of the rows.
    table : DataFrame
        Features from `extract`.
    options : Namespace
        Command line.

    Returns
    -------
    DataFrame
        One row per fit.
    """
    models = build_models(table, data.task, options.imbalance)
    with warnings.catch_warnings():
        # published splits have near-duplicates in both parts, as the page says
        warnings.filterwarnings("ignore", message=".*cut through groups")
        results = compare_models(
            models,
            table,
            data.y,
            groups=data.groups,
            cv=make_splits(benchmark, data, options.part),
            seeds=range(options.seeds),
            n_jobs=options.jobs,
            batched=False,  # the csv has the seconds of each fit
            verbose=1,
        ).results
    if not _resamples(data, options):
        # deterministic: repeating it per seed would suggest a standard deviation of 0
        results = results[(results["model"] != LINEAR) | (results["seed"] == 0)]
    scores = results.assign(
        data=benchmark.name, rows=len(table), groups=len(np.unique(data.groups))
    ).sort_values(["seed", "fold"], kind="stable")
    scores = scores.sort_values("model", key=lambda m: m.map(list(models).index), kind="stable")
    return scores[[c for c in defaults_page.COLUMNS if c in scores]]


def make_splits(benchmark, data, part):
    """Split the rows into training and test rows.

    Parameters
    ----------
    benchmark : Benchmark
        Protocol.
    data : Bunch
        Groups and parts of the rows.
    part : {"test", "val"}
        "test" trains on all rows outside the test part; "val" trains on the training part and
        scores the validation part.

    Returns
    -------
    list of (ndarray of int, ndarray of int) tuples
        Indices of training and test rows.
    """
    if part == "val":
        return [(np.flatnonzero(data.split == "train"), np.flatnonzero(data.split == "val"))]
    if benchmark.n_folds is None:
        scored = data.split == "test"
        return [(np.flatnonzero(~scored), np.flatnonzero(scored))]
    return list(GroupKFold(benchmark.n_folds).split(data.X, groups=data.groups))


def build_models(table, task, imbalance):
    """Return a constant, a network per modality, a linear model and the fusions.

    Parameters
    ----------
    table : DataFrame
        Blocks, and optionally a raw column "text".
    task : {"classification", "intensity"}
        Kind of target.
    imbalance : {"none", "class_weight", "oversample"}
        How classifiers treat imbalanced classes.

    Returns
    -------
    dict of str to estimator
        Pipelines by name, in the order of the page.
    """
    modalities = list(dict.fromkeys(name.partition("__")[0] for name in table))
    weights = "balanced" if imbalance == "class_weight" else None
    sampler = RandomOverSampler() if imbalance == "oversample" else None
    embed = [_embed_text()] if "text" in table else []

    def fuse(fusion, names=modalities):
        select = [SelectModalities(names)] if names != modalities else []
        network = (
            # in the estimator, the sampler acts after the split for early stopping
            FusionClassifier(fusion, class_weight=weights, sampler=sampler)
            if task == "classification"
            else FusionRegressor(fusion)
        )
        return make_pipeline(*embed, *select, network)

    if task == "classification":
        constant = DummyClassifier()
        # C was chosen on validation parts, see the page
        linear = LogisticRegression(C=0.01, class_weight=weights, max_iter=2000)
        linear = [*([sampler] if sampler else []), StandardScaler(), linear]
    else:
        constant = DummyRegressor()
        linear = [StandardScaler(), RidgeCV(alphas=np.logspace(0, 5, 11))]
    return {
        "constant": constant,
        **{f"{name} alone": fuse("concat", [name]) for name in modalities},
        LINEAR: make_pipeline(*embed, FillBlocks(), *linear),
        **{f"{fusion} fusion": fuse(fusion) for fusion in COMPARED},
    }


def _embed_text():
    """Return a step that fits tf-idf on training rows and passes the other columns through."""
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
    """Return features, settings and versions as one cell of the csv."""
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
    """Return the benchmarks whose name, or its part before the colon, is among the names."""
    return [b for b in BENCHMARKS if {b.name, b.name.partition(":")[0]} & set(names)]


def _parse(arguments):
    names = sorted({name for b in BENCHMARKS for name in (b.name, b.name.partition(":")[0])})
    parser = make_parser(
        __doc__,
        data=True,
        only=names,
        seeds=5,
        jobs=2,
        part=True,
        cache=True,
        quick=f"{QUICK_ROWS} rows, one seed",
        writes="defaults.md and defaults.csv",
    )
    parser.add_argument(
        "--text-model",
        metavar="FOLDER",
        help="sentence-transformers model, or 'tfidf' (default: the model in the package "
        f"{MINILM}; tf-idf where it is not installed)",
    )
    parser.add_argument(
        "--imbalance",
        choices=["none", "class_weight", "oversample"],
        default="oversample",
        help="how classifiers treat imbalanced classes (oversample)",
    )
    options = parse(parser, arguments)
    options.only = _choose(options.only)
    return options


if __name__ == "__main__":
    main()
