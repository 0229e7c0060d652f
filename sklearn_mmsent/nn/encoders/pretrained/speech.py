"""Pretrained speech encoders that are tuned together with the rest of the network.

Baevski, Zhou, Mohamed, Auli (2020), wav2vec 2.0: a framework for self-supervised
learning of speech representations, NeurIPS; Hsu et al. (2021), HuBERT, IEEE/ACM TASLP
29; Chen et al. (2022), WavLM, IEEE JSTSP 16(6). That the convolutions stay as they
are when emotions are learnt: Wagner et al. (2023), Dawn of the transformer era in
speech emotion recognition, IEEE TPAMI 45(9).
"""

import torch
from torch import nn
from torch.nn.utils import parametrize

from sklearn_mmsent._optional import import_optional
from sklearn_mmsent.exceptions import DataFormatError
from sklearn_mmsent.nn.encoders.pooling import AttentionPooling
from sklearn_mmsent.nn.encoders.pretrained.base import PretrainedEncoder, load_model


class PretrainedSpeechEncoder(PretrainedEncoder):
    """A speech model over samples, as `Waveform` makes them, whose last layers are tuned.

    Each clip passes through the model at its own length, together with those of equal length:
    many models, the "base" ones of wav2vec 2.0, HuBERT and WavLM among them, take no heed of
    masks, and padding would change what they hear. Training is quickest where most clips fill
    their block. A clip too short for the model's convolutions is lengthened with silence.

    The weights are read once per process and copied into each network; a trained network holds
    weights and configuration, and needs the model's folder no more. In training the model masks
    no frames and drops no whole layers, whatever its configuration says.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row: (T, 1), samples from -1 to 1.
    width : int
        Hidden width D of the output.
    dropout : float
        Probability with which a unit of the output is zeroed in training; inside, the model's own
        probabilities hold in the layers that are tuned.
    model : str or Path, default="microsoft/wavlm-base-plus"
        A local folder, which never touches the network, or the name of a model on the Hugging
        Face hub: wav2vec 2.0, HuBERT, WavLM, data2vec, UniSpeech and others that read waveforms.
        Whisper reads spectrograms and is not taken.
    trainable_layers : int or "all", default="all"
        How many of the last layers are tuned; 0 freezes the model, "all" tunes what stands
        between convolutions and layers, too.
    lr : float, default=2e-5
        Learning rate of the model; that of the estimator is for what is new.
    pooling : {"mean", "attention"}, default="mean"
        What becomes the vector: the mean of the frames, or their mean weighted by attention.
    freeze_features : bool, default=True
        Whether the convolutions that turn samples into frames stay as they are also with
        ``trainable_layers="all"``.
    sample_rate : int, default=16000
        Rate of the block's samples in Hz; a model that was trained at another is refused.
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
                f"PretrainedSpeechEncoder: the model {str(model)!r} hears {notes.sampling_rate} "
                f"samples per second, and sample_rate={sample_rate}. Make the block with "
                f"Waveform(sample_rate={notes.sampling_rate}), and tell the encoder."
            )
        self.normalize = bool(notes.do_normalize)
        self.freeze_features = bool(freeze_features)
        self._adopt(loaded, loaded.config.hidden_size, width, dropout, trainable_layers)
        self.convolutions = list(
            zip(loaded.config.conv_kernel, loaded.config.conv_stride, strict=True)
        )
        self.shortest = _n_samples(self.convolutions)
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
        """Switch to training or evaluation; what is frozen stays in evaluation, without dropout."""
        super().train(mode)
        if self.freeze_features:
            self.model.feature_extractor.eval()
        return self

    def _n_frames(self, n_samples):
        for kernel, stride in self.convolutions:
            n_samples = (n_samples - kernel) // stride + 1
        return n_samples

    def _run(self, values, steps):
        # real samples first, and what is no sample behind them
        order = (~steps).to(torch.uint8).argsort(dim=1, stable=True)  # (B, T)
        samples = values.squeeze(-1).masked_fill(~steps, 0.0).gather(1, order)
        counts = steps.sum(1)
        if self.normalize:
            samples = _normalized(samples, counts)
        lacking = max(0, self.shortest - samples.shape[1])
        samples = nn.functional.pad(samples, (0, lacking))
        n_frames = self._n_frames(samples.shape[1])
        states, frames = None, torch.empty_like(counts)
        lengths = counts.clamp(min=self.shortest)
        for length in lengths.unique().tolist():
            rows = (lengths == length).nonzero().squeeze(1)
            heard = self.model(samples[rows, :length]).last_hidden_state  # (some, S', H)
            if states is None:
                states = heard.new_zeros(len(values), n_frames, heard.shape[-1])
            heard = heard[:, :n_frames]
            frames[rows] = heard.shape[1]
            padded = nn.functional.pad(heard, (0, 0, 0, n_frames - heard.shape[1]))
            states = states.index_copy(0, rows, padded)
        real = torch.arange(n_frames, device=frames.device) < frames.unsqueeze(1)
        return states, real & steps.any(dim=1, keepdim=True), None

    def _pool(self, states, real):
        if self.pooling == "attention":
            return self.attention(states, real)
        return super()._pool(states, real)


def _plain(convolution):
    """Return a convolution with the same weights and nothing behind them."""
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
        device="meta",  # where no weights are drawn
    )
    plain.weight = nn.Parameter(c.weight.detach().clone())
    plain.bias = None if c.bias is None else nn.Parameter(c.bias.detach().clone())
    return plain


def _normalized(samples, counts):
    """Bring each row's first samples (B, T) to zero mean and unit variance, zero behind them."""
    real = torch.arange(samples.shape[1], device=counts.device) < counts.unsqueeze(1)
    counts = counts.clamp(min=1).unsqueeze(1)
    centred = (samples - samples.sum(1, keepdim=True) / counts).masked_fill(~real, 0.0)
    variance = centred.pow(2).sum(1, keepdim=True) / counts
    return centred / (variance + 1e-7).sqrt()  # as the library's feature extractors do


