"""How long an epoch takes beside MMSA, the field's framework, with networks like its own.

Random features of the shapes of CMU-MOSI, as many rows; an epoch is one pass over the training
rows and one over the validation rows. MMSA's own loaders, models and loops run as its package has
them, with its own settings for CMU-MOSI; without the package the script says so and ends. Both
sides take turns; seconds are medians over rounds and epochs, the first epoch of each fit left out.
Writes OUTPUT/mmsa.md and mmsa.csv.

    pip install MMSA
    python benchmarks/mmsa.py --quick
    python benchmarks/mmsa.py --threads 1 --repeats 3
"""

import argparse
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

from sklearn_mmsent import FusionRegressor

SHAPES = {"text": (50, 768), "audio": (375, 5), "vision": (500, 20)}
N_TRAIN, N_VALID = 1284, 229
N_EPOCHS = 3  # of a fit; the first is not counted
LENGTHS = ("spoken", "full")
STEPS_PER_WORD = {"text": 1, "audio": 8, "vision": 10}

_SUBNETS = {
    "text": ("lstm", {"bidirectional": False}),
    "audio": ("mlp", {"hidden": (128, 128)}),
    "vision": ("mlp", {"hidden": (128, 128)}),
}
# by the name that MMSA has for the model: like it in layers and widths, batch size as its own
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
FEW = {"mult": 40}  # an epoch of all rows takes MMSA's half an hour and more: one row in so many

ABOUT = """\
# Beside MMSA

Seconds of an epoch of training with validation, of MMSA {mmsa} and of `FusionRegressor`, on random
features with the shapes of CMU-MOSI: 50 words of 768 numbers, 375 steps of 5 for the voice, 500 of
20 for the face; {n_train:,} rows to train on and {n_valid} to validate. Written by
`benchmarks/mmsa.py`.

MMSA's loaders, models and loops run as they are in its package, with the settings that it has for
CMU-MOSI, on the CPU, once with as many workers as it has by default (4) and once with none; the
faster counts. (Its MulT gives torch's scheduler an argument that is no longer there: left out.)

Ours has networks like them: for LF-DNN, LMF and TFN an LSTM of width 128 over the words and dense
layers of width 128 over what is pooled of voice and face, joined by `"concat"`, `"low_rank"` (rank
3) and `"tensor"`; for MulT four layers of ten heads of width 50. Batches are as large as MMSA's.
TFN differs in size: MMSA multiplies 129 x 33 x 33 numbers, ours narrows each vector to 15 before.

Rows are as long as they are *spoken*, 11 words in the mean, the rest padding; or *full*, which
they are not in any real set. MMSA computes over the padding in both, ours over real steps alone
where the network allows it. MulT is trained on {few} of the rows, without workers: MMSA's takes
half an hour and more for all.

Medians of {rounds} rounds in turn (MulT: one) and of two epochs in each; above 1, ours is faster.
{where}; load {load} (other work ran beside it where that is above the cores)."""


def main(arguments=None):
    """Run the benchmark.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Command line; None takes the process's own.
    """
    options = _parse(arguments)
    if find_spec("MMSA") is None:
        print("MMSA is not installed, nothing was measured: pip install MMSA")
        return
    torch.set_num_threads(options.threads)
    table = measure(options)
    text = _table(table)
    print(f"\n{text}\n")
    if not options.quick:
        options.output.mkdir(parents=True, exist_ok=True)
        table.to_csv(options.output / "mmsa.csv", index=False, float_format="%.4g")
        about = ABOUT.format(
            mmsa=version("MMSA"),
            n_train=N_TRAIN,
            n_valid=N_VALID,
            few=f"one in {FEW['mult']}",
            where=f"Torch {torch.__version__}, {options.threads} of {cpu_count()} CPU cores",
            rounds=options.repeats,
            load=f"{os.getloadavg()[0]:.1f} at the end",
        )
        (options.output / "mmsa.md").write_text(f"{about}\n\n{text}\n", encoding="utf-8")


