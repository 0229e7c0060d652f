"""EncoderStart: the weights that a block's encoder begins with."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class EncoderStart:
    """Trained weights of a block's encoder, and the scale that they expect of their inputs.

    Parameters
    ----------
    who : str
        Which block this is and where it comes from, for messages.
    encoder : dict of str to Tensor
        What the encoder's ``state_dict`` gave.
    standardizer : dict of str to Tensor
        What the ``state_dict`` of the block's `Standardize` gave.
    frozen : bool
        Whether they stay as they are.
    """

    who: str
    encoder: dict
    standardizer: dict
    frozen: bool

    def load_into(self, encoder, standardizer):
        """Copy the weights into modules that were just built.

        Parameters
        ----------
        encoder, standardizer : Module
            Of the same block.

        Raises
        ------
        ValueError
            If a weight has another shape there, or is not there.
        """
        for module, state in ((standardizer, self.standardizer), (encoder, self.encoder)):
            self._check(module, state)
            module.load_state_dict(state)  # which casts to the module's own dtypes

    def _check(self, module, state):
        here = module.state_dict()
        for name in sorted(here.keys() | state.keys()):
            shapes = [tuple(s[name].shape) if name in s else None for s in (state, here)]
            if shapes[0] != shapes[1]:
                told = ["no place" if shape is None else f"shape {shape}" for shape in shapes]
                raise ValueError(
                    f"{self.who} does not fit: the encoder's weight {name!r} has {told[0]} there "
                    f"and {told[1]} here. Make the tables alike, or name the blocks to take: "
                    "encoders_from={name: source}."
                )


def plain_state(module):
    """Return a module's weights as they were in training: on the CPU, in float32.

    Parameters
    ----------
    module : Module
        Trained, and perhaps in float64 since, for prediction.

    Returns
    -------
    dict of str to Tensor
        Copies, each with memory of its own; float64 only where float32 would round.
    """
    state = {}
    for name, value in module.state_dict().items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(
                f"{type(module).__name__} keeps {name!r}, of type {type(value).__name__}, in its "
                "state; encoders can be handed on only where all of it is tensors."
            )
        value = value.detach().cpu()
        if value.dtype == torch.float64 and torch.equal(value.float().double(), value):
            value = value.float()
        state[name] = value.clone(memory_format=torch.contiguous_format)
    return state
