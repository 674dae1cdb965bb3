"""
Wan's networks as graphs. The VAE runs diffusers' own modules with their caches, a few frames at a time: what each temporal
convolution has seen goes in as `past.i` and comes out as `present.i`.
"""

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders import autoencoder_kl_wan as wan_vae
from torch import nn

TEXT_TOKENS = 512
"""Pictures' tokens stand before so many of the text, as diffusers has it."""


class Nearest(nn.Module):
    """`nearest-exact`, which is plain `nearest` where sides are doubled."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return F.interpolate(pixels, scale_factor=2.0, mode="nearest")


def attend_in_frame(block: nn.Module, states: torch.Tensor) -> torch.Tensor:
    """diffusers' WanAttentionBlock without `squeeze`, which becomes an If."""
    batch, channels, frames, height, width = states.shape
    flat = states.transpose(1, 2).reshape(-1, channels, height, width)
    parts = block.to_qkv(block.norm(flat)).reshape(-1, 3, channels, height * width).transpose(2, 3)
    mixed = F.scaled_dot_product_attention(parts[:, 0], parts[:, 1], parts[:, 2])
    mixed = block.proj(mixed.transpose(1, 2).reshape(-1, channels, height, width))
    return mixed.reshape(batch, frames, channels, height, width).transpose(1, 2) + states


def prepare(vae: nn.Module) -> nn.Module:
    for module in vae.modules():
        if isinstance(module, wan_vae.WanAttentionBlock):
            module.forward = attend_in_frame.__get__(module)
        for name, child in list(module.named_children()):
            if isinstance(child, wan_vae.WanUpsample):
                setattr(module, name, Nearest())
    return vae


class Memory:
    """Watches the convolutions of one half while it works, and keeps the frames that the next call needs."""

    def __init__(self, past: list[torch.Tensor], count: int):
        self.taken = list(past) if past else [None] * count
        self.at = [0]
        self.kept: dict[int, torch.Tensor] = {}
        self.is_later = bool(past)

    def before_convolution(self, module: nn.Module, given: tuple) -> None:
        if module.kernel_size[0] == 1 or self.at[0] in self.kept:
            return
        states = given[0]
        before = given[1] if len(given) > 1 else None
        if before is None and self.is_later:
            # A temporal down-sampling, which has put its one frame in front by itself.
            self.kept[self.at[0]] = states[:, :, -1:]
            return
        if before is None:
            before = torch.zeros_like(torch.cat([states[:, :, :1]] * 2, 2))
        self.kept[self.at[0]] = torch.cat([before, states], 2)[:, :, -2:]

    def before_resampling(self, module: nn.Module, given: tuple) -> None:
        # The first frame of a clip by-passes the temporal up-sampling, whose memory begins as zeros.
        if module.mode == "upsample3d" and not self.is_later:
            self.kept[self.at[0]] = torch.zeros_like(torch.cat([given[0][:, :, :1]] * 2, 2))

    def watch(self, half: nn.Module) -> list:
        hooks = []
        for module in half.modules():
            if isinstance(module, wan_vae.WanCausalConv3d):
                hooks.append(module.register_forward_pre_hook(self.before_convolution))
            elif isinstance(module, wan_vae.WanResample):
                hooks.append(module.register_forward_pre_hook(self.before_resampling))
        return hooks

    def present(self) -> list[torch.Tensor]:
        # A temporal down-sampling keeps its first frame where diffusers has it.
        return [self.kept.get(index, self.taken[index]) for index in range(self.at[0])]


