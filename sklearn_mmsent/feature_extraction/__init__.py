"""Extractors: scikit-learn transformers from one column of raw cells to one block of numbers.

Names are resolved on first use, so that a package that one modality needs is not
imported for another.
"""

import importlib

# public name -> the module that defines it
_EXPORTS = {
    "AcousticFunctionals": "audio.egemaps.acoustic",
    "AudioCleaner": "audio.cleaning",
    "BaseExtractor": "_base",
    "Cached": "cache",
    "CellTransformer": "_cell_transformer",
    "ColorTexture": "image.color_texture",
    "Denoise": "audio.denoising",
    "FaceCrops": "image.faces",
    "ImageDenoise": "image.denoising",
    "ImageEmbedder": "image.embedder",
    "LogMel": "audio.log_mel",
    "MFCC": "audio.mfcc",
    "Pixels": "image.pixels",
    "STFT": "audio.stft",
    "SentimentLexicon": "text.lexicon",
    "SpeechEmbedder": "audio.speech",
    "TextCleaner": "text.cleaning",
    "TextEmbedder": "text.embedder",
    "TfidfEmbedder": "text.tfidf",
    "TokenIds": "text.tokens",
    "VideoFrames": "video.frames",
    "Waveform": "audio.waveform",
    "Word2VecEmbedder": "text.word_vectors",
    "is_missing": "_cells",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name):
    try:
        module = _EXPORTS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__():
    return __all__
