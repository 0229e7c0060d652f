"""Compare the time of an epoch with MMSA, the field's framework, for similar networks.

Features are random, with the shapes and numbers of rows of CMU-MOSI; an epoch is one pass over the
training rows and one over the validation rows. MMSA's loaders, models and loops run unchanged, with
its settings for CMU-MOSI. Both sides take turns; seconds are medians over rounds and epochs,
without the first epoch of each fit. Writes docs/benchmarks/mmsa.md and mmsa.csv.

    pip install MMSA
    python benchmarks/mmsa.py --quick
    python benchmarks/mmsa.py --threads 1 --repeats 3
"""

import contextlib
import importlib
import io
import os
import pickle
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import cpu_count
from torch.optim.lr_scheduler import ReduceLROnPlateau
from tqdm import tqdm

from common.command_line import make_parser, parse
from common.report import markdown_table, write_page
from sklearn_mmsent import FusionRegressor

SHAPES = {"text": (50, 768), "audio": (375, 5), "vision": (500, 20)}
N_TRAIN, N_VALID = 1284, 229
N_EPOCHS = 3  # per fit; the first is a warm-up
LENGTHS = ("spoken", "full")
STEPS_PER_WORD = {"text": 1, "audio": 8, "vision": 10}

_SUBNETS = {
    "text": ("lstm", {"bidirectional": False}),
    "audio": ("mlp", {"hidden": (128, 128)}),
    "vision": ("mlp", {"hidden": (128, 128)}),
}
# by MMSA's name of the model: the same layers, widths and batch size
OURS = {
    "lf_dnn": {"encoders": _SUBNETS, "hidden_size": 128, "batch_size": 128},
    "lmf": {
        "encoders": _SUBNETS,
        "fusion": "low_rank",
        "fusion_params": {"rank": 3},
        "hidden_size": 128,
        "batch_size": 64,
    },
    "tfn": {"encoders": _SUBNETS, "fusion": "tensor", "hidden_size": 128, "batch_size": 32},
    "mult": {
        "encoders": "mean",
        "fusion": "mult",
        "fusion_params": {"n_layers": 4, "n_heads": 10},
        "hidden_size": 50,
        "batch_size": 16,
    },
}
SUBSAMPLED = {"mult": 40}  # one row in so many, as an epoch takes MMSA more than half an hour

ABOUT = """\
# Comparison with MMSA

Seconds per epoch of training with validation, for MMSA {mmsa} and `FusionRegressor`, on random
features with the shapes of CMU-MOSI: 50 words of 768 features, 375 steps of 5 for the voice, 500 of
20 for the face; {n_train:,} rows for training and {n_valid} for validation. Written by
`benchmarks/mmsa.py`.

MMSA's loaders, models and loops run unchanged with its settings for CMU-MOSI, on the CPU, once with
its default of 4 workers and once with none; the faster time counts. (Only an argument of its MulT,
which torch's scheduler no longer accepts, is dropped.)

Ours are similar networks: for LF-DNN, LMF and TFN an LSTM of width 128 over words and dense layers
of width 128 over pooled voice and face, with the fusions `"concat"`, `"low_rank"` (rank 3) and
`"tensor"`; for MulT four layers of ten heads of width 50. Batch sizes are MMSA's. TFN differs in
size: MMSA multiplies 129 x 33 x 33 values, ours projects each vector to 15 before.

Rows have *spoken* length, 11 words on average with padding, or *full* length, which no real data
set has. MMSA computes over the padding, ours over real steps only where the network allows it. MulT
is trained on {few} of the rows without workers, since MMSA takes more than half an hour on all.

Medians of {rounds} rounds in turn (MulT: one) and of two epochs in each; above 1, ours is faster.
{where}; load {load} (other work ran where the load exceeds the cores)."""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    if find_spec("MMSA") is None:
        print("MMSA is not installed: pip install MMSA")
        return
    torch.set_num_threads(options.threads)
    table = measure(options)
    text = _table(table)
    print(f"\n{text}\n")
    if not options.quick:
        about = ABOUT.format(
            mmsa=version("MMSA"),
            n_train=N_TRAIN,
            n_valid=N_VALID,
            few=f"one in {SUBSAMPLED['mult']}",
            where=f"Torch {torch.__version__}, {options.threads} of {cpu_count()} CPU cores",
            rounds=options.repeats,
            load=f"{os.getloadavg()[0]:.1f} at the end",
        )
        write_page(options.output / "mmsa.md", f"{about}\n\n{text}")
        table.to_csv(options.output / "mmsa.csv", index=False, float_format="%.4g")


