"""
A tiny decoder for previews: a folder of diffusers' AutoencoderTiny (taesd, taesdxl, taesd3, taef1, taef2), or a file of
madebyollin's taew2_1 for Qwen-Image, of which one frame is decoded.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import nn

from .compare import compare, references
from .component import Component
from .folder import write_json
from .graphs import export_graph
from .vae import LATENTS, PLANE, SIZES, Decode, latents_of


def export_preview(source: Path, target: Path, channels: int) -> dict[str, float]:
    """@param channels of the model's latents. It takes them in the denoiser's scale, and gives −1 … 1."""
    if source.is_file():
        own, decoder = VideoDecoder.CHANNELS, VideoDecoder.read(source)
    else:
        decoder = AutoencoderTiny.from_pretrained(str(source), torch_dtype=torch.float32).eval()
        own = decoder.config.latent_channels
    if own != channels:
        raise SystemExit(f"{source} decodes {own} channels, and this model's latents have {channels}.")
    component = Component(
        name="preview_decoder", part="", graph=Decode, outputs=["sample"], example=latents_of(channels),
        axes={"latent_sample": LATENTS, "sample": PLANE}, export_size=(2, 64, 80), check_sizes=SIZES, traced=True,
        reference=lambda part, latent_sample: Decode(part)(latent_sample),
    )
    cases = {label: component.example(decoder, size, torch.float32) for label, size in SIZES.items()}
    answers = references(decoder, component, cases)
    path = target / "preview_decoder/model.onnx"
    export_graph(Decode(decoder).eval(), component.example(decoder, component.export_size, torch.float32), component, path)
    config = {"_class_name": "AutoencoderTiny", "latent_channels": channels, "scaling_factor": 1.0}
    write_json(target / "preview_decoder/config.json", config)
    return compare(path, component, cases, answers, torch.float32)


def frame_by_frame(layer: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """The number of frames is built into the graph, that of the pictures is not."""
    return layer(frames.flatten(0, 1)).unflatten(0, (len(frames), -1))


class Remember(nn.Module):
    """Looks at its own frame and the one before it."""

    def __init__(self, width: int):
        super().__init__()
        layers = [convolve(2 * width, width), nn.ReLU(), convolve(width, width), nn.ReLU(), convolve(width, width)]
        self.conv = nn.Sequential(*layers)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """[frames, batch, channels, height, width]; before the first there was nothing."""
        before = F.pad(frames, (0, 0) * 4 + (1, 0))[:-1]
        both = torch.cat([frames, before], 2)
        return F.relu(frame_by_frame(self.conv, both) + frames)


class Grow(nn.Module):
    """One frame to several."""

    def __init__(self, width: int, frames: int):
        super().__init__()
        self.frames = frames
        self.conv = nn.Conv2d(width, width * frames, 1, bias=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        grown = frame_by_frame(self.conv, values)
        return grown.unflatten(2, (self.frames, -1)).transpose(1, 2).flatten(0, 1)


class VideoDecoder(nn.Module):
    """
    taew2_1's decoder (github.com/madebyollin/taehv, MIT) of a single latent frame: it makes four frames, of which the
    last is the picture.
    """

    CHANNELS = 16
    WIDTHS, GROWTH = (256, 128, 64, 64), (1, 2, 2)

    def __init__(self):
        super().__init__()
        layers: list[nn.Module] = [nn.Identity(), convolve(self.CHANNELS, self.WIDTHS[0]), nn.ReLU()]
        for index, frames in enumerate(self.GROWTH):
            width = self.WIDTHS[index]
            layers += [Remember(width), Remember(width), Remember(width), nn.Upsample(scale_factor=2)]
            layers += [Grow(width, frames), convolve(width, self.WIDTHS[index + 1], bias=False)]
        self.decoder = nn.Sequential(*layers, nn.ReLU(), convolve(self.WIDTHS[-1], 3))

    @classmethod
    def read(cls, file: Path) -> "VideoDecoder":
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            weights = load_file(str(file))
        else:
            weights = torch.load(str(file), map_location="cpu", weights_only=True)
        decoder = cls()
        decoder.load_state_dict({name: each for name, each in weights.items() if name.startswith("decoder.")})
        return decoder.eval()

    def decode(self, latents: torch.Tensor, return_dict: bool = False) -> tuple[torch.Tensor]:
        frames = torch.tanh(latents / 3)[None] * 3
        for layer in self.decoder:
            if isinstance(layer, (Remember, Grow)):
                frames = layer(frames)
            else:
                frames = frame_by_frame(layer, frames)
        return (frames[-1].clamp(0, 1) * 2 - 1,)


def convolve(given: int, made: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(given, made, 3, padding=1, bias=bias)
