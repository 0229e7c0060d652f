"""Member: the data and settings with which one network is trained."""

import math
from dataclasses import dataclass, field, fields

from sklearn_mmsent.training.checkpoint.digest import digest_of_network
from sklearn_mmsent.training.dataset import BlockDataset
from sklearn_mmsent.training.plan import NetworkPlan

_NOT_IN_KEY = {"key": False}  # metadata of a field that does not change what is trained


@dataclass(frozen=True)
class Member:
    """Data and settings of one network to train: of a fit, a fold, a candidate, or a seed.

    Parameters
    ----------
    plan : NetworkPlan
        Architecture of the network.
    train : BlockDataset
        Training rows.
    valid : BlockDataset or None
        Rows on which the loss is evaluated after each epoch.
    loss : callable
        Maps outputs and targets of a batch to the loss of each row.
    seed : int
        Determines initial weights, order of rows and dropout.
    lr, weight_decay : float
        Parameters of AdamW.
    batch_size : int
        Rows in a training batch.
    max_epochs : int
        Maximum number of passes over the training rows.
    patience : int or None, default=None
        Epochs without a lower validation loss after which training stops and the best weights
        are restored; None trains for `max_epochs`.
    clip_norm : float or None, default=None
        Maximum norm of the gradient; longer gradients are scaled down to it.
    lr_schedule : {"cosine", "linear"} or None, default=None
        How the learning rate decays towards zero over `max_epochs`.
    warmup : float, default=0.0
        Share of all steps in which the learning rate rises to its value.
    device : str, default="cpu"
        Device to train on.
    precision : {"auto", "float32", "bfloat16"}, default="float32"
        Precision of the layers in training and validation; see `choose_precision`.
    callbacks : list of skorch callbacks or None, default=None
        Called in addition to the built-in ones.
    verbose : int, default=0
        1 prints a line per epoch.
    net_params : dict or None, default=None
        Further parameters of the skorch net.
    checkpoint_dir : str or None, default=None
        Folder of the file from which interrupted training resumes.
    """

    plan: NetworkPlan
    train: BlockDataset
    valid: BlockDataset | None
    loss: object
    seed: int
    lr: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience: int | None = None
    clip_norm: float | None = None
    lr_schedule: str | None = None
    warmup: float = 0.0
    device: str = "cpu"
    precision: str = "float32"
    callbacks: list | None = None
    verbose: int = field(default=0, metadata=_NOT_IN_KEY)
    net_params: dict | None = None
    checkpoint_dir: str | None = field(default=None, metadata=_NOT_IN_KEY)

    @property
    def max_gradient_norm(self):
        """Maximum norm of the gradient, infinite if it is not clipped."""
        return math.inf if self.clip_norm is None else self.clip_norm

    def key(self, known=None):
        """Return the digest of everything that determines the trained network.

        Parameters
        ----------
        known : dict or None, default=None
            Digests of large tensors that datasets share; filled here.

        Returns
        -------
        str
            32 hexadecimal digits; see `digest_of_network`.
        """
        names = [f.name for f in fields(self) if f.metadata.get("key", True)]
        settings = {name: getattr(self, name) for name in names[3:]}
        return digest_of_network(self.plan, self.train, self.valid, settings, known)
