from .frames import VideoFrames as VideoFrames
