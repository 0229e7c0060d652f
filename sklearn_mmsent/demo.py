"""Demo: compare modalities and fusions on raw clips, then save and use a pipeline.

Run it with ``python -m sklearn_mmsent.demo``; ``--help`` lists the options.
"""

import argparse
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from imblearn.over_sampling import RandomOverSampler
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.preprocessing import StandardScaler

from sklearn_mmsent import (
    MFCC,
    Cached,
    ColorTexture,
    FillBlocks,
    FusionClassifier,
    TfidfEmbedder,
    compare,
    make_clips,
    make_extractor,
    make_pipeline,
    read_table,
)
from sklearn_mmsent.model_selection.comparison.summary import to_markdown
from sklearn_mmsent.utils._optional import import_optional
from sklearn_mmsent.utils._random import set_seeds

METRICS = ["accuracy", "precision_macro", "recall_macro", "f1_macro"]
N_NEW_ROWS = 3
#: Fusions to compare; see FusionClassifier for all of them.
FUSIONS = ["concat", "weighted", "gated"]


def main(arguments=None):
    """Run the demo.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command-line arguments; None uses ``sys.argv``.
    """
    options = _parse(arguments)
    start = time.perf_counter()
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        data, new = _read_table(options) if options.data else _generate(options, Path(scratch))
        columns = [name for name in ("text", "image", "audio") if name in data.X]
        counts = pd.Series(data.y).value_counts()
        print(
            f"{len(data.X)} rows of {', '.join(columns)}; "
            f"{', '.join(f'{n} {label}' for label, n in counts.items())}; "
            f"{data.X.isna().mean().mean():.0%} of the cells missing"
        )
        models = build_models(columns, Path(scratch) / "features")
        comparison = compare(
            models,
            data.X,
            data.y,
            groups=data.groups,
            cv=options.folds,
            seeds=[options.seed],
            n_jobs=options.jobs,
            batched=False,  # so that results do not depend on --jobs
            verbose=1,
        )
        print(f"\n{to_markdown(comparison.table, METRICS)}\n")
        best = comparison.table.loc[FUSIONS, ("f1_macro", "mean")].idxmax()
        _write(output, comparison, best)
        final = build_models(columns)[best]  # without a cache, whose folder is temporary
        _save_and_use(output / "pipeline.joblib", final, data, new, options.seed)
    print(f"\nScores, plots and the {best} pipeline are in {output.resolve()}")
    print(f"Done in {time.perf_counter() - start:.0f} s")


def build_models(columns, cache=None):
    """Build the models to compare: a constant, single modalities, a linear model, fusions.

    Parameters
    ----------
    columns : list of str
        Raw columns of the data, of "text", "image" and "audio".
    cache : path-like or None, default=None
        Folder that caches features which do not depend on the training rows; None caches
        nothing.

    Returns
    -------
    dict of str to estimator
        Pipelines from raw rows to labels.
    """
    extractors = {
        "text": TfidfEmbedder(n_components=64),
        "image": ColorTexture(size=(64, 64)),
        "audio": MFCC(),
    }
    if cache is not None:
        for name in ("image", "audio"):
            extractors[name] = Cached(extractors[name], cache)

    def extract(names):
        return make_extractor(**{name: extractors[name] for name in names})

    def fuse(names, fusion):
        # inside the estimator, the sampler acts after the split for early stopping
        return make_pipeline(
            extract(names),
            FusionClassifier(fusion, sampler=RandomOverSampler(), n_iter_no_change=30),
        )

    models = {"constant": DummyClassifier()}
    models |= {f"{name} alone": fuse([name], "concat") for name in columns}
    models["logistic regression, all"] = make_pipeline(
        extract(columns),
        FillBlocks(),
        RandomOverSampler(),
        StandardScaler(),
        LogisticRegression(max_iter=1000),
    )
    return models | {fusion: fuse(columns, fusion) for fusion in FUSIONS}


