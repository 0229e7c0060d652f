"""Time training and prediction of one network against a plain torch loop and skorch's defaults.

All three train the same network with the same optimizer on the same rows, in turn; seconds are
medians over the rounds. Writes docs/benchmarks/training.md; with `--part`, the other sections keep
their text.

    python benchmarks/training.py --quick
    python benchmarks/training.py --repeats 7
    python benchmarks/training.py --part precision
    python benchmarks/training.py --part memory
"""

import time

import numpy as np
import pandas as pd
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn
from tqdm import tqdm

from common.command_line import make_parser, parse
from common.report import markdown_table, replace_sections, write_page
from sections import training_memory, training_precision
from sklearn_mmsent import FusionClassifier
from sklearn_mmsent.blocks import BlockLayout
from sklearn_mmsent.nn.losses import cross_entropy

SHAPES = {"text": 384, "audio": 25}
N_ROWS, N_CLASSES = 20_000, 3
BATCHES = (32, 128, 512)
LR, WEIGHT_DECAY = 3e-3, 1e-2
N_EPOCHS = 3  # per fit; the first is a warm-up
LATENCY_CALLS = 300
SIZES = (1, 2, 4, 8)  # relative to the smallest table
N_ROWS_OF_MEMORY = 120_000
SECTIONS = (
    "Seconds per epoch",
    "Growth with the rows",
    "Latency of one row",
    training_memory.TITLE,
    training_precision.TITLE,
)

TITLE = "# Training one network"
ABOUT = """\
# Training one network

`FusionClassifier`, a hand-written torch loop and skorch's `NeuralNetClassifier` with default
settings. Written by `benchmarks/training.py`. {n_rows:,} rows of {n_features} float32 columns in
two blocks, {n_classes} classes, the default network (an MLP of width 64 per block, "concat"),
AdamW, no validation. The three train the same network in turn; seconds are the median of {rounds}
rounds. Torch {torch}, {where}."""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    about, sections = None, {}
    if options.part in ("all", "speed"):
        about, sections = measure_speed(options)
    if options.part in ("all", "memory"):
        n_rows = 3_000 if options.quick else N_ROWS_OF_MEMORY
        sections[training_memory.TITLE] = training_memory.run(SHAPES, n_rows)
    if options.part in ("all", "precision"):
        rows = make_rows(600 if options.quick else N_ROWS)
        sections[training_precision.TITLE] = training_precision.run(*rows, options)
    path = options.output / "training.md"
    page = path.read_text("utf-8") if path.exists() else TITLE
    page = replace_sections(page, sections, head=about, order=SECTIONS)
    print(page)
    if not options.quick:
        write_page(path, page)


def measure_speed(options):
    """Time epochs, the growth with the number of rows, and the prediction of one row.

    Parameters
    ----------
    options : Namespace
        Command line.

    Returns
    -------
    about : str
        Text above the first section of the page.
    sections : dict of str to str
        Text by title.
    """
    n_rows = 600 if options.quick else N_ROWS
    X, y = make_rows(n_rows)
    epochs = measure_epochs(X, y, options.repeats, options.device)
    latency = measure_latency(X, y, 20 if options.quick else LATENCY_CALLS, options.device)
    growth = measure_growth(200 if options.quick else 5_000, options.repeats, options.device)
    return report_speed(epochs, latency, growth, n_rows, options)


def make_rows(n_rows):
    """Generate rows of two blocks with a class that depends on both.

    Parameters
    ----------
    n_rows : int
        Number of rows.

    Returns
    -------
    X : DataFrame
        Named columns of float32.
    y : ndarray of int
        Classes.
    """
    rng = np.random.default_rng(0)
    names = [n for b in BlockLayout.from_shapes(SHAPES).blocks for n in b.column_names()]
    X = pd.DataFrame(rng.normal(size=(n_rows, len(names))).astype(np.float32), columns=names)
    score = X["text__000"] if "text__000" in X else X.iloc[:, 0]
    y = np.digitize(score + X.iloc[:, -1] + rng.normal(size=n_rows), [-0.7, 0.7])
    return X, y


