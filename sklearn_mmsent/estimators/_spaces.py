"""The search spaces that fusion estimators bring along."""

from sklearn_mmsent.spaces import DependsOn, SearchSpace
from sklearn_mmsent.spaces.domains import Range

# options of fusions that change what they can learn, the default among them
_FUSION_PARAMS = {
    "low_rank": [{"rank": 2}, {"rank": 4}, {"rank": 8}],
    "attention": [{"n_layers": 1}, {"n_layers": 2}],
    "misa": [
        {"similarity_weight": 1.0, "difference_weight": 0.3},
        {"similarity_weight": 0.1, "difference_weight": 0.1},
    ],
    "poe": [{"kl_weight": 1e-3}, {"kl_weight": 1e-2}],
    "quality_aware": [{"ranking_weight": 0.0}, {"ranking_weight": 0.1}],
    "mult": [{"n_layers": 1}, {"n_layers": 2}],
    "bottleneck": [{"n_layers": 1}, {"n_layers": 2}],
}
_OF_VECTORS = [
    *("concat", "sum", "mean", "weighted", "gated", "mag", "multiplicative", "tensor"),
    *("low_rank", "attention", "misa", "poe", "decision", "quality_aware"),
]
_OF_SEQUENCES = ["mult", "bottleneck", "memory"]  # many times as slow as those of vectors
_LOSSES = {
    "classification": {
        "cross_entropy": [{"label_smoothing": 0.0}, {"label_smoothing": 0.1}],
        "focal": [{"gamma": 1.0}, {"gamma": 2.0}],
    },
    "regression": {
        "squared_error": [None],
        "absolute_error": [None],
        "huber": [{"delta": 0.5}, {"delta": 1.0}],
    },
}


def fusion_space(estimator, level):
    """Return the search space of a fusion estimator.

    Parameters
    ----------
    estimator : type
        Class of the estimator.
    level : {"small", "full"}
        "small" holds what matters most often; "full" all fusions with their options, and how to
        regularise, augment, weigh classes and change the learning rate.

    Returns
    -------
    SearchSpace
        Of parameters that the estimator has.
    """
    if level not in ("small", "full"):
        raise ValueError(
            f"{estimator.__name__}.search_space: level must be 'small' or 'full'. Got {level!r} "
            "instead."
        )
    known = estimator._parameter_constraints
    space = _small() if level == "small" else _full(estimator._task)
    return SearchSpace({name: domain for name, domain in space.items() if name in known})


def _small():
    return {
        "fusion": ["concat", "weighted", "gated"],
        "hidden_size": [32, 64, 128],
        "dropout": Range(0.0, 0.6),
        "lr": Range(3e-4, 1e-2, log=True),
        "weight_decay": Range(1e-3, 0.3, log=True),
        "modality_dropout": [0.0, 0.2],
        "class_weight": [None, "balanced"],
    }


def _full(task):
    low = dict.fromkeys(_OF_SEQUENCES, Range(1e-4, 2e-3, log=True))
    space = {
        "fusion": [*_OF_VECTORS, *_OF_SEQUENCES],
        "fusion_params": DependsOn("fusion", _FUSION_PARAMS, otherwise=[None]),
        "hidden_size": [16, 32, 64, 128, 256],
        "dropout": Range(0.0, 0.7),
        "lr": DependsOn("fusion", low, otherwise=Range(1e-4, 2e-2, log=True)),
        "weight_decay": Range(1e-4, 1.0, log=True),
        "lr_schedule": [None, "cosine"],
        "warmup": DependsOn("lr_schedule", {"cosine": [0.0, 0.1]}, otherwise=[0.0]),
        "clip_norm": [None, 1.0],
        "batch_size": [32, 64, 128],
        "modality_dropout": Range(0.0, 0.4),
        "block_noise": Range(0.0, 0.5),
        "mixup": [0.0, 0.2, 0.4],
        "time_masking": [0.0, 0.2],
        "class_weight": [None, "balanced", "effective"],
        # weights of classes and even batches together would count small classes twice
        "balanced_batches": DependsOn("class_weight", {None: [False, True]}, otherwise=[False]),
    }
    losses = _LOSSES.get(task)
    if losses is not None:
        space["loss"] = list(losses)
        space["loss_params"] = DependsOn("loss", losses)
    return space
