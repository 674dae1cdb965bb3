"""Wan 2.2 image to video (A14B): as text to video, of more input channels."""

from .wan import channels, components, index

PIPELINE = "WanImageToVideoPipeline"

__all__ = ["PIPELINE", "channels", "components", "index"]
