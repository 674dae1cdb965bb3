"""VAEs as two graphs: a picture to mean and log-variance, and latents to a picture."""

import torch
from torch import nn

from .component import Component, Tensors


class Encode(nn.Module):
    def __init__(self, vae: nn.Module):
        super().__init__()
        self.vae = vae

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        return self.vae.encode(sample, return_dict=False)[0].parameters


class Decode(nn.Module):
    def __init__(self, vae: nn.Module):
        super().__init__()
        self.vae = vae

    def forward(self, latent_sample: torch.Tensor) -> torch.Tensor:
        return self.vae.decode(latent_sample, return_dict=False)[0]


class EncodeFrame(nn.Module):
    """A video VAE of one frame."""

    def __init__(self, vae: nn.Module):
        super().__init__()
        self.vae = vae

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        return self.vae.encode(sample[:, :, None], return_dict=False)[0].parameters[:, :, 0]


class DecodeFrame(nn.Module):
    def __init__(self, vae: nn.Module):
        super().__init__()
        self.vae = vae

    def forward(self, latent_sample: torch.Tensor) -> torch.Tensor:
        return self.vae.decode(latent_sample[:, :, None], return_dict=False)[0][:, :, 0]


def pixels(_vae: nn.Module, size: tuple[int, int, int], dtype: torch.dtype) -> Tensors:
    batch, height, width = size
    generator = torch.Generator().manual_seed(height * width)
    return {"sample": (torch.rand(batch, 3, height, width, generator=generator) * 2 - 1).to(dtype)}


def latents_of(channels: int):
    def latents(_vae: nn.Module, size: tuple[int, int, int], dtype: torch.dtype) -> Tensors:
        batch, height, width = size
        generator = torch.Generator().manual_seed(height * width)
        shape = (batch, channels, height // 8, width // 8)
        return {"latent_sample": torch.randn(shape, generator=generator).to(dtype)}

    return latents


SIZES = {"96 × 48": (1, 96, 48), "3 of 128 × 112": (3, 128, 112)}
PLANE = {0: "batch", 2: "height", 3: "width"}
LATENTS = {0: "batch", 2: "latent_height", 3: "latent_width"}


def vae(channels: int, config=lambda part: {}, frames: bool = False) -> list[Component]:
    """@param frames a video VAE, of which one frame is taken"""
    encode, decode = (EncodeFrame, DecodeFrame) if frames else (Encode, Decode)
    axes = {"sample": PLANE, "latent_sample": LATENTS, "latent_parameters": LATENTS}
    shared = {"part": "vae", "export_size": (2, 64, 80), "check_sizes": SIZES, "config": config, "traced": not frames}
    return [
        Component(
            name="vae_encoder", graph=encode, outputs=["latent_parameters"], example=pixels, axes=axes,
            reference=lambda part, sample: encode(part)(sample), **shared,
        ),
        Component(
            name="vae_decoder", graph=decode, outputs=["sample"], example=latents_of(channels), axes=axes,
            reference=lambda part, latent_sample: decode(part)(latent_sample), **shared,
        ),
    ]
