"""A video in the style of a picture: frame by frame, each held to the one before it."""

from neural_style.video.stylize import Film, Frame, stylize_video

__all__ = ["Film", "Frame", "stylize_video"]
