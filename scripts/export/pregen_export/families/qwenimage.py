"""Qwen-Image. Positions and rotations are computed inside the graph, from the picture's rows and columns."""

import diffusers.models.transformers.transformer_qwenimage as qwen
import torch
from torch import nn

from .. import text
from ..component import Component, Tensors
from ..folder import Source
from ..vae import vae

PIPELINE = "QwenImagePipeline"


def channels(source: Source) -> int:
    return source.config("vae")["z_dim"]


def index(_source: Source) -> dict:
    return {}


def components(source: Source) -> list[Component]:
    config = source.config("text_encoder")
    layers = config.get("text_config", config)["num_hidden_layers"]
    texts = {0: "batch", 1: "tokens"}
    denoiser = Component(
        name="transformer", part="transformer", graph=Graph, reference=unchanged, example=example,
        export_size=(2, 4, 5, 7, 2),
        check_sizes={"8 × 8, 60 tokens": (1, 8, 8, 60, 0), "3 of 6 × 3, 11 tokens": (3, 6, 3, 11, 2)},
        outputs=["out_hidden_states"],
        axes={
            "hidden_states": {0: "batch", 1: "image_tokens"}, "encoder_hidden_states": texts,
            "encoder_hidden_states_mask": texts, "timestep": {0: "batch"},
        },
    )
    return [
        text.causal([layers], ["last_hidden_state"], sections=3),
        denoiser,
        *vae(channels(source), frames=True),
    ]


def example(model: nn.Module, size: tuple[int, int, int, int, int], dtype: torch.dtype) -> Tensors:
    """Batch, rows and columns of tokens, tokens of the text, how many of the last one's pad."""
    batch, rows, columns, tokens, pads = size
    generator = torch.Generator().manual_seed(tokens)
    mask = torch.ones(batch, tokens, dtype=torch.int64)
    if pads:
        mask[-1, tokens - pads :] = 0
    config = model.config
    return {
        "hidden_states": torch.randn(batch, rows * columns, config.in_channels, generator=generator).to(dtype),
        "encoder_hidden_states": torch.randn(batch, tokens, config.joint_attention_dim, generator=generator).to(dtype),
        "encoder_hidden_states_mask": mask,
        "timestep": torch.rand(batch, generator=generator).to(dtype),
        "height": torch.tensor(rows),
        "width": torch.tensor(columns),
    }


def unchanged(model: nn.Module, height: torch.Tensor, width: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
    shapes = [[(1, int(height), int(width))]] * len(inputs["hidden_states"])
    return model(**inputs, img_shapes=shapes, return_dict=False)[0]


def real_rotary(own):
    """diffusers' apply_rotary_emb_qwen, which also takes (cos, sin) [tokens, width / 2] in place of complex numbers."""

    def apply(values, freqs, use_real=True, use_real_unbind_dim=-1):
        if use_real or not isinstance(freqs, tuple):
            return own(values, freqs, use_real, use_real_unbind_dim)
        first, second = values.float().reshape(*values.shape[:-1], -1, 2).unbind(-1)
        cos, sin = freqs[0][None, :, None], freqs[1][None, :, None]
        turned = torch.stack([first * cos - second * sin, first * sin + second * cos], -1)
        return turned.flatten(3).type_as(values)

    return apply


class Graph(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        qwen.apply_rotary_emb_qwen = real_rotary(qwen.apply_rotary_emb_qwen)
        theta = model.pos_embed.theta
        for axis, width in enumerate(model.pos_embed.axes_dim):
            inverse = 1.0 / torch.pow(theta, torch.arange(0, width, 2).to(torch.float32).div(width))
            self.register_buffer(f"inverse{axis}", inverse, persistent=False)

    def forward(
        self, hidden_states, encoder_hidden_states, encoder_hidden_states_mask, timestep, height, width
    ):
        model = self.model
        places = torch.arange(hidden_states.shape[1], device=hidden_states.device)
        row = torch.div(places, width, rounding_mode="floor")
        column = places - row * width

        def halved(side):
            return torch.div(side, 2, rounding_mode="floor")

        # Positions are counted from the middle; the text's go on after the larger half.
        rows = (row - (height - halved(height))).float()[:, None] * self.inverse1[None]
        columns = (column - (width - halved(width))).float()[:, None] * self.inverse2[None]
        frame = torch.zeros_like(places).float()[:, None] * self.inverse0[None]
        image = torch.cat([frame, rows, columns], -1)
        steps = torch.arange(encoder_hidden_states.shape[1], device=places.device)
        after = (steps + torch.maximum(halved(height), halved(width))).float()
        caption = after[:, None] * torch.cat([self.inverse0, self.inverse1, self.inverse2])[None]
        rotation = ((image.cos(), image.sin()), (caption.cos(), caption.sin()))

        states = model.img_in(hidden_states)
        texts = model.txt_in(model.txt_norm(encoder_hidden_states))
        time = model.time_text_embed(timestep.to(states.dtype), states, None)
        for block in model.transformer_blocks:
            texts, states = block(
                hidden_states=states, encoder_hidden_states=texts,
                encoder_hidden_states_mask=encoder_hidden_states_mask > 0, temb=time, image_rotary_emb=rotation,
                joint_attention_kwargs=None, modulate_index=None,
            )
        return model.proj_out(model.norm_out(states, time))