def measure(options):
    """Time epochs of both sides in turn.

    Parameters
    ----------
    options : Namespace
        Command line.

    Returns
    -------
    DataFrame
        One row per model and kind of lengths: seconds, sizes, and the ratio of seconds.
    """
    rows = []
    jobs = [(model, kind) for kind in LENGTHS for model in options.only]
    for model, kind in tqdm(jobs, desc="models", leave=False):
        part = SUBSAMPLED.get(model, 20 if options.quick else 1)
        parts = {
            "train": make_rows(N_TRAIN // part, kind, seed=0),
            "valid": make_rows(N_VALID // part, kind, seed=1),
        }
        theirs, ours = {0: []} if model in SUBSAMPLED else {0: [], 4: []}, []
        with tempfile.TemporaryDirectory() as folder:
            write_features(parts, Path(folder) / "features.pkl")
            for _ in range(1 if model in SUBSAMPLED else options.repeats):
                for workers, seconds in theirs.items():
                    epochs, n_theirs = run_mmsa(model, Path(folder), workers)
                    seconds += epochs
                epochs, n_ours = run_ours(model, parts)
                ours += epochs
        best = min(np.median(seconds) for seconds in theirs.values())
        rows.append(
            {
                "model": model,
                "lengths": kind,
                "mmsa_seconds": best,
                "our_seconds": np.median(ours),
                "faster": best / np.median(ours),
                "mmsa_parameters": n_theirs,
                "our_parameters": n_ours,
                "training_rows": len(parts["train"]["labels"]),
                "threads": options.threads,
            }
        )
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def make_rows(n_rows, kind, seed):
    """Generate random features.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    kind : {"spoken", "full"}
        Kind of lengths.
    seed : int
        Random seed.

    Returns
    -------
    dict
        Arrays of shape (n_rows, T, F) by modality, zero after the end of a row; "n_words" and
        "labels".
    """
    rng = np.random.default_rng(seed)
    n_words = np.full(n_rows, SHAPES["text"][0])
    if kind == "spoken":
        n_words = rng.gamma(2.2, 5.5, n_rows).astype(int).clip(1, SHAPES["text"][0])
    rows = {"n_words": n_words, "labels": rng.normal(size=n_rows).astype(np.float32)}
    for name, shape in SHAPES.items():
        values = rng.normal(size=(n_rows, *shape)).astype(np.float32)
        values[np.arange(shape[0]) >= _lengths(rows, name)[:, None]] = 0.0
        rows[name] = values
    return rows


def _lengths(rows, name):
    steps = SHAPES[name][0]
    full = rows["n_words"] == SHAPES["text"][0]
    return np.where(full, steps, np.minimum(rows["n_words"] * STEPS_PER_WORD[name], steps))


def write_features(parts, path):
    """Write parts in MMSA's format, a pickle of arrays by part and modality."""
    features = {}
    for part, rows in {**parts, "test": parts["valid"]}.items():
        n = len(rows["labels"])
        features[part] = {
            **{name: rows[name] for name in SHAPES},
            **{f"{name}_lengths": _lengths(rows, name).tolist() for name in SHAPES},
            **{"raw_text": [""] * n, "id": list(range(n)), "regression_labels": rows["labels"]},
        }
    with path.open("wb") as file:
        pickle.dump(features, file, protocol=4)


class _LastEpoch(Exception):
    """Raised to stop MMSA's training."""


def run_mmsa(model, folder, workers):
    """Train with MMSA.

    Parameters
    ----------
    model : str
        MMSA's name of the model.
    folder : Path
        Folder of features.pkl, and of the best weights.
    workers : int
        Number of workers of the data loaders.

    Returns
    -------
    seconds : list of float
        Seconds of each epoch except the first.
    n_parameters : int
        Number of parameters of the network.
    """
    import MMSA
    from MMSA.config import get_config_regression
    from MMSA.data_loader import MMDataLoader
    from MMSA.models import AMIO
    from MMSA.trains import ATIO

    settings = Path(MMSA.__file__).parent / "config" / "config_regression.json"
    args = get_config_regression(model, "mosi", settings)
    # settings of `MMSA_run`, which requires a GPU
    args["device"] = torch.device("cpu")
    args["train_mode"] = "regression"
    args["custom_feature"] = str(folder / "features.pkl")
    args["feature_T"] = args["feature_A"] = args["feature_V"] = None
    args["model_save_path"] = folder / "best.pth"
    args["cur_seed"] = 1
    torch.manual_seed(0)
    loaders, network = MMDataLoader(args, workers), AMIO(args)
    trainer = ATIO().getTrain(args)
    if model == "mult":  # passes an argument that torch has removed
        its = importlib.import_module(type(trainer).__module__)
        its.ReduceLROnPlateau = lambda *args, verbose, **kwargs: ReduceLROnPlateau(*args, **kwargs)
    validate, ends = trainer.do_test, []

    def timed_validate(*args, **kwargs):
        result = validate(*args, **kwargs)
        ends.append(time.perf_counter())
        if len(ends) == N_EPOCHS:
            raise _LastEpoch
        return result

    trainer.do_test = timed_validate
    # without its progress bars
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(_LastEpoch):
        trainer.do_train(network, loaders)
    return np.diff(ends).tolist(), sum(p.numel() for p in network.parameters())


def run_ours(model, parts):
    """Train with this project; returns the same as `run_mmsa`."""
    regressor = FusionRegressor(
        **OURS[model],
        modalities=SHAPES,
        loss="absolute_error",
        max_epochs=N_EPOCHS,
        n_iter_no_change=N_EPOCHS,
        device="cpu",
        random_state=0,
    )
    train, valid = (_to_table(parts[part]) for part in ("train", "valid"))
    regressor.fit(train, parts["train"]["labels"], X_val=valid, y_val=parts["valid"]["labels"])
    n_parameters = sum(p.numel() for p in regressor.net_.module_.parameters())
    return regressor.net_.history[1:, "dur"], n_parameters


def _to_table(rows):
    """Concatenate modalities, with NaN after the end of a row."""
    blocks = []
    for name, shape in SHAPES.items():
        real = np.arange(shape[0]) < _lengths(rows, name)[:, None]
        blocks.append(np.where(real[:, :, None], rows[name], np.nan).reshape(len(real), -1))
    return np.hstack(blocks).astype(np.float32)


def _table(table):
    names = {"lf_dnn": "LF-DNN", "lmf": "LMF", "tfn": "TFN", "mult": "MulT"}
    lines = []
    for row in table.to_dict("records"):
        seconds = [f"{row['mmsa_seconds']:.2f}", f"{row['our_seconds']:.2f}"]
        sizes = [f"{row['mmsa_parameters']:,}", f"{row['our_parameters']:,}"]
        lines.append(
            [names[row["model"]], row["lengths"], *seconds, f"{row['faster']:.1f}", *sizes]
        )
    heads = ["network", "lengths", "MMSA, s", "ours, s", "speed-up", "parameters, MMSA", "ours"]
    return markdown_table(heads, lines)


def _parse(arguments):
    parser = make_parser(
        __doc__,
        only=list(OURS),
        repeats=3,
        quick="few rows, one round",
        writes="mmsa.md and mmsa.csv",
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parse(parser, arguments)


if __name__ == "__main__":
    main()
