"""The text encoders and the transformer, and an attention that makes training on a CPU quick."""

import math

import torch
from diffusers import SD3Transformer2DModel
from scene import HEADS
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

MAX_LENGTH = 32
WIDTHS = (128, 64)  # their sum is joint_attention_dim: nothing is padded


def make_text_encoder(width, layers, vocab_size):
    config = CLIPTextConfig(
        vocab_size=vocab_size, hidden_size=width, intermediate_size=4 * width, projection_dim=width,
        num_hidden_layers=layers, num_attention_heads=width // 32, max_position_embeddings=MAX_LENGTH, hidden_act="quick_gelu",
        bos_token_id=vocab_size - 2, eos_token_id=vocab_size - 1, pad_token_id=vocab_size - 1,
    )  # fmt: skip
    config._attn_implementation = "eager"
    return CLIPTextModelWithProjection(config)


def make_transformer():
    model = SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=16, out_channels=16, num_layers=6, attention_head_dim=64,
        num_attention_heads=3, joint_attention_dim=sum(WIDTHS), caption_projection_dim=192,
        pooled_projection_dim=sum(WIDTHS), pos_embed_max_size=32, qk_norm="rms_norm",
    )  # fmt: skip
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        if name.endswith(("norm1.linear", "norm1_context.linear", "norm_out.linear", "proj_out")):
            nn.init.zeros_(module.weight)
    return model


class PlainAttention:
    """Joint attention as matmul and softmax; the last context row may stand for many equal rows.

    An absent third text encoder is 256 rows of zeros in the context. They stay equal to each other through all
    layers, so one row whose attention score has ln 256 added is exactly the same.
    """

    def __init__(self):
        self.log_rows = torch.zeros(1)

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        batch, image_rows, _ = hidden_states.shape

        def heads(x):
            return x.view(batch, x.shape[1], attn.heads, -1).transpose(1, 2)

        q = torch.cat([attn.norm_q(heads(attn.to_q(hidden_states))), attn.norm_added_q(heads(attn.add_q_proj(encoder_hidden_states)))], 2)
        k = torch.cat([attn.norm_k(heads(attn.to_k(hidden_states))), attn.norm_added_k(heads(attn.add_k_proj(encoder_hidden_states)))], 2)
        v = torch.cat([heads(attn.to_v(hidden_states)), heads(attn.add_v_proj(encoder_hidden_states))], 2)
        score = (q.to(v.dtype) @ k.to(v.dtype).transpose(2, 3)) * q.shape[-1] ** -0.5
        bias = nn.functional.pad(self.log_rows, (score.shape[-1] - 1, 0))
        out = (score + bias.to(score.dtype)).softmax(-1).to(v.dtype) @ v
        out = out.transpose(1, 2).reshape(batch, -1, attn.heads * v.shape[-1])
        image, context = out[:, :image_rows], out[:, image_rows:]
        if not attn.context_pre_only:
            context = attn.to_add_out(context)
        return attn.to_out[0](image), context


class TextToLatent(nn.Module):
    """Both text encoders, the transformer and the auxiliary attribute heads, trained as one."""

    def __init__(self, vocab_size):
        super().__init__()
        self.text_encoder = make_text_encoder(WIDTHS[0], 3, vocab_size)
        self.text_encoder_2 = make_text_encoder(WIDTHS[1], 2, vocab_size)
        self.transformer = make_transformer()
        self.heads = nn.ModuleDict({name: nn.Linear(2 * sum(WIDTHS), len(choices)) for name, choices in HEADS.items()})
        self.attention = PlainAttention()
        self.transformer.set_attn_processor(self.attention)

    def encode(self, tokens):
        outputs = [encoder(tokens, output_hidden_states=True) for encoder in (self.text_encoder, self.text_encoder_2)]
        context = torch.cat([out.hidden_states[-2] for out in outputs], -1)
        pooled = torch.cat([out.text_embeds for out in outputs], -1)
        return context, pooled

    def attributes(self, context, pooled):
        features = torch.cat([context.float().mean(1), pooled.float()], -1)
        return [head(features) for head in self.heads.values()]

    def forward(self, latents, sigma, tokens, zero_rows):
        context, pooled = self.encode(tokens)
        self.attention.log_rows.fill_(math.log(zero_rows))
        rows = torch.cat([context, torch.zeros_like(context[:, :1])], 1)
        velocity = self.transformer(latents, rows, pooled, sigma * 1000, return_dict=False)[0]
        return velocity, self.attributes(context, pooled)
