"""Speech encoders of the transformers library, such as wav2vec 2.0, HuBERT, WavLM, Whisper."""

import os
import threading

import numpy as np
import torch

from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._device import resolve_device
from sklearn_mmsent.utils._optional import import_optional

_MIN_SECONDS = 0.1  # much shorter clips give no frame
_FAILURES = (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError)


class SpeechConfig:
    """Properties of a speech encoder that are known without its weights."""

    def __init__(self, source, owner):
        library = import_optional("transformers", extra="audio", needed_by=owner)
        local = {"local_files_only": os.path.isdir(source)}
        try:
            with loading.quiet():
                config = library.AutoConfig.from_pretrained(source, **local)
                self.processor = library.AutoFeatureExtractor.from_pretrained(source, **local)
        except _FAILURES as error:
            raise _load_error(source, error, owner) from error
        self.sample_rate = getattr(self.processor, "sampling_rate", None)
        self.width = getattr(config, "hidden_size", None)
        if self.sample_rate is None or self.width is None:
            raise DataFormatError(
                f"{owner}: the model {source!r} ({config.model_type}) is not a speech encoder. Use "
                "one such as wav2vec 2.0, HuBERT, WavLM or Whisper."
            )
        #: Fixed input duration in seconds, padded with silence; None if variable.
        self.chunk_seconds = getattr(self.processor, "chunk_length", None)


class SpeechModel:
    """A loaded speech encoder, from a local folder or the hub."""

    def __init__(self, source, device, owner):
        library = import_optional("transformers", extra="audio", needed_by=owner)
        self.config = SpeechConfig(source, owner)
        self._owner = owner
        self._device = resolve_device(device)
        try:
            with loading.quiet():
                model = library.AutoModel.from_pretrained(
                    source, local_files_only=os.path.isdir(source), use_safetensors=True
                )
        except _FAILURES as error:
            raise _load_error(source, error, owner) from error
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
        self._model = model.float().eval().to(self._device)
        self._lock = threading.Lock()

    def encode(self, clips, *, window_seconds, layer):
        """Embed the frames of clips at the sampling rate of the model, (n_frames, width) by clip.

        Clips of equal length are encoded in one batch without padding, since some models ignore
        attention masks. Clips longer than `window_seconds` are split into equal windows of at most
        this duration. `layer` None means the output of the model.
        """
        longest = int(window_seconds * self.config.sample_rate)
        windows = [np.array_split(clip, -(-len(clip) // longest)) for clip in clips]
        by_length = {}  # length -> positions (clip, window)
        for i, pieces in enumerate(windows):
            for j, piece in enumerate(pieces):
                by_length.setdefault(len(piece), []).append((i, j))
        frames = {}
        for positions in by_length.values():
            encoded = self._encode_equal([windows[i][j] for i, j in positions], layer)
            frames |= dict(zip(positions, encoded, strict=True))
        return [
            torch.cat([frames[i, j] for j in range(len(pieces))])
            for i, pieces in enumerate(windows)
        ]

    @torch.inference_mode()
    def _encode_equal(self, pieces, layer):
        rate = self.config.sample_rate
        n_samples = len(pieces[0])
        lacking = max(0, int(_MIN_SECONDS * rate) - n_samples)
        inputs = self.config.processor(
            [np.pad(piece, (0, lacking)) for piece in pieces],
            sampling_rate=rate,
            return_tensors="pt",
        )
        name = self.config.processor.model_input_names[0]
        with self._lock:
            output = self._model(
                inputs[name].to(self._device), output_hidden_states=layer is not None
            )
        if layer is None:
            states = output.last_hidden_state
        else:
            states = loading.select_layer(output.hidden_states, layer, self._owner)
        if self.config.chunk_seconds is not None:  # drop the frames of the padding
            share = (n_samples + lacking) / (self.config.chunk_seconds * rate)
            states = states[:, : max(1, round(share * states.shape[1]))]
        return states


def _load_error(source, error, owner):
    return DataFormatError(
        f"{owner} cannot load the model {source!r}: {type(error).__name__}: {error}. Pass the "
        "folder or name of a speech encoder of the transformers library, with weights as "
        "safetensors and 'preprocessor_config.json'; a model that is not on this machine yet "
        "requires network access."
    )
