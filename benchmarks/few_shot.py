"""Compare prototypes with logistic regression on few rows of each class.

From the training part of each data set 4, 8 and 16 rows of every class are drawn, 20 times; all
models learn from the same rows and features and are scored on the test part (--part val: on the
validation part, by which settings were chosen). Without --quick the scores go to
OUTPUT/few_shot.csv, and few_shot.md and few_shot.png are written from it; data sets that were not
asked for keep their rows.

    python benchmarks/few_shot.py --data FOLDER --quick
    python benchmarks/few_shot.py --data FOLDER --cache FOLDER
"""

import argparse
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import cpu_count
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from common.data import data_folder, load_dataset
from common.features import extract, find_text_model
from sklearn_mmsent import (
    MFCC,
    AcousticFunctionals,
    Cached,
    ColorTexture,
    FewShotClassifier,
    FillBlocks,
    LogMel,
    TextEmbedder,
    TfidfEmbedder,
    make_pipeline,
)

DATA = {"mvsa_single": "mvsa_single", "ravdess_speech": "ravdess speech", "mosi": "mosi polarity"}
SHOTS = (4, 8, 16)
BASELINE = "logistic regression"
UNLABELLED = "few-shot, unlabelled rows"


def build(name, n_rows):
    """Make a model by name; `n_rows` of each class are there to choose settings by."""
    if name == BASELINE:
        last = LogisticRegression(max_iter=500)
        return make_pipeline(FillBlocks(), StandardScaler(), last)
    if name == "logistic regression, tuned C":
        last = LogisticRegressionCV(
            Cs=np.logspace(-4, 1, 6),
            cv=StratifiedKFold(min(3, n_rows), shuffle=True, random_state=0),
            scoring="neg_log_loss",
            max_iter=500,
            l1_ratios=(0.0,),
            use_legacy_attributes=False,
        )
        return make_pipeline(FillBlocks(), StandardScaler(), last)
    return FewShotClassifier(random_state=0, **FEW_SHOT[name])


FEW_SHOT = {
    "few-shot": {},
    "few-shot, contrastive": {"projection": "contrastive"},
    UNLABELLED: {"scaling": "normal"},
}
MODELS = (BASELINE, "logistic regression, tuned C", *FEW_SHOT)

ABOUT = """\
# Few labels

What `FewShotClassifier` makes of 4, 8 and 16 rows of each class, beside logistic regression on the
same rows and features. Written by `benchmarks/few_shot.py`, which `--help` explains, from
`few_shot.csv`, which has one row per fit. The data are not part of this project.

Macro-F1 on the test part in points, mean ± standard deviation over {n_draws} draws of rows from the
training part; the last line is the mean over all data sets and numbers of rows.

{table}

Beside {baseline}: {gains}. The target was 3 points.

![Macro-F1 by rows per class](few_shot.png)

{models}
- Features: {features}. MOSI's intensities are cut at 0, and rows of 0 left out. None of them were
  tuned on these data.

{choice}

`python benchmarks/few_shot.py` with {versions}, on {cores} CPU cores.
"""
MEANINGS = {
    BASELINE: """scikit-learn's default C = 1, behind `FillBlocks` and `StandardScaler`.""",
    "logistic regression, tuned C": """one of six from 1e-4 to 10, by the log loss of three folds
  of the drawn rows.""",
    "few-shot": "`FewShotClassifier` with default settings.",
    "few-shot, contrastive": """with `projection="contrastive"`.""",
    UNLABELLED: """with `scaling="normal"`, and the rest of the training part, without
  its labels, as `X_unlabelled`: it knows more than the others do.""",
}
CHOICE = """\
How settings were chosen, on eight draws of the training part scored on the validation part. Points
beside logistic regression, each the mean of what was tried of its kind, on one to three data sets:
Euclidean distance to prototypes -5; one shrunk covariance -1 to +0.5 (weak shrinkage is best for
sounds, strong for texts, so several are averaged); shrinkage chosen by folds of the drawn rows
+0.5; each modality by itself, weighted by what it is worth in folds, -1; contrastive projection
-1; the covariance of unlabelled rows alone (whitening) -4; label propagation over neighbours -7;
shares of the classes estimated from unlabelled rows -3; logistic regression on all rows, those
without a label by what prototypes make of them, -0.6; prototypes that unlabelled rows move, seen on
150 principal components in two rounds, +2.1, on 300 in three, as they are now, +2.6. Scores of the
former on the test part, +2.1, had been seen."""
FEATURES = (
    "`TextEmbedder` ({text}) of texts, `ColorTexture` of images, `MFCC`, `LogMel` and "
    "`AcousticFunctionals` of sounds, the 73 acoustic numbers of MOSI"
)


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    folder = data_folder(options.data)
    text_name, text_model = find_text_model(options.text_model)
    n_draws = 2 if options.quick else options.draws
    with tempfile.TemporaryDirectory() as scratch:
        cache = options.cache or scratch
        for name in options.only:
            data = _polarity(load_dataset(name, folder))
            table = features(data, cache, text_model)
            scores = compare(name, data, table, n_draws, options)
            print(f"\n{_summary(scores).to_string()}\n", flush=True)
            if not options.quick and options.part == "test":
                add(options.output, scores)
    if not options.quick and options.part == "test":
        write_page(options.output, text_name)


