"""The page of imbalance.py, from one row per fit."""

from common.report import machine_name, markdown_table, versions

BALANCED = ("ravdess:speech", "generated 1:1")
NONE, MAX_LOSS = "untreated", 0.01


def choose(scores):
    """Choose the recommended and the best method on validation rows.

    Parameters
    ----------
    scores : DataFrame
        One row per fit, of all data sets.

    Returns
    -------
    recommended : str
        Method with the largest mean gain in macro-F1 on imbalanced data sets, among those that lose
        at most a point of weighted F1 on each balanced one; no combination of methods.
    best : str
        The same, including combinations.
    """
    means = scores[scores["part"] == "val"].pivot_table(
        ["f1_macro", "f1_weighted"], "model", "data"
    )
    gains = means - means.loc[NONE]
    imbalanced = [name for name in gains["f1_macro"] if name not in BALANCED]
    balanced = [name for name in gains["f1_macro"] if name in BALANCED]
    safe = (gains["f1_weighted"][balanced] >= -MAX_LOSS).all(axis=1)
    mean = gains["f1_macro"][imbalanced].mean(axis=1)[safe]
    single = mean[[name for name in mean.index if "+" not in name]]
    return single.idxmax(), mean.idxmax()


def write_table(scores):
    """Write the scores of one data set.

    Parameters
    ----------
    scores : DataFrame
        One row per fit.

    Returns
    -------
    str
        Markdown: mean ± standard deviation over the seeds.
    """
    recalls = [c for c in scores if c.startswith("recall_") and scores[c].notna().any()]
    shown = ["f1_macro", "f1_weighted", *recalls]
    lines = []
    for model in dict.fromkeys(scores["model"]):
        fits = scores[scores["model"] == model]
        val, test = (fits[fits["part"] == part] for part in ("val", "test"))
        cells = [_spread(val["f1_macro"]), *(_spread(test[name]) for name in shown)]
        lines.append([model, *cells, f"{test['seconds'].median():.0f}"])
    return markdown_table(["method", "val f1_macro", *shown, "seconds"], lines)


def format_page(scores, options):
    """Return the page.

    Parameters
    ----------
    scores : DataFrame
        One row per fit, of all data sets.
    options : Namespace
        Command line.

    Returns
    -------
    str
        Markdown.
    """
    recommended, best = choose(scores)
    test = scores[scores["part"] == "test"]
    means = test.groupby(["data", "model"], sort=False)[["f1_macro", "f1_weighted"]].mean()
    lines = []
    for name in dict.fromkeys(scores["data"]):
        gains = [
            100 * (means.loc[name, method] - means.loc[name, NONE])
            for method in (recommended, best)
        ]
        cells = [f"{gain[score]:+.1f}" for gain in gains for score in ("f1_macro", "f1_weighted")]
        lines.append([name, *cells])
    heads = [f"{recommended}: f1_macro", "f1_weighted", f"{best}: f1_macro", "f1_weighted"]
    sections = [
        f"## {name}\n\n{write_table(part)}" for name, part in scores.groupby("data", sort=False)
    ]
    return PAGE.format(
        recommended=recommended,
        best=best,
        gains=markdown_table(["data", *heads], lines),
        sections="\n\n".join(sections),
        seeds=scores["seed"].nunique(),
        machine=machine_name(options.machine),
        versions=versions("sklearn-mmsent", "scikit-learn", "imbalanced-learn", "torch"),
    )


def _spread(values):
    return f"{values.mean():.3f} ± {values.std(ddof=0):.3f}"


PAGE = """\
# Imbalanced classes

Methods for imbalanced classes, each with the same network, `FusionClassifier("gated")` with default
settings. Written by `benchmarks/imbalance.py` from `imbalance.csv`, which has one row per fit.

- Real data sets: tweets with photos (mvsa_single, 10 / 30 / 59 %, and the rows whose labels of text
  and photo agree), `TextEmbedder` with MiniLM and `ColorTexture`; acted speech (ravdess, eight
  emotions, nearly balanced, parts without common speakers), MiniLM, `MFCC` and `LogMel`.
- Generated data sets: 6000 rows of three classes in three modalities, a fifth of each missing, the
  largest class 1, 10 or 100 times as large as the smallest.
- "val": fitted on the training part, scored on the validation part; other columns: fitted on both,
  scored on the test part, once for each of the {seeds} seeds. Mean ± standard deviation.
- `TextAugmenter` swaps and deletes words, without synonyms. The augmenters of text, images and
  audio change raw cells before the extractors, up to the size of the largest class
  (`AudioAugmenter`: one copy of each row).
- Samplers are passed as `sampler=`, so they resample training rows only. "offsets" is
  `TunedOffsetsClassifierCV` with three folds by group.

On the validation parts, among single methods that lose at most a point of weighted F1 on balanced
data, **{recommended}** gains most macro-F1 on the others, and is the recommended first choice;
including combinations, **{best}** does. Gains on the test parts in points:

{gains}

{sections}

Seconds: median of one fit in one thread on {machine}; {versions}.
"""
