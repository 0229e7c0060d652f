from .cleaning import AudioCleaner as AudioCleaner
from .denoising import AudioDenoiser as AudioDenoiser
from .egemaps.acoustic import AcousticFunctionals as AcousticFunctionals
from .log_mel import LogMel as LogMel
from .mfcc import MFCC as MFCC
from .speech import SpeechEmbedder as SpeechEmbedder
from .stft import STFT as STFT
from .waveform import Waveform as Waveform
