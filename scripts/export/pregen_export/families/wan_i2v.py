"""Image to video (Wan 2.1 I2V and FLF2V, Wan 2.2 A14B): as text to video, of more input channels."""

from .wan import channels, components, index

PIPELINE = "WanImageToVideoPipeline"

__all__ = ["PIPELINE", "channels", "components", "index"]
