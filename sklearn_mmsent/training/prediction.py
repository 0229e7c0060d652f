"""What is inside a trained network: how much blocks and steps count."""

import numpy as np
import torch

from sklearn_mmsent.training.dataset import Batches


@torch.no_grad()
def read_weights(module, dataset):
    """Return how much each block, and each step of a block, counts in a dataset's rows.

    Parameters
    ----------
    module : FusionNetwork
        In evaluation mode.
    dataset : BlockDataset
        Rows to read, on the module's device.

    Returns
    -------
    blocks : ndarray of float64 of shape (n_samples, M) or None
        Zero for the absent; None for a fusion that tells none.
    steps : list of M ndarray of float64 of shape (n_samples, S_m) or None
        Zero for padding and for the absent.
    """
    read = []
    for inputs, _ in Batches(dataset, dataset.rows_at_once()):
        blocks, steps = module.weights(*inputs)
        read.append([_array(weights) for weights in (blocks, *steps)])
    blocks, *steps = (_stack(parts) for parts in zip(*read, strict=True))
    return blocks, steps


def _array(weights):
    return None if weights is None else weights.cpu().double().numpy()


def _stack(parts):
    """Put batches under each other; steps that a batch does not have are padding."""
    if parts[0] is None:
        return None
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])


@torch.no_grad()
def predict_network(module, dataset, batch_size=None):
    """Run a trained network over a dataset.

    Parameters
    ----------
    module : FusionNetwork
        In evaluation mode.
    dataset : BlockDataset
        Rows to predict, on the module's device.
    batch_size : int or None, default=None
        Rows at once; None takes few of large blocks and many of small ones.

    Returns
    -------
    ndarray of float64 of shape (n_samples, n_outputs)
        Logits, or intensities.
    """
    results, done = None, 0
    for inputs, _ in Batches(dataset, batch_size or dataset.rows_at_once()):
        outputs = module(*inputs)
        if results is None:  # one for all: small ones between large batches would scatter memory
            results = outputs.new_empty(len(dataset), *outputs.shape[1:])
        results[done : done + len(outputs)] = outputs
        done += len(outputs)
    return results.cpu().double().numpy()
