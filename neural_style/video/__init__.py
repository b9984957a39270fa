"""Stylize videos frame by frame; each frame is kept consistent with the one before it."""

from neural_style.video.stylize import Film, Frame, stylize_video

__all__ = ["Film", "Frame", "stylize_video"]
