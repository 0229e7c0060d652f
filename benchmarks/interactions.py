"""Which fusion, and which encoder, can learn a class that lies in an interaction alone.

The rows are generated, no data are needed. The product of two signs and the parity of three are
asked of the fusions; the order of two marks in a sequence of the encoders, and of the fusions
behind a recurrent one. Writes OUTPUT/interactions.md and interactions.csv, one row per fit.

    python benchmarks/interactions.py --quick
    python benchmarks/interactions.py --seeds 3 --jobs 2
"""

import argparse
from pathlib import Path

import pandas as pd
import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.datasets import make_interactions
from sklearn_mmsent.nn import ENCODERS, FUSIONS

# transformers of several layers, whose docstrings ask for this rate
LOWER_RATE = {"mult": 5e-4, "bottleneck": 5e-4}
WIDE = {"conv1d": ("conv1d", {"kernel_size": 7, "pool": 1})}  # sees two marks together
N_TRAIN, N_TEST = 1500, 1000

ABOUT = """\
# What fusions and encoders can learn

Accuracy on fresh rows of `make_interactions`, whose class no modality and no step tells alone;
chance is .5, all that the noise leaves is about 1. Written by `benchmarks/interactions.py`.
{n_train:,} rows for training, {n_test:,} for the test, {n_seeds} seeds of rows and networks (mean,
and the worst in parentheses), width 32, all else by default but the learning rate of "mult" and
"bottleneck", 0.0005.

- **product**: two modalities each hold a sign, the class is whether they agree.
- **parity**: the same with three. "decision" and "quality_aware" add up what each block says, and
  cannot see either, whatever their weights.
- **order**: a sequence holds two marks, the class is which comes first; here behind a GRU, so that
  a fusion need only not lose it.

"bottleneck" stands still for longer than the default patience of 20 epochs: with
`n_iter_no_change=60` it learns the product, too (1.000, one seed). No setting is known yet with
which "mult" or "bottleneck" learn the parity; "attention" and "poe" learn it with one seed of
two."""

ENCODERS_ABOUT = """\
## Encoders

The order of two marks, with "concat". "mlp", "mean" and "attentive" pool steps without regard to
their order."""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    fusions = ["tensor", "decision"] if options.quick else list(FUSIONS)
    readers = ["mean", "gru"] if options.quick else _readers_of_sequences()
    cases = [
        (kind, fusion, "gru" if kind == "order" else "auto")
        for kind in ("product", "parity", "order")
        for fusion in fusions
    ] + [("order of steps", "concat", encoder) for encoder in readers]
    tasks = [
        delayed(_fit_and_score)(*case, seed, options.quick)
        for case in cases
        for seed in range(options.seeds)
    ]
    fits = Parallel(n_jobs=options.jobs, return_as="generator")(tasks)
    scores = pd.DataFrame(tqdm(fits, total=len(tasks), unit="fit", leave=False))
    page = write_page(scores, options.seeds)
    print(page)
    if not options.quick:
        options.output.mkdir(parents=True, exist_ok=True)
        scores.to_csv(options.output / "interactions.csv", index=False, float_format="%.4g")
        (options.output / "interactions.md").write_text(page, encoding="utf-8")


def _readers_of_sequences():
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


def write_page(scores, n_seeds):
    """Write the scores as a page.

    Parameters
    ----------
    scores : DataFrame
        One row per fit.
    n_seeds : int
        Fits of each case.

    Returns
    -------
    str
        Markdown.
    """
    alone = scores["kind"] == "order of steps"
    about = ABOUT.format(n_train=N_TRAIN, n_test=N_TEST, n_seeds=n_seeds)
    return (
        "\n\n".join(
            [
                about,
                _table(scores[~alone], "fusion", "kind"),
                ENCODERS_ABOUT,
                _table(scores[alone], "encoder", "kind"),
            ]
        )
        + "\n"
    )


def _table(scores, rows, columns):
    names = list(dict.fromkeys(scores[columns]))
    lines = [f"| {rows} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in dict.fromkeys(scores[rows]):
        cells = []
        for name in names:
            own = scores.loc[(scores[rows] == row) & (scores[columns] == name), "accuracy"]
            cells.append(f"{own.mean():.3f} ({own.min():.3f})")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="fits of each case (default: 3)")
    parser.add_argument("--jobs", type=int, default=2, help="fits at once (default: 2)")
    parser.add_argument("--quick", action="store_true", help="to see it run; writes nothing")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parents[1] / "docs" / "benchmarks",
        help="folder of the results (default: docs/benchmarks)",
    )
    options = parser.parse_args(arguments)
    if min(options.seeds, options.jobs) < 1:
        parser.error("--seeds and --jobs must be at least 1")
    options.seeds = 1 if options.quick else options.seeds
    return options


if __name__ == "__main__":
    main()