def measure_epochs(X, y, repeats, device):
    """Time epochs of all sides in turn.

    Parameters
    ----------
    X, y : DataFrame and ndarray
        Training rows.
    repeats : int
        Number of rounds in which each side trains once.
    device : str
        Device of the network.

    Returns
    -------
    DataFrame
        Seconds per epoch; one row per batch size and one column per side.
    """
    sides = {"bare loop": bare_loop, "FusionClassifier": fusion_classifier, "skorch": skorch}
    rows = []
    for batch_size in tqdm(BATCHES, desc="batch sizes", leave=False):
        seconds = {name: [] for name in sides}
        for _ in range(repeats):
            for name, train in sides.items():
                # the first epoch is a warm-up
                seconds[name].append(np.median(train(X, y, batch_size, device)[1:]))
        rows.append({"batch": batch_size, **{n: np.median(s) for n, s in seconds.items()}})
    return pd.DataFrame(rows)


def network_of(X, y):
    """Return the network that all sides train."""
    clf = FusionClassifier(max_epochs=1, early_stopping=False, random_state=0)
    return clf.fit(X[:64], y[:64]).net_.module_.float().train()


def _synchronize(device):
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def bare_loop(X, y, batch_size, device):
    """Train by a plain loop with rows on the device; return the seconds of each epoch."""
    network = network_of(X, y).to(device)
    blocks = BlockLayout.from_names(X.columns).read(X)
    values = [torch.as_tensor(b.values, device=device) for b in blocks]
    present = torch.ones(len(X), len(blocks), dtype=torch.bool, device=device)
    targets = torch.as_tensor(y, device=device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, fused=True
    )
    seconds = []
    for _ in range(N_EPOCHS):
        start = time.perf_counter()
        total = torch.zeros((), device=device)
        for rows in torch.randperm(len(targets)).to(device).split(batch_size):
            optimizer.zero_grad()
            outputs = network([v[rows] for v in values], present[rows], [None] * len(values))
            loss = cross_entropy(outputs, targets[rows]).mean()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        float(total)
        _synchronize(device)
        seconds.append(time.perf_counter() - start)
    return seconds


class EpochEnds(Callback):
    """Record the times at which epochs end."""

    def on_train_begin(self, net, **kwargs):
        self.times_ = [time.perf_counter()]

    def on_epoch_end(self, net, **kwargs):
        _synchronize(net.device)
        self.times_.append(time.perf_counter())


def fusion_classifier(X, y, batch_size, device):
    """Train a FusionClassifier; return the seconds of each epoch."""
    ends = EpochEnds()
    clf = FusionClassifier(
        lr=LR,
        weight_decay=WEIGHT_DECAY,
        batch_size=batch_size,
        max_epochs=N_EPOCHS,
        early_stopping=False,
        callbacks=[("ends", ends)],
        device=device,
        random_state=0,
    ).fit(X, y)
    return np.diff(dict(clf.net_.callbacks_)["ends"].times_)


