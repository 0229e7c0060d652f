"""Watching a member that is trained by itself."""

from skorch.callbacks import Callback


class Watched(Callback):
    """Shows a net to who watches after some epochs, and ends its training if told so.

    Parameters
    ----------
    member : Member
        What is trained.
    watch : Watch
        As `train_members` takes it.
    """

    def __init__(self, member, watch):
        self.member = member
        self.watch = watch

    def on_epoch_end(self, net, **kwargs):
        """Show the net, which is switched back to training by its next epoch."""
        if len(net.history) not in self.watch.epochs:
            return
        net.module_.eval()
        (over,) = self.watch([self.member], [net])
        if over:
            raise KeyboardInterrupt  # skorch's way to ask for a stop
