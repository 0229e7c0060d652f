"""Worker: a thread that predicts the windows of a stream as they are completed."""

import threading

_TIMEOUT = 1.0  # seconds after which a waiting thread checks its condition again


class Worker:
    """Reads a stream in a background thread.

    Parameters
    ----------
    read : callable
        Returns an iterator over the predictions of complete windows.
    callback : callable
        Called with each prediction.
    changed : threading.Condition
        Notified when windows are completed; held while `waiting` is called.
    waiting : callable
        Returns whether windows are waiting.
    """

    def __init__(self, read, callback, changed, waiting):
        self._read, self._callback = read, callback
        self._changed, self._waiting = changed, waiting
        self._error, self._stopping = None, False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def finish(self):
        """Predict all waiting windows, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def raise_error(self):
        """Raise the first error since the last call, if there is one."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def wait(self):
        """Wait, with `changed` held, until the worker has taken a window or time is up."""
        self._changed.wait(_TIMEOUT)

    def _work(self):
        while True:
            with self._changed:
                while not self._waiting():
                    if self._stopping:
                        return
                    self._changed.wait(_TIMEOUT)
            try:
                for prediction in self._read():
                    self._callback(prediction)
            except Exception as error:
                with self._changed:
                    self._error = self._error or error
                    self._changed.notify_all()
