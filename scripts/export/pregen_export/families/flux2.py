"""FLUX.2 klein, distilled and base. The denoiser's class exports as it is."""

import torch
from torch import nn

from .. import text
from ..component import Component, Tensors
from ..folder import Source
from ..vae import vae

PIPELINE = "Flux2KleinPipeline"
USUAL_LAYERS = [9, 18, 27]


def channels(source: Source) -> int:
    return source.config("vae")["latent_channels"]


def out_layers(source: Source) -> list[int]:
    return list(source.index.get("text_encoder_out_layers") or USUAL_LAYERS)


def index(source: Source) -> dict:
    return {"text_encoder_out_layers": out_layers(source)}


def components(source: Source) -> list[Component]:
    layers = out_layers(source)
    image, texts = {0: "batch", 1: "image_tokens"}, {0: "batch", 1: "tokens"}
    denoiser = Component(
        name="transformer", part="transformer", graph=Graph, reference=unchanged, example=example,
        export_size=(2, [(4, 5)], 7),
        check_sizes={"3 of 6 × 3": (3, [(6, 3)], 11), "4 × 4 with two references": (1, [(4, 4), (5, 7), (4, 4)], 40)},
        outputs=["out_hidden_states"],
        axes={
            "hidden_states": image, "encoder_hidden_states": texts, "timestep": {0: "batch"},
            "img_ids": image, "txt_ids": texts,
        },
    )
    return [
        text.causal(layers, [f"hidden_states.{each}" for each in layers]),
        denoiser,
        *vae(channels(source), config=statistics),
    ]


def statistics(part: nn.Module) -> dict:
    """The batch norm of the patchified latents, as the pipeline computes it."""
    std = torch.sqrt(part.bn.running_var.float() + part.config.batch_norm_eps)
    mean = part.bn.running_mean.float()
    return {"latents_mean": [float(each) for each in mean], "latents_std": [float(each) for each in std]}


def example(model: nn.Module, size: tuple[int, list[tuple[int, int]], int], dtype: torch.dtype) -> Tensors:
    """Batch, grids of the picture and its references, tokens of the text."""
    batch, grids, tokens = size
    generator = torch.Generator().manual_seed(tokens)
    ids = torch.cat([grid_ids(rows, columns, 10 * place) for place, (rows, columns) in enumerate(grids)])
    texts = torch.zeros(tokens, 4, dtype=torch.int64)
    texts[:, 3] = torch.arange(tokens)
    config = model.config
    return {
        "hidden_states": torch.randn(batch, len(ids), config.in_channels, generator=generator).to(dtype),
        "encoder_hidden_states": torch.randn(batch, tokens, config.joint_attention_dim, generator=generator).to(dtype),
        "timestep": torch.rand(batch, generator=generator).to(dtype),
        "img_ids": ids[None].repeat(batch, 1, 1),
        "txt_ids": texts[None].repeat(batch, 1, 1),
    }


def grid_ids(rows: int, columns: int, time: int) -> torch.Tensor:
    axes = [torch.tensor([time]), torch.arange(rows), torch.arange(columns), torch.arange(1)]
    return torch.cartesian_prod(*axes)


def unchanged(model: nn.Module, **inputs: torch.Tensor) -> torch.Tensor:
    return model(**inputs, guidance=None, return_dict=False)[0]


class Graph(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        if model.config.guidance_embeds:
            raise SystemExit("This is FLUX.2 dev, whose text encoder is not read; klein has no guidance input.")
        self.model = model

    def forward(self, hidden_states, encoder_hidden_states, timestep, img_ids, txt_ids):
        return self.model(
            hidden_states=hidden_states, encoder_hidden_states=encoder_hidden_states, timestep=timestep,
            img_ids=img_ids, txt_ids=txt_ids, guidance=None, return_dict=False,
        )[0]
