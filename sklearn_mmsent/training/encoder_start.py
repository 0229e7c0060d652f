"""EncoderStart: initial weights of a block's encoder."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class EncoderStart:
    """Trained weights of a block's encoder, and the scale of the inputs that they expect.

    Parameters
    ----------
    subject : str
        Block and source, used in error messages.
    encoder : dict of str to Tensor
        ``state_dict`` of the encoder.
    standardizer : dict of str to Tensor
        ``state_dict`` of the block's `Standardize`.
    frozen : bool
        Whether the weights are not trained.
    """

    subject: str
    encoder: dict
    standardizer: dict
    frozen: bool

    def load_into(self, encoder, standardizer):
        """Copy the weights into new modules.

        Parameters
        ----------
        encoder, standardizer : Module
            Modules of the same block.

        Raises
        ------
        ValueError
            If a weight is missing or has another shape.
        """
        for module, state in ((standardizer, self.standardizer), (encoder, self.encoder)):
            self._check(module, state)
            module.load_state_dict(state)  # which casts to the module's own dtypes

    def _check(self, module, state):
        current = module.state_dict()
        for name in sorted(current.keys() | state.keys()):
            shapes = [tuple(s[name].shape) if name in s else None for s in (state, current)]
            if shapes[0] != shapes[1]:
                given, expected = (
                    "is missing" if shape is None else f"has shape {shape}" for shape in shapes
                )
                raise ValueError(
                    f"{self.subject} does not fit: the encoder's weight {name!r} {given} in the "
                    f"source and {expected} in this network. Use tables with equal blocks, or name "
                    "the blocks to take: encoders_from={name: source}."
                )


def plain_state(module):
    """Return a module's weights on the CPU, in the float32 of training.

    Parameters
    ----------
    module : Module
        Trained module; in float64 if it has been prepared for prediction.

    Returns
    -------
    dict of str to Tensor
        Contiguous copies; in float64 only where float32 would round.

    Raises
    ------
    ValueError
        If the state has something other than tensors.
    """
    state = {}
    for name, value in module.state_dict().items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(
                f"{type(module).__name__} keeps {name!r}, of type {type(value).__name__}, in its "
                "state; only encoders whose state consists of tensors can be reused."
            )
        value = value.detach().cpu()
        if value.dtype == torch.float64 and torch.equal(value.float().double(), value):
            value = value.float()
        state[name] = value.clone(memory_format=torch.contiguous_format)
    return state
