"""Z-Image, Turbo and base. Patches, padding to 32 with learned tokens, masks and positions are inside the graph."""

import torch
import torch.nn.functional as F
from diffusers.models.transformers.transformer_z_image import RopeEmbedder, ZSingleStreamAttnProcessor
from torch import nn

from .. import text
from ..component import Component, Tensors
from ..folder import Source
from ..vae import vae

PIPELINE = "ZImagePipeline"
PAD_TO = 32
FEED_FORWARD_SCALE, ATTENTION_SCALE = 1 / 32, 1 / 8


def channels(source: Source) -> int:
    return source.config("vae")["latent_channels"]


def index(_source: Source) -> dict:
    return {}


def components(source: Source) -> list[Component]:
    layers = source.config("text_encoder")["num_hidden_layers"]
    batch, places = {0: "batch"}, {0: "batch", 1: "tokens"}
    denoiser = Component(
        name="transformer", part="transformer", graph=Graph, reference=unchanged, example=example,
        export_size=(2, 10, 12, [40, 33]),
        check_sizes={"16 × 16, 64 tokens": (1, 16, 16, [64]), "3 of 6 × 20, 5, 300, 32 tokens": (3, 6, 20, [5, 300, 32])},
        outputs=["out_hidden_states"],
        axes={
            "hidden_states": {0: "batch", 2: "latent_height", 3: "latent_width"}, "timestep": batch,
            "encoder_hidden_states": places, "encoder_attention_mask": places,
        },
    )
    return [
        text.causal([layers - 1], [f"hidden_states.{layers - 1}"]),
        denoiser,
        *vae(channels(source)),
    ]


def example(model: nn.Module, size: tuple[int, int, int, list[int]], dtype: torch.dtype) -> Tensors:
    """Batch, rows and columns of latents, tokens of each text."""
    batch, height, width, lengths = size
    generator = torch.Generator().manual_seed(height * width)
    tokens = torch.arange(max(lengths))
    return {
        "hidden_states": torch.randn(batch, model.in_channels, height, width, generator=generator).to(dtype),
        "timestep": torch.rand(batch, generator=generator),
        "encoder_hidden_states": torch.randn(
            batch, max(lengths), model.config.cap_feat_dim, generator=generator
        ).to(dtype),
        "encoder_attention_mask": (tokens[None] < torch.tensor(lengths)[:, None]).long(),
    }


def unchanged(model, hidden_states, timestep, encoder_hidden_states, encoder_attention_mask):
    pairs = zip(encoder_hidden_states, encoder_attention_mask, strict=True)
    texts = [each[mask.bool()] for each, mask in pairs]
    given = model([each[:, None] for each in hidden_states], timestep, texts, return_dict=False)[0]
    return torch.stack(given)[:, :, 0]


