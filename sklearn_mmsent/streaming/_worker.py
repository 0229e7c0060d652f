"""A thread that predicts a stream's windows as they come due."""

import threading

_PAUSE = 1.0  # seconds after which a thread that waits looks around


class Worker:
    """Reads a stream in a thread of its own.

    Parameters
    ----------
    read : callable
        Gives an iterator of the predictions that are due.
    callback : callable
        Called with each.
    changed : threading.Condition
        Notified when windows come due; guards what `waiting` looks at.
    waiting : callable
        Tells whether windows are due.
    """

    def __init__(self, read, callback, changed, waiting):
        self._read, self._callback = read, callback
        self._changed, self._waiting = changed, waiting
        self._error, self._stopping = None, False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def finish(self):
        """Wait until all that is due is predicted, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def raise_error(self):
        """Raise what went wrong since the last call, if anything did."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def wait(self):
        """Wait, with `changed` held, until the worker has taken a window, or for a moment."""
        self._changed.wait(_PAUSE)

    def _work(self):
        while True:
            with self._changed:
                while not self._waiting():
                    if self._stopping:
                        return
                    self._changed.wait(_PAUSE)
            try:
                for prediction in self._read():
                    self._callback(prediction)
            except Exception as error:
                with self._changed:
                    self._error = self._error or error
                    self._changed.notify_all()
