"""Pretrained speech encoders that are tuned together with the rest of the network.

Baevski, Zhou, Mohamed, Auli (2020), wav2vec 2.0: a framework for self-supervised
learning of speech representations, NeurIPS; Hsu et al. (2021), HuBERT, IEEE/ACM TASLP
29; Chen et al. (2022), WavLM, IEEE JSTSP 16(6). Frozen convolutions in learning
emotions: Wagner et al. (2023), Dawn of the transformer era in
speech emotion recognition, IEEE TPAMI 45(9).
"""

import warnings

import torch
from torch import nn
from torch.nn.utils import parametrize

from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.nn.encoders.pooling import AttentionPooling
from sklearn_mmsent.nn.encoders.pretrained.base import PretrainedEncoder, load_model
from sklearn_mmsent.pretrained import loading
from sklearn_mmsent.utils._optional import import_optional

_MASKED = ("hubert", "wav2vec2", "wavlm")  # only their first norm ignores the attention mask
_ONE_BY_ONE = ("cpu",)  # devices on which padding costs more than small runs


class PretrainedSpeechEncoder(PretrainedEncoder):
    """A speech model over samples, as `Waveform` makes them, whose last layers are tuned.

    Padding has no influence. Models whose first norm runs over time, such as the "base" ones,
    would read it in spite of a mask: so clips of equal length run together, without padding. On a
    GPU, where many small runs take longer, wav2vec 2.0, HuBERT and WavLM run a whole batch, with
    that norm restricted to the real samples. A clip too short for the model's convolutions is
    padded with silence.

    Weights are read once per process and copied into each network; a trained network contains
    weights and configuration, and does not need the model's folder. In training the model masks no
    frames and drops no layers, whatever its configuration.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (T, 1), samples from -1 to 1.
    width : int
        Hidden width D of the output.
    dropout : float
        Probability with which a unit of the output is zeroed in training; tuned layers use the
        model's configuration.
    model : str or Path, default="microsoft/wavlm-base-plus"
        A local folder, which never touches the network, or the name of a model on the Hugging
        Face hub: wav2vec 2.0, HuBERT, WavLM, data2vec, UniSpeech and others that read waveforms.
        Whisper reads spectrograms and is not supported.
    trainable_layers : int or "all", default="all"
        Number of last layers that are tuned; 0 freezes the model, "all" tunes the projection
        before the layers, too.
    lr : float, default=2e-5
        Learning rate of the model; the other layers use that of the estimator.
    pooling : {"mean", "attention"}, default="mean"
        Result: the mean of the frames, or their mean weighted by attention.
    freeze_features : bool, default=True
        Whether the convolutions that turn samples into frames are frozen even with
        ``trainable_layers="all"``.
    sample_rate : int, default=16000
        Rate of the block's samples in Hz; must be that of the model.
    """

    takes = (2,)
    extra = "audio"

    def __init__(
        self,
        shape,
        width,
        dropout,
        *,
        model="microsoft/wavlm-base-plus",
        trainable_layers="all",
        lr=2e-5,
        pooling="mean",
        freeze_features=True,
        sample_rate=16000,
    ):
        super().__init__()
        self._check_shape(shape)
        self._check_options(pooling, ("mean", "attention"), lr)
        self._check_option("freeze_features", freeze_features, (True, False))
        if shape[1] != 1:
            raise ValueError(
                f"The encoder 'pretrained_speech' reads samples, one per step, of shape (T, 1), as "
                f"Waveform makes them. Got a block of shape {tuple(shape)} instead."
            )
        loaded, notes = _load(model)
        if notes.sampling_rate != sample_rate:
            raise ValueError(
                f"PretrainedSpeechEncoder: the model {str(model)!r} expects a sample rate of "
                f"{notes.sampling_rate} Hz, and sample_rate={sample_rate}. Set "
                f"sample_rate={notes.sampling_rate} here and in Waveform."
            )
        self.normalize = bool(notes.do_normalize)
        self.freeze_features = bool(freeze_features)
        self._adopt(loaded, loaded.config.hidden_size, width, dropout, trainable_layers)
        self.convolutions = list(
            zip(loaded.config.conv_kernel, loaded.config.conv_stride, strict=True)
        )
        self.shortest = _n_samples(self.convolutions)
        self.masks = loaded.config.model_type in _MASKED and not getattr(
            loaded.config, "conv_pos_batch_norm", False
        )
        if pooling == "attention":
            self.attention = AttentionPooling(loaded.config.hidden_size, width)

    def _settle(self):
        super()._settle()
        config = self.model.config
        config.apply_spec_augment = False  # it draws by numpy's global generator
        config.layerdrop = 0.0
        if getattr(self.model, "masked_spec_embed", None) is not None:
            self.model.masked_spec_embed.requires_grad_(False)
        if self.freeze_features:
            self.model.feature_extractor.requires_grad_(False)
            # or it would ask for the gradient of the samples
            self.model.feature_extractor._requires_grad = False
        for name, module in list(self.model.named_modules()):
            if parametrize.is_parametrized(module):  # by weight norm, which does not pickle
                self.model.set_submodule(name, _plain(module))

    def train(self, mode=True):
        """Switch to training or evaluation; frozen layers stay in evaluation, without dropout."""
        super().train(mode)
        if self.freeze_features:
            self.model.feature_extractor.eval()
        return self

    def _n_frames(self, n_samples):
        for kernel, stride in self.convolutions:
            n_samples = (n_samples - kernel) // stride + 1
        return n_samples

    def _run(self, values, steps):
        # real samples first, then padding
        order = (~steps).to(torch.uint8).argsort(dim=1, stable=True)  # (B, T)
        samples = values.squeeze(-1).masked_fill(~steps, 0.0).gather(1, order)
        counts = steps.sum(1)
        if self.normalize:
            samples = _normalized(samples, counts)
        samples = nn.functional.pad(samples, (0, max(0, self.shortest - samples.shape[1])))
        n_frames = self._n_frames(samples.shape[1])
        lengths = counts.clamp(min=self.shortest)
        if self.masks and samples.device.type not in _ONE_BY_ONE:
            states = self._run_batch(samples[:, : int(lengths.max())], lengths)
            states = _padded(states, n_frames)  # (B, S, H)
        else:
            states = self._run_by_length(samples, lengths, n_frames)
        real = _first(n_frames, self._n_frames(lengths)) & steps.any(dim=1, keepdim=True)
        return states.masked_fill(~real.unsqueeze(-1), 0.0), real, None

    def _run_batch(self, samples, lengths):
        """Run clips of any length at once, like the model itself except for the first norm."""
        model, hidden = self.model, samples.unsqueeze(1)  # (B, 1, T)
        for layer, (kernel, stride) in zip(
            model.feature_extractor.conv_layers, self.convolutions, strict=True
        ):
            lengths = (lengths - kernel) // stride + 1
            norm = getattr(layer, "layer_norm", None)
            if isinstance(norm, nn.GroupNorm):  # of each channel over time
                hidden = _normalized(layer.conv(hidden), lengths, norm.eps)
                hidden = hidden * norm.weight.unsqueeze(-1) + norm.bias.unsqueeze(-1)
                hidden = layer.activation(hidden)
            else:
                hidden = layer(hidden)
        hidden = model.feature_projection(hidden.mT)  # (B, S, H), alone or first of two
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        seen = _first(hidden.shape[1], lengths)
        with warnings.catch_warnings():  # of torch at how WavLM hands its mask on
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
            return model.encoder(hidden, attention_mask=seen).last_hidden_state

    def _run_by_length(self, samples, lengths, n_frames):
        """Run clips of equal length together, without padding."""
        states = None
        for length in lengths.unique().tolist():
            rows = (lengths == length).nonzero().squeeze(1)
            heard = self.model(samples[rows, :length]).last_hidden_state
            if states is None:
                states = heard.new_zeros(len(samples), n_frames, heard.shape[-1])
            states = states.index_copy(0, rows, _padded(heard, n_frames))
        return states

    def _pool(self, states, real):
        if self.pooling == "attention":
            return self.attention(states, real)
        return super()._pool(states, real)


