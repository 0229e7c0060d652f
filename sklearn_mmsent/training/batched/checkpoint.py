"""Checkpoints of a stack: the networks that it ended with.

Shapes: P parameters of a network.
"""

from sklearn_mmsent.exceptions import DivergenceError
from sklearn_mmsent.training.batched.stack import flat, write_back
from sklearn_mmsent.training.checkpoint.file import CheckpointFile
from sklearn_mmsent.training.checkpoint.state import pack_history, unpack_history
from sklearn_mmsent.utils._messages import first_line


class StackCheckpoint:
    """The file of a stack whose training has ended; an interrupted stack starts again.

    Parameters
    ----------
    folder : str or Path
        Folder of the file.
    key : str
        Digest of the members, in their order.
    """

    def __init__(self, folder, key):
        self.file = CheckpointFile(folder, "stack", key)

    def save(self, nets, errors):
        """Save trained nets, and the errors, by net, of those that diverged."""
        self.file.save(
            {
                "weights": [flat(net.module_) for net in nets],  # (P,) each
                "histories": [pack_history(net.history) for net in nets],
                "errors": {i: str(errors[net]) for i, net in enumerate(nets) if net in errors},
            }
        )

    def load(self, nets):
        """Fill initialised nets with what was saved; return the errors by net, or None."""
        state = self.file.load()
        if state is None:
            return None
        try:
            weights = [row.to(net.device) for row, net in zip(state["weights"], nets, strict=True)]
            if [row.shape for row in weights] != [flat(net.module_).shape for net in nets]:
                raise ValueError("its weights have another shape")
            rows = zip(state["histories"], nets, strict=True)
            histories = [unpack_history(history) for history, _ in rows]
            errors = {nets[i]: DivergenceError(text) for i, text in state["errors"].items()}
        except Exception as error:  # of any kind: the file is not from this code
            return self.file.reject(f"does not fit the stack ({first_line(error)})")
        for net, row, history in zip(nets, weights, histories, strict=True):
            write_back(row, net.module_)
            net.history = history
        return errors
