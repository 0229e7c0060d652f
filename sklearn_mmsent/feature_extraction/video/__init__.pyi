from .frames import VideoFrames

__all__ = [
    "VideoFrames",
]