def _plain(convolution):
    """Return a convolution with the same weights, without parametrization."""
    c = convolution
    plain = nn.Conv1d(
        c.in_channels,
        c.out_channels,
        c.kernel_size,
        c.stride,
        c.padding,
        c.dilation,
        c.groups,
        c.bias is not None,
        device="meta",  # without initialising weights
    )
    plain.weight = nn.Parameter(c.weight.detach().clone())
    plain.bias = None if c.bias is None else nn.Parameter(c.bias.detach().clone())
    return plain


def _first(n, counts):
    """Return a mask of the first positions of n in each row: (B, n)."""
    return torch.arange(n, device=counts.device) < counts.unsqueeze(1)


def _padded(states, n_frames):
    """Pad (B, S', H) with zeros to (B, S, H)."""
    return nn.functional.pad(states, (0, 0, 0, n_frames - states.shape[1]))


def _normalized(values, counts, eps=1e-7):
    """Normalise each row's first values (B, ..., T) to zero mean and unit variance."""
    real = _first(values.shape[-1], counts)  # (B, T)
    counts = counts.clamp(min=1)
    while real.ndim < values.ndim:
        real, counts = real.unsqueeze(1), counts.unsqueeze(-1)
    counts = counts.unsqueeze(-1)
    mean = values.masked_fill(~real, 0.0).sum(-1, keepdim=True) / counts
    centred = (values - mean).masked_fill(~real, 0.0)
    variance = centred.square().sum(-1, keepdim=True) / counts
    return centred / (variance + eps).sqrt()


def _n_samples(convolutions):
    """Return the minimum number of samples for one frame."""
    n_samples = 1
    for kernel, stride in reversed(convolutions):
        n_samples = (n_samples - 1) * stride + kernel
    return n_samples


def _load(model):
    """Return a speech model and the configuration of its preprocessing."""
    owner, extra = "PretrainedSpeechEncoder", PretrainedSpeechEncoder.extra
    loaded = load_model(model, owner, extra)
    if loaded.main_input_name != "input_values" or not hasattr(loaded, "feature_extractor"):
        raise DataFormatError(
            f"{owner} needs a model that reads waveforms, such as wav2vec 2.0, HuBERT, WavLM or "
            f"data2vec; {str(model)!r} is of type {loaded.config.model_type!r}, which reads "
            f"{loaded.main_input_name}. SpeechEmbedder supports Whisper, too."
        )
    return loaded, loading.load(_read_notes, model, owner=owner, extra=extra)


def _read_notes(source):
    from pathlib import Path

    transformers = import_optional(
        "transformers", extra=PretrainedSpeechEncoder.extra, needed_by="PretrainedSpeechEncoder"
    )
    try:
        with loading.quiet():
            return transformers.AutoFeatureExtractor.from_pretrained(
                source, local_files_only=Path(source).is_dir()
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataFormatError(
            f"PretrainedSpeechEncoder cannot read the preprocessing of the model {source!r}: "
            f"{type(error).__name__}: {error}. Its folder needs a 'preprocessor_config.json'."
        ) from error
