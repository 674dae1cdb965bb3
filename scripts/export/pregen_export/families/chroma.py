"""Chroma. The denoiser's class exports as it is, but for a Python list that would freeze the batch."""

import torch
from torch import nn

from .. import text
from ..component import Component, Tensors
from ..folder import Source
from ..vae import vae

PIPELINE = "ChromaPipeline"


def channels(source: Source) -> int:
    return source.config("vae")["latent_channels"]


def index(_source: Source) -> dict:
    return {}


def components(source: Source) -> list[Component]:
    batch = {0: "batch"}
    denoiser = Component(
        name="transformer", part="transformer", graph=Graph, reference=unchanged, example=example,
        export_size=(2, 4, 5, 7),
        check_sizes={"8 × 8, 512 tokens": (1, 8, 8, 512), "3 of 6 × 3, 11 tokens": (3, 6, 3, 11)},
        outputs=["out_hidden_states"],
        axes={
            "hidden_states": {0: "batch", 1: "image_tokens"}, "encoder_hidden_states": {0: "batch", 1: "tokens"},
            "timestep": batch, "img_ids": {0: "image_tokens"}, "txt_ids": {0: "tokens"},
            "attention_mask": {0: "batch", 1: "all_tokens"},
        },
    )
    return [text.t5(), denoiser, *vae(channels(source))]


def example(model: nn.Module, size: tuple[int, int, int, int], dtype: torch.dtype) -> Tensors:
    """Batch, rows and columns of tokens, tokens of the text."""
    batch, rows, columns, tokens = size
    generator = torch.Generator().manual_seed(tokens)
    count, config = rows * columns, model.config
    ids = torch.zeros(rows, columns, 3)
    ids[..., 1] += torch.arange(rows)[:, None]
    ids[..., 2] += torch.arange(columns)[None]
    mask = torch.ones(batch, tokens + count)
    mask[-1, tokens // 2 : tokens] = 0
    return {
        "hidden_states": torch.randn(batch, count, config.in_channels, generator=generator).to(dtype),
        "encoder_hidden_states": torch.randn(batch, tokens, config.joint_attention_dim, generator=generator).to(dtype),
        "timestep": torch.rand(batch, generator=generator).to(dtype),
        "img_ids": ids.reshape(count, 3).to(dtype),
        "txt_ids": torch.zeros(tokens, 3).to(dtype),
        "attention_mask": mask.to(dtype),
    }


def unchanged(model: nn.Module, **inputs: torch.Tensor) -> torch.Tensor:
    return model(**inputs, return_dict=False)[0]


class TimeEmbedding(nn.Module):
    """ChromaCombinedTimestepTextProjEmbeddings, whose `[0] * batch_size` an export takes for a constant."""

    def __init__(self, own: nn.Module):
        super().__init__()
        self.time_proj, self.guidance_proj = own.time_proj, own.guidance_proj
        self.register_buffer("mod_proj", own.mod_proj, persistent=False)

    def forward(self, timestep: torch.Tensor) -> torch.Tensor:
        dtype, count = timestep.dtype, self.mod_proj.shape[0]
        times = self.time_proj(timestep).to(dtype)
        guidance = self.guidance_proj(torch.zeros_like(timestep)).to(dtype)
        both = torch.cat([times, guidance], 1)[:, None].expand(-1, count, -1)
        return torch.cat([both, self.mod_proj.to(dtype)[None].expand(both.shape[0], -1, -1)], -1)


class Graph(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        model.time_text_embed = TimeEmbedding(model.time_text_embed)
        self.model = model

    def forward(self, hidden_states, encoder_hidden_states, timestep, img_ids, txt_ids, attention_mask):
        return self.model(
            hidden_states=hidden_states, encoder_hidden_states=encoder_hidden_states, timestep=timestep,
            img_ids=img_ids, txt_ids=txt_ids, attention_mask=attention_mask, return_dict=False,
        )[0]