def measure(options):
    """Time epochs of both sides, in turn.

    Parameters
    ----------
    options : Namespace
        Command line.

    Returns
    -------
    DataFrame
        One row per model and kind of lengths: seconds, sizes, and the ratio of the seconds.
    """
    rows = []
    jobs = [(model, kind) for kind in LENGTHS for model in options.only]
    for model, kind in tqdm(jobs, desc="models", leave=False):
        part = FEW.get(model, 20 if options.quick else 1)
        parts = {
            "train": make_rows(N_TRAIN // part, kind, seed=0),
            "valid": make_rows(N_VALID // part, kind, seed=1),
        }
        theirs, ours = {0: []} if model in FEW else {0: [], 4: []}, []
        with tempfile.TemporaryDirectory() as folder:
            write_features(parts, Path(folder) / "features.pkl")
            for _ in range(1 if model in FEW else options.repeats):
                for workers, seconds in theirs.items():
                    took, n_theirs = run_mmsa(model, Path(folder), workers)
                    seconds += took
                took, n_ours = run_ours(model, parts)
                ours += took
        best = min(np.median(seconds) for seconds in theirs.values())
        rows.append(
            {
                "model": model,
                "rows are": kind,
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
    """Draw random features.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    kind : {"spoken", "full"}
        How long they are.
    seed : int
        Of the draws.

    Returns
    -------
    dict
        Arrays of shape (n_rows, T, F) by modality, zero where a row has ended; "n_words" and
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
    """Write parts as MMSA reads them: a pickle of arrays by part and modality."""
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


class _Enough(Exception):
    """Raised where MMSA would go on to the next epoch."""


def run_mmsa(model, folder, workers):
    """Train by MMSA's own code.

    Parameters
    ----------
    model : str
        Its name there.
    folder : Path
        Where features.pkl is, and where the best weights go.
    workers : int
        Of its data loaders.

    Returns
    -------
    seconds : list of float
        Of each epoch but the first.
    n_parameters : int
        Of the network.
    """
    import MMSA
    from MMSA.config import get_config_regression
    from MMSA.data_loader import MMDataLoader
    from MMSA.models import AMIO
    from MMSA.trains import ATIO

    settings = Path(MMSA.__file__).parent / "config" / "config_regression.json"
    args = get_config_regression(model, "mosi", settings)
    # what its `MMSA_run` sets, which would call for a GPU
    args["device"] = torch.device("cpu")
    args["train_mode"] = "regression"
    args["custom_feature"] = str(folder / "features.pkl")
    args["feature_T"] = args["feature_A"] = args["feature_V"] = None
    args["model_save_path"] = folder / "best.pth"
    args["cur_seed"] = 1
    torch.manual_seed(0)
    loaders, network = MMDataLoader(args, workers), AMIO(args)
    trainer = ATIO().getTrain(args)
    if model == "mult":  # torch has dropped an argument that it passes
        its = importlib.import_module(type(trainer).__module__)
        its.ReduceLROnPlateau = lambda *args, verbose, **kwargs: ReduceLROnPlateau(*args, **kwargs)
    validate, ends = trainer.do_test, []

    def validate_and_note(*args, **kwargs):
        result = validate(*args, **kwargs)
        ends.append(time.perf_counter())
        if len(ends) == N_EPOCHS:
            raise _Enough
        return result

    trainer.do_test = validate_and_note
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(_Enough):
        trainer.do_train(network, loaders)  # its progress bars go to nobody
    return np.diff(ends).tolist(), sum(p.numel() for p in network.parameters())


def run_ours(model, parts):
    """Train by this project; see `run_mmsa` for what is given back."""
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
    """Put modalities side by side, NaN where a row has ended."""
    blocks = []
    for name, shape in SHAPES.items():
        real = np.arange(shape[0]) < _lengths(rows, name)[:, None]
        blocks.append(np.where(real[:, :, None], rows[name], np.nan).reshape(len(real), -1))
    return np.hstack(blocks).astype(np.float32)


def _table(table):
    names = {"lf_dnn": "LF-DNN", "lmf": "LMF", "tfn": "TFN", "mult": "MulT"}
    lines = [
        "| network | rows are | MMSA, s | ours, s | times as fast | parameters, MMSA | ours |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in table.to_dict("records"):
        lines.append(
            f"| {names[row['model']]} | {row['rows are']} | {row['mmsa_seconds']:.2f} | "
            f"{row['our_seconds']:.2f} | {row['faster']:.1f} | {row['mmsa_parameters']:,} | "
            f"{row['our_parameters']:,} |"
        )
    return "\n".join(lines)


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(OURS), default=list(OURS))
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--quick", action="store_true", help="few rows, one round; writes nothing")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parents[1] / "docs" / "benchmarks",
        help="folder of the results (default: docs/benchmarks)",
    )
    options = parser.parse_args(arguments)
    options.repeats = 1 if options.quick else options.repeats
    return options


if __name__ == "__main__":
    main()