def features(data, cache, text_model):
    """Extract all blocks of a data set."""
    extractors = {
        "image": Cached(ColorTexture(), cache),
        "audio": {
            "mfcc": Cached(MFCC(), cache),
            "logmel": Cached(LogMel(), cache),
            "functionals": Cached(AcousticFunctionals(), cache),
        },
    }
    if text_model is not None:
        extractors["text"] = Cached(TextEmbedder(text_model), cache)
    table = extract(data.X, extractors)
    if "text" in table:
        words = TfidfEmbedder().fit(data.X["text"][data.split == "train"])
        blocks = words.set_output(transform="pandas").transform(data.X["text"])
        table = table.drop(columns="text").join(blocks.add_prefix("text__"))
    return table


def compare(name, data, table, n_draws, options):
    """Fit and score all models on all draws.

    Returns
    -------
    DataFrame
        One row per fit.
    """
    pool, scored = np.flatnonzero(data.split == "train"), np.flatnonzero(data.split == options.part)
    expected, X_scored = data.y[scored], table.iloc[scored]
    results = []
    fits = [(shots, draw) for shots in SHOTS for draw in range(n_draws)]
    for shots, draw in tqdm(fits, desc=name, unit="draw", leave=False):
        chosen = draw_rows(data.y, pool, shots, draw)
        for model in options.models:
            estimator, extra = build(model, shots), {}
            if model == UNLABELLED:
                extra["X_unlabelled"] = table.iloc[np.setdiff1d(pool, chosen)]
            estimator.fit(table.iloc[chosen], data.y[chosen], **extra)
            score = f1_score(expected, estimator.predict(X_scored), average="macro")
            results.append(
                {"data": name, "shots": shots, "draw": draw, "model": model, "f1_macro": score}
            )
    return pd.DataFrame(results)


def draw_rows(y, pool, shots, seed):
    """Draw as many rows of each class from the rows of a pool."""
    random = np.random.RandomState(seed)
    return np.concatenate(
        [random.choice(pool[y[pool] == c], shots, replace=False) for c in np.unique(y)]
    )


