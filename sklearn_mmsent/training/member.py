"""Member: all that it takes to train one network."""

from dataclasses import dataclass, fields

from sklearn_mmsent.training.checkpoint import digest_of_network
from sklearn_mmsent.training.dataset import BlockDataset
from sklearn_mmsent.training.plan import NetworkPlan
from sklearn_mmsent.training.train import make_net, train_network

_NO_MATTER = {"verbose", "checkpoint_dir"}  # for the network


@dataclass(frozen=True)
class Member:
    """A network to train: a fold, a candidate, or a seed.

    Parameters
    ----------
    plan : NetworkPlan
        What to build.
    train : BlockDataset
        Rows to learn from.
    valid : BlockDataset or None
        Rows to validate on after each epoch.
    loss, seed, lr, weight_decay, batch_size, max_epochs, patience, clip_norm, lr_schedule, \
            warmup, device, precision, callbacks, verbose, net_params, checkpoint_dir
        As :func:`train_network` takes them.
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
    verbose: int = 0
    net_params: dict | None = None
    checkpoint_dir: str | None = None

    def settings(self):
        """Return the settings of training by name."""
        names = [field.name for field in fields(self)]
        return {name: getattr(self, name) for name in names[3:]}

    def key(self, known=None):
        """Return the digest of what decides how the network comes out; see `digest_of_network`."""
        settings = {k: v for k, v in self.settings().items() if k not in _NO_MATTER}
        return digest_of_network(self.plan, self.train, self.valid, settings, known)

    def train_alone(self, checkpoint_key=None):
        """Train the network by itself; return the net."""
        settings = self.settings()
        return train_network(
            self.plan, self.train, self.valid, **settings, checkpoint_key=checkpoint_key
        )

    def net(self):
        """Return a net with the settings, not yet initialised."""
        settings = self.settings()
        del settings["checkpoint_dir"]
        return make_net(self.plan, self.valid, **settings)
