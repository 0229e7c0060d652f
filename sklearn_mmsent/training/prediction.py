"""Predictions, and weights of blocks and steps, of a trained network."""

import numpy as np
import torch

from sklearn_mmsent.training.dataset import Batches


@torch.no_grad()
def read_weights(module, dataset):
    """Return the weights of blocks, and of the steps of each block, in a dataset's rows.

    Parameters
    ----------
    module : FusionNetwork
        In evaluation mode.
    dataset : BlockDataset
        Rows, on the module's device.

    Returns
    -------
    blocks : ndarray of float64 of shape (n_samples, M) or None
        Zero for absent blocks; None for a fusion without weights.
    steps : list of M ndarray of float64 of shape (n_samples, S_m) or None
        Zero for padding and absent blocks.
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
    """Concatenate batches; shorter ones are padded with zeros."""
    if parts[0] is None:
        return None
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])


@torch.no_grad()
def predict_network(module, dataset):
    """Run a trained network over a dataset.

    Parameters
    ----------
    module : FusionNetwork
        In evaluation mode.
    dataset : BlockDataset
        Rows to predict, on the module's device.

    Returns
    -------
    ndarray of float64 of shape (n_samples, n_outputs)
        Logits, or intensities.
    """
    results, done = None, 0
    for inputs, _ in Batches(dataset, dataset.rows_at_once()):
        outputs = module(*inputs)
        if results is None:  # one array, or small ones between large batches would fragment memory
            results = outputs.new_empty(len(dataset), *outputs.shape[1:])
        results[done : done + len(outputs)] = outputs
        done += len(outputs)
    return results.cpu().double().numpy()
