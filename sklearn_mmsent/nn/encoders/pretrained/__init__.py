"""Encoders with weights of a pretrained model, which are tuned together with the network."""

from sklearn_mmsent.nn.encoders.pretrained.image import PretrainedImageEncoder
from sklearn_mmsent.nn.encoders.pretrained.speech import PretrainedSpeechEncoder
from sklearn_mmsent.nn.encoders.pretrained.text import PretrainedTextEncoder

__all__ = ["PretrainedImageEncoder", "PretrainedSpeechEncoder", "PretrainedTextEncoder"]
