from .cleaning import AudioCleaner
from .denoising import AudioDenoiser
from .egemaps.acoustic import AcousticFunctionals
from .log_mel import LogMel
from .mfcc import MFCC
from .speech import SpeechEmbedder
from .stft import STFT
from .waveform import Waveform

__all__ = [
    "MFCC",
    "STFT",
    "AcousticFunctionals",
    "AudioCleaner",
    "AudioDenoiser",
    "LogMel",
    "SpeechEmbedder",
    "Waveform",
]
