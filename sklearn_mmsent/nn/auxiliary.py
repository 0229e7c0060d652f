"""AuxiliaryModule: a part of a network that may add to the loss."""

from torch import nn

from sklearn_mmsent.utils._tensors import map_tensors


class AuxiliaryModule(nn.Module):
    """A part of a network that may add an auxiliary loss to that of the predictions.

    A child that needs intermediate results for its loss overrides ``forward_train`` and
    ``auxiliary_loss``; the defaults are those of a part without auxiliary loss.
    """

    #: Whether the auxiliary loss depends on earlier batches, through ``memory``. Such networks are
    #: trained alone.
    remembers = False

    #: Memory of the training rows, an instance of ``memory_type``, which is built from its
    #: attributes by name. Neither pickles nor copies hold it.
    memory = None
    memory_type = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        inherited = cls.forward_train is not AuxiliaryModule.forward_train
        if "forward" in vars(cls) and "forward_train" not in vars(cls) and inherited:
            raise TypeError(
                f"{cls.__name__} overrides forward, but training would run the forward_train that "
                "it inherits. Override forward_train, too."
            )

    def forward_train(self, *inputs):
        """Compute ``forward`` in training.

        Parameters
        ----------
        *inputs : tuple
            Arguments of ``forward``.

        Returns
        -------
        outputs : Tensor
            Result of ``forward``.
        intermediates : object
            What ``auxiliary_loss`` needs of this batch: tensors in tuples or lists, or None.
        """
        return self(*inputs), None

    def auxiliary_loss(self, intermediates, batch):
        """Return the auxiliary loss of a training batch.

        Parameters
        ----------
        intermediates : object
            Second result of ``forward_train``.
        batch : BatchLoss
            Losses, weights, targets and numbers of the rows.

        Returns
        -------
        Tensor of shape () or None
            None for nothing.
        """

    def training_state(self):
        """Return the memory of the training rows, for a checkpoint; None if there is none."""
        return None if self.memory is None else dict(vars(self.memory))

    def load_training_state(self, state):
        """Restore what `training_state` returned."""
        self.memory = None
        if state is not None:
            device = next(self.parameters()).device
            self.memory = self.memory_type(**map_tensors(state, lambda x: x.to(device)))

    def __getstate__(self):
        """Leave out the memory of the training rows."""
        return {**self.__dict__, "memory": None}