def _n_samples(convolutions):
    """Return the fewest samples that give a frame."""
    n_samples = 1
    for kernel, stride in reversed(convolutions):
        n_samples = (n_samples - 1) * stride + kernel
    return n_samples


def _load(model):
    """Return a speech model and how its samples are prepared, or say what it is instead."""
    from sklearn_mmsent.feature_extraction import _pretrained

    owner, extra = "PretrainedSpeechEncoder", PretrainedSpeechEncoder.extra
    loaded = load_model(model, owner, extra)
    if loaded.main_input_name != "input_values" or not hasattr(loaded, "feature_extractor"):
        raise DataFormatError(
            f"{owner} needs a model that reads waveforms, such as wav2vec 2.0, HuBERT, WavLM or "
            f"data2vec; {str(model)!r} is of type {loaded.config.model_type!r}, which reads "
            f"{loaded.main_input_name}. SpeechEmbedder takes Whisper, too."
        )
    return loaded, _pretrained.load(_read_notes, model, owner=owner, extra=extra)


def _read_notes(source):
    from pathlib import Path

    from sklearn_mmsent.feature_extraction import _pretrained

    transformers = import_optional(
        "transformers", extra=PretrainedSpeechEncoder.extra, needed_by="PretrainedSpeechEncoder"
    )
    try:
        with _pretrained.quiet():
            return transformers.AutoFeatureExtractor.from_pretrained(
                source, local_files_only=Path(source).is_dir()
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataFormatError(
            f"PretrainedSpeechEncoder cannot read how samples are prepared for the model "
            f"{source!r}: {type(error).__name__}: {error}. Its folder needs a "
            "'preprocessor_config.json'."
        ) from error
