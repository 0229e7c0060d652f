"""Encoders: one block in, one vector or a sequence of vectors of the hidden width out."""

from sklearn_mmsent.nn.encoders.attentive import AttentiveEncoder, MeanEncoder
from sklearn_mmsent.nn.encoders.base import Encoder
from sklearn_mmsent.nn.encoders.conv1d import Conv1dEncoder
from sklearn_mmsent.nn.encoders.conv2d import Conv2dEncoder
from sklearn_mmsent.nn.encoders.mlp import MLPEncoder
from sklearn_mmsent.nn.encoders.pretrained import (
    PretrainedImageEncoder,
    PretrainedSpeechEncoder,
    PretrainedTextEncoder,
)
from sklearn_mmsent.nn.encoders.recurrent import GRUEncoder, LSTMEncoder
from sklearn_mmsent.nn.encoders.transformer import TransformerEncoder

#: Names of the built-in encoders, as `encoders=` of the estimators takes them.
ENCODERS = {
    "mlp": MLPEncoder,
    "mean": MeanEncoder,
    "attentive": AttentiveEncoder,
    "conv1d": Conv1dEncoder,
    "conv2d": Conv2dEncoder,
    "gru": GRUEncoder,
    "lstm": LSTMEncoder,
    "transformer": TransformerEncoder,
    "pretrained_image": PretrainedImageEncoder,
    "pretrained_speech": PretrainedSpeechEncoder,
    "pretrained_text": PretrainedTextEncoder,
}

__all__ = [
    "ENCODERS",
    "AttentiveEncoder",
    "Conv1dEncoder",
    "Conv2dEncoder",
    "Encoder",
    "GRUEncoder",
    "LSTMEncoder",
    "MLPEncoder",
    "MeanEncoder",
    "PretrainedImageEncoder",
    "PretrainedSpeechEncoder",
    "PretrainedTextEncoder",
    "TransformerEncoder",
]
