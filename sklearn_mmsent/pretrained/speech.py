"""Speech encoders of the transformers library: wav2vec 2.0, HuBERT, WavLM, Whisper and kin."""

import os
import threading

import numpy as np
import torch

from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._device import resolve_device
from sklearn_mmsent.utils._optional import import_optional

_OWNER = "SpeechEmbedder"
_SHORTEST = 0.1  # seconds; the convolutions of a model give no frame of much less
_FAILURES = (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError)


class SpeechNotes:
    """What a model's own files tell without its weights.

    Parameters
    ----------
    source : str
        Local folder or name on the Hugging Face hub.
    """

    def __init__(self, source):
        library = import_optional("transformers", extra="audio", needed_by=_OWNER)
        local = {"local_files_only": os.path.isdir(source)}
        try:
            with loading.quiet():
                config = library.AutoConfig.from_pretrained(source, **local)
                self.prepare = library.AutoFeatureExtractor.from_pretrained(source, **local)
        except _FAILURES as error:
            raise _unloadable(source, error) from error
        self.sample_rate = getattr(self.prepare, "sampling_rate", None)
        self.width = getattr(config, "hidden_size", None)
        if self.sample_rate is None or self.width is None:
            raise DataFormatError(
                f"{_OWNER}: the model {source!r} ({config.model_type}) is no speech encoder. Take "
                "one such as wav2vec 2.0, HuBERT, WavLM or Whisper."
            )
        #: Seconds that the model always reads, padded with silence; None if as long as a clip.
        self.chunk_seconds = getattr(self.prepare, "chunk_length", None)


class SpeechModel:
    """A loaded speech encoder.

    Parameters
    ----------
    source : str
        Local folder or name on the Hugging Face hub.

    device : str
        A torch device or "auto".
    """

    def __init__(self, source, device):
        library = import_optional("transformers", extra="audio", needed_by=_OWNER)
        self.notes = SpeechNotes(source)
        self._device = resolve_device(device)
        try:
            with loading.quiet():
                model = library.AutoModel.from_pretrained(
                    source, local_files_only=os.path.isdir(source), use_safetensors=True
                )
        except _FAILURES as error:
            raise _unloadable(source, error) from error
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
        self._model = model.float().eval().to(self._device)
        self._using = threading.Lock()

    def encode(self, clips, *, window_seconds, layer):
        """Embed the frames of clips.

        Clips of one length go through the model together: models of which some ignore masks
        never see a clip padded to another's length.

        Parameters
        ----------
        clips : list of ndarray of shape (n_samples,), float32
            At the model's rate.
        window_seconds : float
            A longer clip is cut into equal windows of at most this length.
        layer : int or None
            Layer to read; None means the output of the model.

        Returns
        -------
        list of Tensor of shape (n_frames, width), float32
            On the device.
        """
        longest = int(window_seconds * self.notes.sample_rate)
        windows = [np.array_split(clip, -(-len(clip) // longest)) for clip in clips]
        places = {}  # length -> (clip, window) of that length
        for i, pieces in enumerate(windows):
            for j, piece in enumerate(pieces):
                places.setdefault(len(piece), []).append((i, j))
        frames = {}
        for some in places.values():
            encoded = self._encode_equal([windows[i][j] for i, j in some], layer)
            frames |= dict(zip(some, encoded, strict=True))
        return [
            torch.cat([frames[i, j] for j in range(len(pieces))])
            for i, pieces in enumerate(windows)
        ]

    @torch.inference_mode()
    def _encode_equal(self, pieces, layer):
        rate = self.notes.sample_rate
        n_samples = len(pieces[0])
        lacking = max(0, int(_SHORTEST * rate) - n_samples)
        # only what is there is normalised, the silence that makes it long enough is not
        inputs = self.notes.prepare(
            [np.pad(piece, (0, lacking)) for piece in pieces],
            sampling_rate=rate,
            return_tensors="pt",
        )
        name = self.notes.prepare.model_input_names[0]
        with self._using:
            output = self._model(
                inputs[name].to(self._device), output_hidden_states=layer is not None
            )
        states = output.last_hidden_state if layer is None else self._layer(output, layer)
        if self.notes.chunk_seconds is not None:  # the rest is padding
            share = (n_samples + lacking) / (self.notes.chunk_seconds * rate)
            states = states[:, : max(1, round(share * states.shape[1]))]
        return states

    def _layer(self, output, layer):
        layers = output.hidden_states
        if not -len(layers) <= layer < len(layers):
            raise ValueError(
                f"The 'layer' parameter of {_OWNER} must lie between {-len(layers)} and "
                f"{len(layers) - 1} for this model. Got {layer} instead."
            )
        return layers[layer]


def _unloadable(source, error):
    return DataFormatError(
        f"{_OWNER} cannot load the model {source!r}: {type(error).__name__}: {error}. Give the "
        "folder or name of a speech encoder of the transformers library, with its weights as "
        "safetensors and its 'preprocessor_config.json'; one that is not on this machine yet "
        "needs the network."
    )
