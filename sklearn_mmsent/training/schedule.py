"""Learning rate schedules."""

import math

from skorch.callbacks import Callback


class LearningRateSchedule(Callback):
    """Scale the learning rate of each parameter group before each step.

    Over the first steps it rises to its value; then it is constant, or decays by half a cosine or
    linearly towards zero, which it would reach one step after `max_epochs`. Early stopping does
    not change the schedule.

    Parameters
    ----------
    shape : {"cosine", "linear"} or None
        Shape of the decay; None for a constant rate.
    warmup : float, default=0.0
        Share of all steps in which the rate rises.

    References
    ----------
    Loshchilov, Hutter (2017), SGDR: stochastic gradient descent with warm restarts, ICLR
    (cosine); Goyal et al. (2017), Accurate, large minibatch SGD, arXiv:1706.02677 (warm-up).
    """

    def __init__(self, shape, warmup=0.0):
        self.shape = shape
        self.warmup = warmup

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Record the rate of each group, the number of steps, and how many were made before."""
        self.total_ = net.max_epochs * len(net.get_iterator(X, training=True))
        self.step_ = sum(row["train_batch_count"] for row in net.history)
        for group in net.optimizer_.param_groups:
            group.setdefault("initial_lr", group["lr"])  # the key of torch's own schedulers

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        """Set the rates of a training step."""
        if not training:
            return
        scale = factor(self.step_, self.total_, self.shape, self.warmup)
        for group in net.optimizer_.param_groups:
            group["lr"] = group["initial_lr"] * scale
        self.step_ += 1


def factor(step, total, shape, warmup):
    """Return the factor of the learning rate at a step.

    Parameters
    ----------
    step, total : int
        Number of the step, from 0, and number of steps.
    shape : {"cosine", "linear"} or None
        Shape of the decay.
    warmup : float
        Share of all steps in which the rate rises.

    Returns
    -------
    float
        Between 0 and 1.
    """
    rising = round(warmup * total)
    if step < rising:
        return (step + 1) / (rising + 1)  # no step has a rate of zero
    progress = (step - rising) / max(total - rising, 1)
    if shape == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    return 1 - progress if shape == "linear" else 1.0