def rotated(values: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Pairs side by side as complex numbers, turned in real ones: ONNX has no others. [B, tokens, heads, width]"""
    first, second = values.float().reshape(*values.shape[:-1], -1, 2).unbind(-1)
    cos, sin = cos.unsqueeze(2), sin.unsqueeze(2)
    turned = torch.stack([first * cos - second * sin, first * sin + second * cos], -1)
    return turned.flatten(3).type_as(values)


class RealProcessor(ZSingleStreamAttnProcessor):
    def __init__(self, scale: float):
        super().__init__()
        self.scale = scale

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, freqs_cis=None):
        query, key, value = (
            project(hidden_states).unflatten(-1, (attn.heads, -1)) for project in (attn.to_q, attn.to_k, attn.to_v)
        )
        if attn.norm_q is not None:
            query = attn.norm_q(query)
        if attn.norm_k is not None:
            key = attn.norm_k(key)
        query, key = rotated(query, *freqs_cis), rotated(key, *freqs_cis)
        given = F.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=attention_mask
        )
        return attn.to_out[0](given.transpose(1, 2).flatten(2, 3) * self.scale)


class ScaledFeedForward(nn.Module):
    def __init__(self, own: nn.Module, scale: float):
        super().__init__()
        self.w1, self.w2, self.w3, self.scale = own.w1, own.w2, own.w3, scale

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.w2(F.silu(self.w1(values)) * (self.w3(values) * self.scale))


class Graph(nn.Module):
    """
    The published weights overflow in fp16 within the branches. Each ends in an RMS norm, which does not see a common
    factor: in halves the branch is scaled down by a power of two and the norm's eps by its square. The same function.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        half = next(model.parameters()).dtype == torch.float16
        attention, feed_forward = (ATTENTION_SCALE, FEED_FORWARD_SCALE) if half else (1.0, 1.0)
        for block in [*model.noise_refiner, *model.context_refiner, *model.layers]:
            block.attention.set_processor(RealProcessor(attention))
            block.attention_norm2.eps *= attention**2
            block.feed_forward = ScaledFeedForward(block.feed_forward, feed_forward)
            block.ffn_norm2.eps *= feed_forward**2
        tables = RopeEmbedder.precompute_freqs_cis(model.axes_dims, model.axes_lens, theta=model.rope_theta)
        for axis, table in enumerate(tables):
            self.register_buffer(f"cos{axis}", table.real.contiguous(), persistent=False)
            self.register_buffer(f"sin{axis}", table.imag.contiguous(), persistent=False)

    def rotation(self, time: torch.Tensor, row: torch.Tensor, column: torch.Tensor):
        cos = torch.cat([self.cos0[time], self.cos1[row], self.cos2[column]], -1)
        return cos, torch.cat([self.sin0[time], self.sin1[row], self.sin2[column]], -1)

    def forward(self, hidden_states, timestep, encoder_hidden_states, encoder_attention_mask):
        model = self.model
        batch, channels, height, width = hidden_states.shape
        rows, columns = height // 2, width // 2
        count, tokens = rows * columns, encoder_hidden_states.shape[1]
        time = model.t_embedder(timestep.float() * model.t_scale).type_as(hidden_states)

        # Patches: row, column, channel; padded with a learned token.
        patches = hidden_states.reshape(batch, channels, rows, 2, columns, 2).permute(0, 2, 4, 3, 5, 1)
        places = torch.arange((count + PAD_TO - 1) // PAD_TO * PAD_TO, device=hidden_states.device)
        own, nearest = places < count, places.clamp(max=count - 1)
        image = model.all_x_embedder["2-1"](patches.reshape(batch, count, 4 * channels))[:, nearest]
        image = torch.where(own[None, :, None], image, model.x_pad_token)

        # Texts: each is padded to its own multiple; what is beyond it is not seen.
        steps = torch.arange((tokens + PAD_TO - 1) // PAD_TO * PAD_TO, device=hidden_states.device)
        lengths = encoder_attention_mask.to(torch.int64).sum(1)
        padded = (lengths + PAD_TO - 1) // PAD_TO * PAD_TO
        caption = model.cap_embedder(encoder_hidden_states)[:, steps.clamp(max=tokens - 1)]
        caption = torch.where((steps[None] < lengths[:, None])[..., None], caption, model.cap_pad_token)
        seen = steps[None] < padded[:, None]

        zero = torch.zeros_like(steps)
        caption_rotation = tuple(each[None] for each in self.rotation(steps + 1, zero, zero))
        nowhere = torch.zeros_like(places)
        depth = torch.where(own[None], padded[:, None] + 1, nowhere[None])
        row = torch.arange(rows, device=places.device)[:, None].expand(rows, columns).reshape(count)[nearest]
        column = torch.arange(columns, device=places.device)[None].expand(rows, columns).reshape(count)[nearest]
        everywhere = torch.zeros_like(depth)
        image_rotation = self.rotation(
            depth, torch.where(own, row, nowhere)[None] + everywhere, torch.where(own, column, nowhere)[None] + everywhere
        )

        for layer in model.noise_refiner:
            image = layer(image, None, image_rotation, time)
        for layer in model.context_refiner:
            caption = layer(caption, seen[:, None, None, :], caption_rotation)
        both = torch.cat([image, caption], 1)
        pairs = zip(image_rotation, caption_rotation, strict=True)
        rotation = tuple(torch.cat([each, other.expand(batch, -1, -1)], 1) for each, other in pairs)
        mask = torch.cat([torch.ones_like(depth, dtype=torch.bool), seen], 1)[:, None, None, :]
        for layer in model.layers:
            both = layer(both, mask, rotation, time)
        out = model.all_final_layer["2-1"](both, time)[:, :count]
        out = out.reshape(batch, rows, columns, 2, 2, model.out_channels).permute(0, 5, 1, 3, 2, 4)
        return out.reshape(batch, model.out_channels, height, width)