class Half(nn.Module):
    """`decode` or `encode` of one first frame, or of later ones with what came before them."""

    def __init__(self, vae: nn.Module, which: str):
        super().__init__()
        self.vae, self.which = prepare(vae), which

    def forward(self, values: torch.Tensor, *past: torch.Tensor):
        half = getattr(self.vae, f"{self.which}r")
        count = sum(isinstance(module, wan_vae.WanCausalConv3d) for module in half.modules())
        memory = Memory(list(past), count)
        hooks = memory.watch(half)
        try:
            answer = getattr(self, self.which)(values, memory)
        finally:
            for hook in hooks:
                hook.remove()
        return answer, *memory.present()

    def decode(self, latents: torch.Tensor, memory: Memory) -> torch.Tensor:
        states = self.vae.post_quant_conv(latents)
        pixels = self.vae.decoder(
            states, feat_cache=memory.taken, feat_idx=memory.at, first_chunk=not memory.is_later
        )
        patch = self.vae.config.patch_size
        if patch is not None:
            pixels = wan_vae.unpatchify(pixels, patch_size=patch)
        return pixels.clamp(-1.0, 1.0)

    def encode(self, pixels: torch.Tensor, memory: Memory) -> torch.Tensor:
        patch = self.vae.config.patch_size
        if patch is not None:
            pixels = wan_vae.patchify(pixels, patch_size=patch)
        return self.vae.quant_conv(self.vae.encoder(pixels, feat_cache=memory.taken, feat_idx=memory.at))


class FusedAttention(torch.autograd.Function):
    """com.microsoft.MultiHeadAttention: no matrix of scores, which at 480 × 832 × 81 would be 4 GiB a head."""

    @staticmethod
    def forward(_ctx, query, key, value, heads):
        apart = [each.unflatten(2, (heads, -1)).transpose(1, 2) for each in (query, key, value)]
        return F.scaled_dot_product_attention(*apart).transpose(1, 2).flatten(2)

    @staticmethod
    def symbolic(graph, query, key, value, heads):
        made = graph.op("com.microsoft::MultiHeadAttention", query, key, value, num_heads_i=heads)
        return made.setType(query.type())


class PlainNorm(nn.Module):
    """nn.RMSNorm in plain operators."""

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.weight = norm.weight
        self.eps = norm.eps if norm.eps is not None else torch.finfo(torch.float32).eps

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        wide = states.float()
        scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return scaled.type_as(states) * self.weight


def turned(states: torch.Tensor, rotation, heads: int) -> torch.Tensor:
    """Rotary positions on [B, S, heads · dim], without writing in place."""
    cos, sin = rotation[0][..., 0::2], rotation[1][..., 1::2]
    even, odd = states.unflatten(2, (heads, -1)).float().unflatten(-1, (-1, 2)).unbind(-1)
    pairs = torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1)
    return pairs.flatten(2).type_as(states)


class Fused:
    """The processor of every attention."""

    _attention_backend = None
    _parallel_config = None

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, rotary_emb=None):
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        picture = None
        if attn.add_k_proj is not None:
            picture, source = source[:, :-TEXT_TOKENS], source[:, -TEXT_TOKENS:]
        query, key = attn.norm_q(attn.to_q(hidden_states)), attn.norm_k(attn.to_k(source))
        if rotary_emb is not None:
            query, key = turned(query, rotary_emb, attn.heads), turned(key, rotary_emb, attn.heads)
        answer = FusedAttention.apply(query, key, attn.to_v(source), attn.heads)
        if picture is not None:
            shown = attn.norm_added_k(attn.add_k_proj(picture))
            answer = answer + FusedAttention.apply(query, shown, attn.add_v_proj(picture), attn.heads)
        return attn.to_out[0](answer)


class Denoiser(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        for block in model.blocks:
            for attn in (block.attn1, block.attn2):
                attn.processor = Fused()
                attn.norm_q, attn.norm_k = PlainNorm(attn.norm_q), PlainNorm(attn.norm_k)
                if attn.add_k_proj is not None:
                    attn.norm_added_k = PlainNorm(attn.norm_added_k)

    def forward(self, hidden_states, timestep, encoder_hidden_states, encoder_hidden_states_image=None):
        return self.model(
            hidden_states=hidden_states, timestep=timestep, encoder_hidden_states=encoder_hidden_states,
            encoder_hidden_states_image=encoder_hidden_states_image, return_dict=False,
        )[0]
