"""LoRAs merged into a denoiser by diffusers itself."""

from pathlib import Path

import diffusers
from torch import nn


def parse(text: str) -> tuple[Path, float]:
    """FILE or FILE:SCALE."""
    file, _, scale = text.rpartition(":")
    if file == "":
        return Path(scale), 1.0
    try:
        return Path(file), float(scale)
    except ValueError:
        return Path(text), 1.0


def merge(pipeline: str, denoiser: nn.Module, loras: list[tuple[Path, float]]) -> nn.Module:
    """As `load_lora_weights`, `fuse_lora` and `unload_lora_weights` of the family's pipeline do it, one after another."""
    if not loras:
        return denoiser
    made = getattr(diffusers, pipeline)
    names = [name for name in made.__init__.__annotations__ if name != "return"]
    parts = {name: None for name in names if name not in ("transformer", "is_distilled")}
    pipe = made(**parts, transformer=denoiser)
    for file, scale in loras:
        if not file.is_file():
            raise SystemExit(f"There is no LoRA {file}.")
        before = checksum(denoiser)
        try:
            pipe.load_lora_weights(str(file.parent), weight_name=file.name)
        except Exception as error:  # noqa: BLE001 - each library has its own kind
            raise SystemExit(f"{file} does not fit this model: {error}") from error
        pipe.fuse_lora(components=["transformer"], lora_scale=scale)
        pipe.unload_lora_weights()
        if scale != 0 and checksum(denoiser) == before:
            raise SystemExit(f"{file} changes nothing in this model: it is for another one.")
    return denoiser


def checksum(module: nn.Module) -> float:
    return sum(float(each.detach().double().abs().sum()) for each in module.parameters())