def _parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m sklearn_mmsent.demo", description=__doc__)
    data = parser.add_argument_group("your own data instead of generated clips")
    data.add_argument("--data", metavar="TABLE", help="csv, tsv or parquet file")
    data.add_argument("--target", default="label", help="column of labels (default: label)")
    for name in ("text", "image", "audio"):
        data.add_argument(f"--{name}", metavar="COLUMN", help=f"{name} column, if any")
    data.add_argument("--groups", metavar="COLUMN", help="column of speakers, films, ...")
    parser.add_argument("--rows", type=int, default=600, help="clips to generate (default: 600)")
    parser.add_argument(
        "--interaction",
        default="complementary",
        choices=["agreeing", "complementary", "conflicting"],
        help="how the modalities determine the sentiment (default: complementary)",
    )
    parser.add_argument("--folds", type=int, default=5, help="cross-validation folds (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="parallel fits (default: 2)")
    parser.add_argument("--output", default="demo_output", help="folder (default: demo_output)")
    options = parser.parse_args(arguments)
    if options.data and not (options.text or options.image or options.audio):
        parser.error("--data requires at least one of --text, --image, --audio")
    return options


def _generate(options, scratch):
    settings = {
        "interaction": options.interaction,
        "classes": ("negative", "neutral", "positive"),
        "class_weights": {"negative": 3, "neutral": 2, "positive": 5},
        "noise": 0.2,
        "missing_rate": 0.05,
    }
    if options.interaction == "conflicting":
        # 600 rows suffice to learn an interaction only for two balanced classes with little noise
        settings |= {"classes": ("negative", "positive"), "class_weights": None, "noise": 0.1}
    print(f"Generating {options.rows} clips ({options.interaction}) ...")
    data = make_clips(scratch / "clips", options.rows, random_state=options.seed, **settings)
    new = make_clips(
        scratch / "new", N_NEW_ROWS, n_groups=N_NEW_ROWS, random_state=options.seed + 1, **settings
    )
    return data, new.X.assign(truth=new.y)


def _read_table(options):
    chosen = {n: getattr(options, n) for n in ("text", "image", "audio") if getattr(options, n)}
    data = read_table(
        options.data,
        target=options.target,
        columns=[c for n, c in chosen.items() if n == "text"],
        files=[c for n, c in chosen.items() if n != "text"],
        groups=options.groups,
    )
    data.X = data.X[list(chosen.values())].set_axis(list(chosen), axis=1)
    held_out = np.random.default_rng(options.seed).choice(len(data.X), N_NEW_ROWS, replace=False)
    kept = ~np.isin(np.arange(len(data.X)), held_out)
    new = data.X.iloc[held_out].assign(truth=data.y[held_out])
    data.X, data.y = data.X[kept].reset_index(drop=True), data.y[kept]
    data.groups = None if data.groups is None else data.groups[kept]
    return data, new


def _write(output, comparison, best):
    table = to_markdown(comparison.table, METRICS)
    (output / "scores.md").write_text(table + "\n", encoding="utf-8")
    columns = ["model", "fold", "seed", *METRICS, "fit_seconds", "predict_seconds"]
    results = comparison.results.sort_values("fold", kind="stable")
    results[columns].to_csv(output / "scores.csv", index=False)
    import_optional("matplotlib", extra="report", needed_by="the demo")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.45 * len(comparison.table) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    comparison.plot("f1_macro", ax=axes)
    axes.set(xlim=(0, 1), title="Fusions and baselines")
    figure.savefig(output / "scores.png", dpi=150)

    figure = Figure(figsize=(5, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    out_of_fold = comparison.predictions(best)
    ConfusionMatrixDisplay.from_predictions(
        out_of_fold["true"],
        out_of_fold["predicted"],
        normalize="true",
        ax=axes,
        cmap="Blues",
        values_format=".2f",
        colorbar=False,
    )
    axes.set_title(f"Fusion '{best}', out of fold:\nnormalised by true class")
    figure.savefig(output / "confusion.png", dpi=150)


def _save_and_use(path, model, data, new, seed):
    set_seeds(model, seed).fit(data.X, data.y)
    joblib.dump(model, path)
    loaded = joblib.load(path)
    print(f"Saved and loaded {path.name} ({path.stat().st_size / 2**20:.1f} MiB). New rows:")
    for _, row in new.iterrows():
        cells = row.drop("truth").to_dict()
        probabilities = loaded.predict_proba(cells)[0]
        shares = ", ".join(
            f"{label} {p:.2f}" for label, p in zip(loaded.classes_, probabilities, strict=True)
        )
        shown = ", ".join(
            f"{name}: {'-' if pd.isna(cell) else Path(cell).name if name != 'text' else cell!r}"
            for name, cell in cells.items()
        )
        print(
            f"  {shown[:110]}\n    -> {loaded.predict(cells)[0]} ({shares}); true: {row['truth']}"
        )


if __name__ == "__main__":
    main()
