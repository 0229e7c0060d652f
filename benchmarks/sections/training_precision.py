"""Speed of training in bfloat16, for a small and a large network."""

import time

import numpy as np
import pandas as pd
import torch
from skorch.callbacks import Callback
from tqdm import tqdm

from common.data import minilm_folder
from common.report import markdown_table
from sklearn_mmsent import FusionClassifier

TITLE = "bfloat16"
BATCH_SIZE = 128
N_TEXTS, N_TOKENS, TEXT_BATCH = 128, 32, 32
N_EPOCHS = 4  # per fit; the first is a warm-up
PRECISIONS = ("float32", "bfloat16")


class Clock(Callback):
    """Record the times at which epochs end: wall time on a GPU, else processor time."""

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
    """Time epochs of both networks and write the section.

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
    for name, network in networks.items():
        epochs = measure(name, *network, options)
        rows += [
            [name, precision, f"{seconds:.2f}", f"{seconds / epochs['float32']:.2f} x"]
            for precision, seconds in epochs.items()
        ]
    cuda = torch.device(options.device).type == "cuda"
    where = torch.cuda.get_device_name() if cuda else f"{torch.get_num_threads()} CPU threads"
    about = (
        "The default network, and all-MiniLM-L6-v2 fine-tuned, without validation: "
        f"{'wall' if cuda else 'processor'} time per epoch, the median of {options.repeats} rounds "
        "in which both precisions take turns. Written by `benchmarks/training.py --part "
        f"precision`. Torch {torch.__version__}, {where}."
    )
    table = markdown_table(["network", "precision", "s / epoch", "to float32"], rows)
    return f"{about}\n\n{table}"


def texts():
    """Return a table of token ids, classes, and parameters that fine-tune MiniLM on them."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(1000, 30_000, (N_TEXTS, N_TOKENS)).astype(np.float32)
    table = pd.DataFrame(numbers, columns=[f"text__id@{i:02}" for i in range(N_TOKENS)])
    encoder = ("pretrained_text", {"model": minilm_folder()})
    return table, np.arange(N_TEXTS) % 2, {"encoders": encoder, "batch_size": TEXT_BATCH}


def measure(name, X, y, params, options):
    """Time epochs of each precision in turn; return the median seconds by precision."""
    seconds = {precision: [] for precision in PRECISIONS}
    for _ in tqdm(range(options.repeats), desc=name, leave=False):
        for precision in PRECISIONS:
            clf = FusionClassifier(
                max_epochs=N_EPOCHS,
                early_stopping=False,
                callbacks=[("clock", Clock())],
                device=options.device,
                random_state=0,
                precision=precision,
                **params,
            ).fit(X, y)
            epochs = np.diff(dict(clf.net_.callbacks_)["clock"].times_)
            seconds[precision].append(np.median(epochs[1:]))
    return {precision: float(np.median(times)) for precision, times in seconds.items()}
