"""Monitor: a watch over a member that is trained alone."""

from skorch.callbacks import Callback


class Monitor(Callback):
    """Calls a watch after some epochs, and stops training if it says so.

    Parameters
    ----------
    member : Member
        Member that is trained.
    watch : callable
        See `train_members`.
    """

    def __init__(self, member, watch):
        self.member = member
        self.watch = watch

    def on_epoch_end(self, net, **kwargs):
        """Call the watch; the next epoch switches the net back to training mode."""
        if len(net.history) not in self.watch.epochs:
            return
        net.module_.eval()
        (over,) = self.watch([self.member], [net])
        if over:
            raise KeyboardInterrupt  # skorch's request to stop
