"""Show which fusions and encoders can learn classes that depend on interactions only.

Rows are generated; no data sets are needed. Fusions learn the product of two signs and the parity
of three; encoders, and fusions after a GRU, the order of two marks in a sequence. Writes
docs/benchmarks/interactions.md and interactions.csv, which has one row per fit.

    python benchmarks/interactions.py --quick
    python benchmarks/interactions.py --seeds 3 --jobs 2
"""

import pandas as pd
import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from common.command_line import make_parser, parse
from common.report import markdown_table, write_page
from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.datasets import make_interactions
from sklearn_mmsent.nn import ENCODERS, FUSIONS

LOWER_RATE = {"mult": 5e-4, "bottleneck": 5e-4}  # recommended in their docstrings
WIDE = {"conv1d": ("conv1d", {"kernel_size": 7, "pool": 1})}  # covers both marks
N_TRAIN, N_TEST = 1500, 1000

ABOUT = """\
# What fusions and encoders can learn

Accuracy on new rows of `make_interactions`, whose class cannot be predicted from a single modality
or step; chance is .5, and the noise allows about 1. Written by `benchmarks/interactions.py`.
{n_train:,} rows for training, {n_test:,} for the test, {n_seeds} seeds of rows and networks (mean,
and the lowest in parentheses), width 32, default settings except the learning rate of "mult" and
"bottleneck", 0.0005.

- **product**: two modalities contain a sign each; the class is whether they agree.
- **parity**: the same with three. "decision" and "quality_aware" add up one prediction per block,
  which can represent neither.
- **order**: a sequence contains two marks; the class is which comes first. A GRU encodes it, so the
  fusion only has to preserve the information.

"bottleneck" makes no progress for longer than the default patience of 20 epochs: with
`n_iter_no_change=60` it learns the product, too (1.000, one seed). No known setting lets "mult" or
"bottleneck" learn the parity; "attention" and "poe" learn it with one of two seeds."""

ENCODERS_ABOUT = """\
## Encoders

The order of two marks, with "concat". "mlp", "mean" and "attentive" pool steps regardless of their
order."""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    fusions = ["tensor", "decision"] if options.quick else list(FUSIONS)
    encoders = ["mean", "gru"] if options.quick else _sequence_encoders()
    cases = [
        (kind, fusion, "gru" if kind == "order" else "auto")
        for kind in ("product", "parity", "order")
        for fusion in fusions
    ] + [("order of steps", "concat", encoder) for encoder in encoders]
    tasks = [
        delayed(_fit_and_score)(*case, seed, options.quick)
        for case in cases
        for seed in range(options.seeds)
    ]
    fits = Parallel(n_jobs=options.jobs, return_as="generator")(tasks)
    scores = pd.DataFrame(tqdm(fits, total=len(tasks), unit="fit", leave=False))
    page = format_page(scores, options.seeds)
    print(page)
    if not options.quick:
        write_page(options.output / "interactions.md", page)
        scores.to_csv(options.output / "interactions.csv", index=False, float_format="%.4g")


def _sequence_encoders():
    return [n for n, cls in ENCODERS.items() if 2 in cls.takes and "pretrained" not in n]


def _fit_and_score(kind, fusion, encoder, seed, quick):
    torch.set_num_threads(1)
    data = "order" if kind.startswith("order") else kind
    train = make_interactions(data, 200 if quick else N_TRAIN, random_state=2 * seed)
    test = make_interactions(data, N_TEST, random_state=2 * seed + 1)
    clf = FusionClassifier(
        fusion,
        encoders=encoder if encoder == "auto" else {"text": WIDE.get(encoder, encoder)},
        hidden_size=32,
        lr=LOWER_RATE.get(fusion, 3e-3),
        max_epochs=2 if quick else 200,
        random_state=seed,
    )
    score = clf.fit(train.X, train.y).score(test.X, test.y)
    return {
        "kind": kind,
        "fusion": fusion,
        "encoder": encoder,
        "seed": seed,
        "accuracy": score,
        "epochs": len(clf.net_.history),
    }


def format_page(scores, n_seeds):
    """Return the page.

    Parameters
    ----------
    scores : DataFrame
        One row per fit.
    n_seeds : int
        Number of seeds.

    Returns
    -------
    str
        Markdown.
    """
    of_encoders = scores["kind"] == "order of steps"
    return "\n\n".join(
        [
            ABOUT.format(n_train=N_TRAIN, n_test=N_TEST, n_seeds=n_seeds),
            _table(scores[~of_encoders], "fusion"),
            ENCODERS_ABOUT,
            _table(scores[of_encoders], "encoder"),
        ]
    )


def _table(scores, rows):
    kinds = list(dict.fromkeys(scores["kind"]))
    lines = []
    for name in dict.fromkeys(scores[rows]):
        cells = []
        for kind in kinds:
            fits = scores.loc[(scores[rows] == name) & (scores["kind"] == kind), "accuracy"]
            cells.append(f"{fits.mean():.3f} ({fits.min():.3f})")
        lines.append([name, *cells])
    return markdown_table([rows, *kinds], lines)


def _parse(arguments):
    parser = make_parser(
        __doc__,
        seeds=3,
        jobs=2,
        quick="two fusions, two encoders, 200 rows, 2 epochs, one seed",
        writes="interactions.md and interactions.csv",
    )
    return parse(parser, arguments)


if __name__ == "__main__":
    main()
