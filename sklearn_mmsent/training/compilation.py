"""Networks that are compiled while they are trained."""

import contextlib
import warnings

from sklearn_mmsent.exceptions import MMSentError

NETWORKS = 64  # versions of a network's code that a process keeps; torch's 8 are few for a search


class CompilationError(MMSentError, RuntimeError):
    """torch cannot compile a network here."""


def compile_in_place(module, **options):
    """Compile a module's forward; its class, attributes and state stay as they are.

    Rows of a batch are a symbol, so that the last, shorter batch needs no version of its own:
    one is compiled for training and one for validation.

    Parameters
    ----------
    module : Module
        Compiled when it is called first.
    **options : dict
        Of ``torch.compile``.
    """
    with warnings.catch_warnings():  # of a part of torch at another part of it
        warnings.filterwarnings("ignore", ".*torch.jit.*", DeprecationWarning)
        module.compile(**{"dynamic": True, **options})


def undo_compilation(module):
    """Run a module as it is written again."""
    module._compiled_call_impl = None


@contextlib.contextmanager
def compiling(device):
    """Compile within, and tell what is missing where that fails.

    Parameters
    ----------
    device : str
        What is compiled for.
    """
    import torch._dynamo  # takes a second

    try:
        with torch._dynamo.config.patch(recompile_limit=NETWORKS):
            yield
    except torch._dynamo.exc.TorchDynamoException as error:
        reason = str(error).partition("\n")[0]
        raise CompilationError(
            f"compile=True: torch cannot compile the network for the device {str(device)!r}: "
            f"{reason}. A CPU needs a C++ compiler (g++ or clang++; the environment variable CXX "
            "names another), a GPU also the package triton. Install it, or set compile=False."
        ) from error
