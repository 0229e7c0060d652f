"""Importances of modalities on generated rows of an additive model."""

import numpy as np
import pandas as pd

from common.report import markdown_table
from sklearn_mmsent import FusionRegressor, modality_importance
from sklearn_mmsent.inspection import modality_contributions

TITLE = "Importance"
ABOUT = (
    "Generated rows of an additive model whose modalities explain known shares of the "
    "variance. A network is fitted on 4000 rows and inspected on 4000 others. Columns: largest "
    "error of a Shapley value of R2, by masking; sum of the values and the baseline minus the "
    "score; whether Shapley values, ablation and permutation all rank modalities correctly; "
    "largest mean error of contributions to single predictions, in standard deviations of the "
    "target."
)
WEIGHTS = {"text": 2.0, "voice": 1.0, "face": 0.5, "bio": 0.0}


def additive(n, seed):
    """Generate rows of four modalities whose contributions add up to the target.

    Parameters
    ----------
    n : int
        Number of rows.
    seed : int
        Random seed.

    Returns
    -------
    X, y, parts
        Features, target, and contribution of each modality.
    """
    rng = np.random.default_rng(seed)
    names = [f"{name}__{feature}" for name in WEIGHTS for feature in "abc"]
    X = pd.DataFrame(rng.normal(size=(n, len(names))), columns=names)
    parts = pd.DataFrame(
        {m: w * X.filter(like=m).sum(axis=1) / np.sqrt(3) for m, w in WEIGHTS.items()}
    )
    return X, parts.sum(axis=1), parts


def run(options):
    """Compare importances with those of an additive model."""
    total = sum(w**2 for w in WEIGHTS.values())
    truth = pd.Series({m: w**2 / total for m, w in WEIGHTS.items()})
    lines = []
    for seed in range(options.seeds):
        X, y, _ = additive(4000, seed)
        model = FusionRegressor(
            "sum", modality_dropout=0.3, max_epochs=40, batch_size=64, random_state=seed
        ).fit(X, y)
        X, y, parts = additive(4000, 1000 + seed)
        result = modality_importance(model, X, y)
        error = (result.importances["mean"] - truth).abs().max()
        gap = result.baseline + result.importances["mean"].sum() - model.score(X, y)
        ranked = all(
            list(
                modality_importance(model, X, y, method=method, random_state=seed)
                .importances["mean"]
                .sort_values(ascending=False)
                .index
            )
            == list(WEIGHTS)
            for method in ("shapley", "ablation", "permutation")
        )
        rows = modality_contributions(model, X).contributions - parts
        row_error = rows.abs().mean().max() / y.std()
        cells = [f"{error:.4f}", f"{gap:.1e}", "yes" if ranked else "no", f"{row_error:.3f}"]
        lines.append([seed, *cells])
    return markdown_table(["seed", "largest error", "sum - score", "ranked", "error by row"], lines)
