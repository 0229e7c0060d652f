"""Section of the training benchmark: bfloat16, for a small and a large network."""

import time

import numpy as np
import pandas as pd
import torch
from skorch.callbacks import Callback
from tqdm import tqdm

from common.data import minilm_folder
from sklearn_mmsent import FusionClassifier

TITLE = "bfloat16"
BATCH_SIZE = 128
N_TEXTS, N_TOKENS, TEXT_BATCH = 128, 32, 32
N_EPOCHS = 4  # of a fit; the first is not counted
SIDES = {
    "float32": {},
    "bfloat16": {"precision": "bfloat16"},
}


class Clock(Callback):
    """Notes when epochs end: on a CPU by its own time, which others' work does not lengthen."""

    def _now(self, device):
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)
            return time.perf_counter()
        return time.process_time()

    def on_train_begin(self, net, **kwargs):
        self.times_ = [self._now(net.device)]

    def on_epoch_end(self, net, **kwargs):
        self.times_.append(self._now(net.device))


def run(X, y, options):
    """Measure, and write what was measured.

    Parameters
    ----------
    X, y : DataFrame and ndarray
        Rows for the default network.
    options : Namespace
        Command line.

    Returns
    -------
    str
        Markdown, without the title.
    """
    networks = {
        f"default, {len(X):,} rows, batches of {BATCH_SIZE}": (X, y, {"batch_size": BATCH_SIZE})
    }
    if not options.quick:
        networks[f"MiniLM, {N_TEXTS} texts of {N_TOKENS} tokens, batches of {TEXT_BATCH}"] = texts()
    rows = []
    for name, (table, target, params) in networks.items():
        rows += measure(name, table, target, params, options)
    cuda = torch.device(options.device).type == "cuda"
    where = torch.cuda.get_device_name() if cuda else f"{torch.get_num_threads()} CPU threads"
    clock = "seconds by the clock" if cuda else "seconds of the process"
    about = (
        f"The default network, and all-MiniLM-L6-v2 tuned as a whole, without validation: {clock} "
        f"per epoch, the median of {options.repeats} rounds in which all sides take turns. "
        f"Written by `benchmarks/training.py --part precision`. Torch {torch.__version__}, {where}."
    )
    lines = ["| network | side | s / epoch | to float32 |", "|---|---|---|---|"]
    for row in rows:
        numbers = f"{row['epoch']:.2f} | {row['ratio']:.2f} x"
        lines.append(f"| {row['network']} | {row['side']} | {numbers} |")
    return "\n\n".join([about, "\n".join(lines)])


def texts():
    """Return a table of token numbers, classes, and a network that tunes MiniLM on them."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(1000, 30_000, (N_TEXTS, N_TOKENS)).astype(np.float32)
    table = pd.DataFrame(numbers, columns=[f"text__id@{i:02}" for i in range(N_TOKENS)])
    encoder = ("pretrained_text", {"model": minilm_folder()})
    return table, np.arange(N_TEXTS) % 2, {"encoders": encoder, "batch_size": TEXT_BATCH}


def measure(name, X, y, params, options):
    """Time epochs of each side, in turn; return a dict per side."""
    seconds = {side: [] for side in SIDES}
    for _ in tqdm(range(options.repeats), desc=name, leave=False):
        for side, changed in SIDES.items():
            clock = Clock()
            clf = FusionClassifier(
                max_epochs=N_EPOCHS,
                early_stopping=False,
                callbacks=[("clock", clock)],
                device=options.device,
                random_state=0,
                **{"precision": "float32", **params, **changed},
            ).fit(X, y)
            took = np.diff(dict(clf.net_.callbacks_)["clock"].times_)
            seconds[side].append(np.median(took[1:]))
    epochs = {side: float(np.median(times)) for side, times in seconds.items()}
    return [
        {
            "network": name,
            "side": side,
            "epoch": epoch,
            "ratio": epoch / epochs["float32"],
        }
        for side, epoch in epochs.items()
    ]