def add(folder, scores):
    """Put the scores of one data set in the place of its old ones."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "few_shot.csv"
    kept = pd.read_csv(path) if path.exists() else scores.iloc[:0]
    parts = [scores if name in set(scores["data"]) else kept[kept["data"] == name] for name in DATA]
    pd.concat(parts).to_csv(path, index=False, float_format="%.5g")


def write_page(folder, text_name):
    """Write few_shot.md and few_shot.png from few_shot.csv."""
    scores = pd.read_csv(folder / "few_shot.csv")
    means = _summary(scores)
    spread = 100 * scores.pivot_table("f1_macro", ["data", "shots"], "model", aggfunc="std")
    lines = [f"| data | rows per class | {' | '.join(means)} |", "|---" * (len(means.columns) + 2)]
    lines[1] += "|"
    for key, row in means.iterrows():
        cells = [f"{row[m]:.1f} ± {spread.loc[key, m]:.1f}" for m in means]
        lines.append(f"| {DATA[key[0]]} | {key[1]} | {' | '.join(cells)} |")
    overall = means.mean()
    lines.append(f"| mean | | {' | '.join(f'{overall[m]:.1f}' for m in means)} |")
    gains = [
        f"{name} {overall[name] - overall[BASELINE]:+.1f}" for name in means if name != BASELINE
    ]
    draw(folder / "few_shot.png", scores)
    page = ABOUT.format(
        n_draws=scores["draw"].nunique(),
        table="\n".join(lines),
        baseline=BASELINE,
        gains=", ".join(gains),
        models="\n".join(f"- **{name}**: {MEANINGS[name]}" for name in means),
        features=FEATURES.format(text=text_name),
        choice=CHOICE,
        versions=f"scikit-learn {version('scikit-learn')}, torch {version('torch')}",
        cores=cpu_count(),
    )
    (folder / "few_shot.md").write_text(page, encoding="utf-8")


def draw(path, scores):
    """Draw the curves of all models, a panel a data set."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    names = [name for name in DATA if name in set(scores["data"])]
    styles = dict(zip(MODELS, ["s--", "D:", "o-", "^-.", "P-"], strict=True))
    colors = dict(zip(MODELS, ["#555555", "#999999", "#0072B2", "#E69F00", "#D55E00"], strict=True))
    size = (4 * len(names), 4.2)
    figure, panels = plt.subplots(1, len(names), figsize=size, squeeze=False)
    for panel, name in zip(panels[0], names, strict=True):
        part = scores[scores["data"] == name]
        for i, model in enumerate(MODELS):
            if model not in set(part["model"]):
                continue
            runs = part[part["model"] == model].groupby("shots")["f1_macro"]
            error = 1.96 * runs.std() / np.sqrt(runs.size())
            panel.errorbar(
                np.asarray(SHOTS) * 1.025 ** (i - 2),
                100 * runs.mean(),
                100 * error,
                fmt=styles[model],
                color=colors[model],
                label=model,
                capsize=2,
                markersize=5,
            )
        panel.set_xscale("log", base=2)
        panel.set_xticks(SHOTS, [str(n) for n in SHOTS])
        panel.minorticks_off()
        panel.set_title(DATA[name])
        panel.set_xlabel("labelled rows per class")
        panel.grid(alpha=0.3)
    panels[0, 0].set_ylabel("macro-F1 on the test part (points)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0.13, 1, 1))
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _summary(scores):
    """Give mean macro-F1 in points, a row for each data set and number of rows."""
    means = 100 * scores.pivot_table("f1_macro", ["data", "shots"], "model")
    order = [(d, s) for d in DATA for s in SHOTS if (d, s) in means.index]
    return means.loc[order, [name for name in MODELS if name in means]]


def _polarity(data):
    """Turn intensities into classes; rows of intensity 0 are left out."""
    if data.task == "intensity":
        kept = np.flatnonzero(data.y != 0)
        data.X = data.X.iloc[kept].reset_index(drop=True)
        data.split = data.split[kept]
        data.y = np.where(data.y[kept] > 0, "positive", "negative")
    return data


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of the data (or MMSENT_DATA)")
    parser.add_argument("--only", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--part", choices=["test", "val"], default="test")
    parser.add_argument("--text-model", help="a folder, or tfidf (default: all-MiniLM-L6-v2)")
    parser.add_argument("--cache", type=Path, help="folder of the feature store")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--quick", action="store_true", help="two draws, nothing is written")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
