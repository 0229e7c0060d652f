"""Fine-tune a pretrained text encoder in the network on CMU-MOSI.

Transcripts only, official split. Networks are trained on the training part with early stopping on
the validation part, and scored on the test part once per seed. Writes
docs/benchmarks/finetuning.md and finetuning.csv, which has one row per fit.

    python benchmarks/finetuning.py --data FOLDER --quick
    python benchmarks/finetuning.py --data FOLDER --part val --seeds 1 --lr 2e-5 5e-5
    python benchmarks/finetuning.py --data FOLDER --seeds 5
"""

import time

import numpy as np
import pandas as pd
import torch

from common.command_line import make_parser, parse
from common.data import load_dataset, minilm_folder
from common.report import write_page
from sklearn_mmsent import FusionRegressor, intensity_scores, make_extractor
from sklearn_mmsent.feature_extraction.text import TokenIds
from sklearn_mmsent.model_selection.comparison.summary import summarize, to_markdown

METRICS = (
    *("acc2_has0", "f1_weighted_has0", "acc2_non0", "f1_weighted_non0"),
    *("acc7", "mae", "corr"),
)
# chosen on the validation part, see the page
ENCODER_LR, BATCH_SIZE, MAX_EPOCHS, LOSS = 1e-4, 32, 6, "absolute_error"
QUICK_ROWS = 48

ABOUT = """\
# Fine-tuning a text encoder

CMU-MOSI, transcripts only, official split (1,284 utterances for training, 229 for validation, 686
for the test): all-MiniLM-L6-v2 as `"pretrained_text"` on `TokenIds`, trained with the rest of the
network. Written by `benchmarks/finetuning.py`.

Settings: `FusionRegressor`, {loss}, batches of {batch_size}, at most {epochs} epochs, learning rate
{lr:g} for the pretrained model and 0.001 for new layers, linear decay after a warm-up over a tenth
of the steps, gradients clipped to norm 1; weights of the best epoch on the validation part. They
were chosen on the validation part
{how}

The test part is scored once per seed. {time}"""

HOW = """\
(`--part val`). Learning rate and batch size with the squared error, one seed each, MAE / r: rate
5e-5 with batches of 16 .904 / .727, of 32 .872 / .724, rate 1e-4 with batches of 32 .835 / .735.
Then loss and epochs, mean of three seeds, MAE / r / Acc-2 non0: squared error, 6 epochs
.840 / .735 / .821, 10 epochs .810 / .749 / .818; absolute error, 6 epochs .807 / .751 / .826, 10
epochs .814 / .742 / .827."""

EARLIER = """\
The test part had been scored once before, with the squared error: Acc-2 has0 / non0 .819 / .836,
Acc-7 .410, MAE .787, r .768. That result did not influence the choice above."""

REFERENCES = """\
Other results on the same test part:

- MiniLM fine-tuned for three epochs, text only, one seed, without this package: Acc-2 has0 / non0
  .825 / .848, Acc-7 .411, MAE .766, r .781
- MiniLM frozen, SVR: .790 / .803, .327, .920, .710
- published, with BERT-base, audio and video (Self-MM): .834 / .855, .467, .708, .796"""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    data = load_dataset("mosi", options.data)
    table = make_extractor(text=TokenIds(minilm_folder(), max_steps=96)).fit_transform(
        data.X[["text"]]
    )
    parts = {part: np.flatnonzero(data.split == part) for part in ("train", "val", "test")}
    if options.quick:
        parts = {part: rows[:QUICK_ROWS] for part, rows in parts.items()}
    fits = []
    for lr in options.lr:
        for seed in range(options.seeds):
            fits.append(fit(seed, lr, table, data.y, parts, options))
            scores = ", ".join(f"{m} {fits[-1][m]:.3f}" for m in METRICS)
            seconds = fits[-1]["epoch_seconds"]
            print(f"lr {lr:g}, seed {seed}: {scores}, {seconds:.1f} s per epoch", flush=True)
    if options.quick or options.part == "val":
        return
    scores = pd.DataFrame(fits)
    write_page(options.output / "finetuning.md", format_page(scores))
    scores.to_csv(options.output / "finetuning.csv", index=False, float_format="%.5g")


def fit(seed, lr, table, y, parts, options):
    """Train one network and score it.

    Parameters
    ----------
    seed : int
        Random seed of the network.
    lr : float
        Learning rate of the encoder.
    table : DataFrame
        Token ids.
    y : ndarray
        Intensities.
    parts : dict of str to ndarray of int
        Rows of "train", "val" and "test".
    options : Namespace
        Command line.

    Returns
    -------
    dict
        Scores, best epoch and seconds per epoch.
    """
    encoder = {"model": minilm_folder(), "lr": lr}
    regressor = FusionRegressor(
        encoders={"text": ("pretrained_text", encoder)},
        loss=options.loss,
        lr=1e-3,
        lr_schedule="linear",
        warmup=0.1,
        clip_norm=1.0,
        batch_size=options.batch_size,
        max_epochs=1 if options.quick else options.epochs,
        n_iter_no_change=options.epochs,
        random_state=seed,
    )
    train, val = parts["train"], parts["val"]
    start = time.perf_counter()
    regressor.fit(table.iloc[train], y[train], X_val=table.iloc[val], y_val=y[val])
    seconds = time.perf_counter() - start
    scored = parts[options.part]
    history = regressor.net_.history
    return {
        "model": "fine-tuned",
        "seed": seed,
        "lr": lr,
        **intensity_scores(y[scored], regressor.predict(table.iloc[scored])),
        "best_epoch": int(np.argmin(history[:, "valid_loss"])) + 1,
        "epoch_seconds": float(np.median(history[:, "dur"])),
        "fit_seconds": seconds,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def format_page(scores):
    """Return the page.

    Parameters
    ----------
    scores : DataFrame
        One row per fit.

    Returns
    -------
    str
        Markdown.
    """
    best = scores["best_epoch"].tolist()
    first = scores.iloc[0]
    text = (
        f"An epoch with validation took {scores['epoch_seconds'].min():.0f} to "
        f"{scores['epoch_seconds'].max():.0f} s with torch {first['torch']} in {first['threads']} "
        "thread(s), the lowest on an idle machine; the best epochs were "
        f"{', '.join(map(str, best))}."
    )
    about = ABOUT.format(
        loss=LOSS.replace("_", " "),
        batch_size=BATCH_SIZE,
        epochs=MAX_EPOCHS,
        lr=ENCODER_LR,
        how=HOW,
        time=text,
    )
    metrics = [m for m in METRICS if m in scores]
    table = to_markdown(summarize(scores, metrics), metrics)
    return "\n\n".join([about, table, EARLIER, REFERENCES])


def _parse(arguments):
    parser = make_parser(
        __doc__,
        data=True,
        seeds=5,
        part=True,
        quick=f"{QUICK_ROWS} rows per part, one epoch, one seed",
        writes="finetuning.md and finetuning.csv",
    )
    parser.add_argument("--lr", nargs="+", type=float, default=[ENCODER_LR])
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE)
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's)")
    parser.add_argument("--epochs", type=int, default=MAX_EPOCHS, help="maximum per fit")
    parser.add_argument("--loss", default=LOSS)
    return parse(parser, arguments)


if __name__ == "__main__":
    main()
