"""The CLIP that looks at pictures as a graph: Wan 2.1's image to video."""

import torch
from torch import nn

from .component import Component, Tensors
from .folder import Source


class VisionStates(nn.Module):
    """The states before the last layer, which is left out of the graph."""

    def __init__(self, model: nn.Module):
        super().__init__()
        vision = model.vision_model
        self.embeddings, self.norm = vision.embeddings, vision.pre_layrnorm
        self.layers = vision.encoder.layers[:-1]

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        states = self.norm(self.embeddings(pixel_values))
        for layer in self.layers:
            given = layer(states, attention_mask=None, causal_attention_mask=None)
            states = given[0] if isinstance(given, tuple) else given
        return states


def tokens(source: Source) -> int:
    config = source.config("image_encoder")
    return 1 + (config["image_size"] // config["patch_size"]) ** 2


def clip(source: Source) -> Component:
    """@returns `pixel_values` [B, 3, S, S] → `hidden_states.N−1` [B, tokens, width]"""
    layers = source.config("image_encoder")["num_hidden_layers"]
    output = f"hidden_states.{layers - 1}"

    def example(part: nn.Module, batch: int, dtype: torch.dtype) -> Tensors:
        side = part.config.image_size
        generator = torch.Generator().manual_seed(batch)
        return {"pixel_values": torch.randn((batch, 3, side, side), generator=generator).to(dtype)}

    return Component(
        name="image_encoder", part="image_encoder", outputs=[output], traced=True, example=example, graph=VisionStates,
        reference=lambda model, pixel_values: model(pixel_values, output_hidden_states=True).hidden_states[-2],
        export_size=2, check_sizes={"1 picture": 1, "3 pictures": 3},
        axes={"pixel_values": {0: "batch"}, output: {0: "batch"}},
    )