class Columns(nn.Module):
    """The network on one array of all columns, the input of skorch's defaults."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, X):
        blocks = list(X.split(list(SHAPES.values()), dim=1))
        present = torch.ones(len(X), len(blocks), dtype=torch.bool, device=X.device)
        return self.network(blocks, present, [None] * len(blocks))


def skorch(X, y, batch_size, device):
    """Train by skorch with default settings; return the seconds of each epoch."""
    ends = EpochEnds()
    net = NeuralNetClassifier(
        Columns(network_of(X, y)),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=WEIGHT_DECAY,
        lr=LR,
        batch_size=batch_size,
        max_epochs=N_EPOCHS,
        train_split=None,
        iterator_train__shuffle=True,
        callbacks=[("ends", ends)],
        verbose=0,
        device=device,
    ).fit(np.array(X), y.astype(np.int64))
    return np.diff(dict(net.callbacks_)["ends"].times_)


def measure_latency(X, y, n_calls, device):
    """Time the prediction of one row and the forward pass of the module.

    Parameters
    ----------
    X, y : DataFrame and ndarray
        Rows.
    n_calls : int
        Number of calls of each, in turn.
    device : str
        Device of the network.

    Returns
    -------
    dict of str to float
        Median in microseconds.
    """
    array = np.array(X)  # a writable copy
    clf = FusionClassifier(
        modalities=SHAPES, max_epochs=1, early_stopping=False, device=device, random_state=0
    ).fit(array[:64], y[:64])
    module = clf.net_.module_
    row = array[:1]
    blocks = [torch.as_tensor(part, device=device) for part in np.split(row, [384], axis=1)]
    present = torch.ones(1, len(blocks), dtype=torch.bool, device=device)

    @torch.no_grad()
    def forward():
        module(blocks, present, [None] * len(blocks)).cpu()

    sides = {
        "module": forward,
        "predict, array": lambda: clf.predict(row),
    }
    seconds = {name: [] for name in sides}
    for _ in range(n_calls):
        for name, call in sides.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: 1e6 * float(np.median(times)) for name, times in seconds.items()}


def measure_growth(n_rows, repeats, device):
    """Time epochs of growing tables.

    Parameters
    ----------
    n_rows : int
        Number of rows of the smallest table.
    repeats : int
        Number of rounds over all sizes.
    device : str
        Device of the network.

    Returns
    -------
    DataFrame
        Number of rows, and microseconds per row.
    """
    X, y = make_rows(n_rows * SIZES[-1])
    seconds = {size: [] for size in SIZES}
    for _ in range(repeats):
        for size in SIZES:
            n = n_rows * size
            took = np.median(fusion_classifier(X[:n], y[:n], 128, device)[1:])
            seconds[size].append(took / n)
    return pd.DataFrame(
        {
            "rows": [n_rows * size for size in SIZES],
            "microseconds": [1e6 * np.median(seconds[size]) for size in SIZES],
        }
    )


def report_speed(epochs, latency, growth, n_rows, options):
    """Write the results as text and tables.

    Parameters
    ----------
    epochs, latency, growth
        Results of `measure_epochs`, `measure_latency` and `measure_growth`.
    n_rows : int
        Number of rows of `epochs`.
    options : Namespace
        Command line.

    Returns
    -------
    about : str
        Text above the first section of the page.
    sections : dict of str to str
        Text by title.
    """
    cuda = torch.device(options.device).type == "cuda"
    about = ABOUT.format(
        n_rows=n_rows,
        n_features=sum(SHAPES.values()),
        n_classes=N_CLASSES,
        rounds=options.repeats,
        torch=torch.__version__,
        where=torch.cuda.get_device_name() if cuda else f"{torch.get_num_threads()} CPU threads",
    )
    lines = []
    for row in epochs.to_dict("records"):
        bare, ours, theirs = row["bare loop"], row["FusionClassifier"], row["skorch"]
        seconds = [f"{bare:.2f}", f"{ours:.2f}", f"{theirs:.2f}"]
        ratios = [f"{ours / bare:.2f} x", f"{theirs / ours:.2f} x", f"{bare / ours:.2f}"]
        lines.append([row["batch"], *seconds, *ratios])
    grown = growth["microseconds"] / growth["microseconds"].iloc[0]
    sizes = [
        [f"{rows:,}", f"{cost:.1f}", f"{factor:.2f}"]
        for rows, cost, factor in zip(growth["rows"], growth["microseconds"], grown, strict=True)
    ]
    overhead = latency["predict, array"] - latency["module"]
    sides = ["bare loop, s", "FusionClassifier, s", "skorch, s"]
    return about, {
        "Seconds per epoch": markdown_table(
            ["batch", *sides, "to the bare loop", "faster than skorch", "bare loop / ours"], lines
        ),
        "Growth with the rows": "Batches of 128.\n\n"
        + markdown_table(["rows", "microseconds per row and epoch", "to the smallest"], sizes),
        "Latency of one row": (
            f"`predict` of an array of one row takes {latency['predict, array']:.0f} microseconds, "
            f"the forward pass of the module {latency['module']:.0f}: an overhead of "
            f"{overhead:.0f} microseconds."
        ),
    }


def _parse(arguments):
    parser = make_parser(__doc__, repeats=5, quick="few rows, one round", writes="training.md")
    parser.add_argument("--part", choices=["all", "speed", "memory", "precision"], default="all")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parse(parser, arguments)


if __name__ == "__main__":
    main()
