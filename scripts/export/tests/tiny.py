"""Tiny checkpoints with random weights in the form that diffusers saves, and the hub publishes, them."""

import gzip
from pathlib import Path

import diffusers
import tokenizers
import torch
import transformers

TOKENIZERS = Path(__file__).parents[3] / "test/fixtures/tokenizers"
FLOW = {"shift": 3.0}


# What Qwen3's own makes of one message.
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


def qwen_tokenizer():
    tokenizer = transformers.Qwen2TokenizerFast.from_pretrained(str(TOKENIZERS / "tiny-qwen"))
    tokenizer.chat_template = CHAT
    return tokenizer


def qwen3(vocabulary: int, layers: int, made=transformers.Qwen3ForCausalLM):
    config = transformers.Qwen3Config(
        vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, tie_word_embeddings=True, use_cache=False,
    )
    return made(config)


def kl(channels: int):
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16), norm_num_groups=4, latent_channels=channels, sample_size=64,
        scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False,
    )


def zimage():
    tokenizer = qwen_tokenizer()
    denoiser = diffusers.ZImageTransformer2DModel(
        in_channels=16, dim=64, n_layers=1, n_refiner_layers=1, n_heads=4, n_kv_heads=4, cap_feat_dim=32,
        axes_dims=[4, 6, 6], axes_lens=[1536, 64, 64],
    )
    for token in (denoiser.x_pad_token, denoiser.cap_pad_token):
        torch.nn.init.normal_(token)
    return diffusers.ZImagePipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(**FLOW), vae=kl(16),
        text_encoder=qwen3(len(tokenizer) + 8, 2, transformers.Qwen3Model), tokenizer=tokenizer, transformer=denoiser,
    )


def flux2():
    tokenizer = qwen_tokenizer()
    denoiser = diffusers.Flux2Transformer2DModel(
        patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=96, timestep_guidance_channels=32, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False,
    )
    vae = diffusers.AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16), layers_per_block=1, norm_num_groups=4, latent_channels=16, sample_size=64,
    )
    torch.nn.init.normal_(vae.bn.running_mean, std=0.2)
    torch.nn.init.uniform_(vae.bn.running_var, 0.5, 1.5)
    pipe = diffusers.Flux2KleinPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), vae=vae,
        text_encoder=qwen3(len(tokenizer) + 8, layers=3), tokenizer=tokenizer, transformer=denoiser, is_distilled=True,
    )
    pipe.register_to_config(text_encoder_out_layers=[1, 2, 3])
    return pipe


def chroma():
    packed = (TOKENIZERS / "tiny-t5/tokenizer.json.gz").read_bytes()
    backend = tokenizers.Tokenizer.from_buffer(gzip.decompress(packed))
    special = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    tokenizer = transformers.T5TokenizerFast(tokenizer_object=backend, extra_ids=0, **special)
    config = transformers.T5Config(
        vocab_size=len(tokenizer) + 8, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
        feed_forward_proj="gated-gelu", is_encoder_decoder=False, use_cache=False, dropout_rate=0.0,
    )
    denoiser = diffusers.ChromaTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, axes_dims_rope=(4, 6, 6), approximator_num_channels=32, approximator_hidden_dim=32,
        approximator_layers=1,
    )
    return diffusers.ChromaPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(**FLOW), vae=kl(16),
        text_encoder=transformers.T5EncoderModel(config), tokenizer=tokenizer, transformer=denoiser,
    )


def qwenimage():
    tokenizer = qwen_tokenizer()
    pad = tokenizer.pad_token_id
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer) + 8, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 4096, "use_cache": False,
            "rope_scaling": {"type": "mrope", "mrope_section": [4, 2, 2]}, "pad_token_id": pad,
        },
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32,
            "fullatt_block_indexes": [0],
        },
    )
    denoiser = diffusers.QwenImageTransformer2DModel(
        patch_size=2, in_channels=64, out_channels=16, num_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, guidance_embeds=False, axes_dims_rope=(4, 6, 6),
    )
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=8, z_dim=16, dim_mult=[1, 1, 2, 2], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.1] * 16, latents_std=[1.5] * 16,
    )
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, base_shift=0.5, max_shift=0.9, max_image_seq_len=8192, shift_terminal=0.02
    )
    return diffusers.QwenImagePipeline(
        scheduler=scheduler, vae=vae, tokenizer=tokenizer, transformer=denoiser,
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(config),
    )


MAKERS = {"zimage": zimage, "flux2": flux2, "chroma": chroma, "qwenimage": qwenimage}


def save(name: str, folder: Path, lively: bool = False) -> Path:
    """@param lively weights under which pictures depend on prompt, seed, step and size, as those of trained models do"""
    torch.manual_seed(7)
    pipe = MAKERS[name]()
    if lively:
        liven(pipe)
    # In several files, as weights of full size are.
    pipe.save_pretrained(str(folder), max_shard_size="100KB")
    return folder


@torch.no_grad()
def liven(pipe: diffusers.DiffusionPipeline) -> None:
    for part in (pipe.transformer, pipe.text_encoder, pipe.vae):
        for name, weight in part.named_parameters():
            if weight.ndim < 2:
                continue
            fan_in = weight[0].numel()
            # Embeddings are looked up, not summed.
            torch.nn.init.normal_(weight, std=1.0 if "embed_tokens" in name or "shared" in name else 1.2 * fan_in**-0.5)
    latents = torch.randn(1, pipe.vae.config.get("latent_channels") or pipe.vae.config.z_dim, 8, 8)
    decoded = pipe.vae.decode(latents if latents.shape[1] != 16 or "z_dim" not in pipe.vae.config else latents[:, :, None])[0]
    last = pipe.vae.decoder.conv_out
    last.weight.mul_(0.5 / decoded.std())


if __name__ == "__main__":
    import sys

    save(sys.argv[1], Path(sys.argv[2]))
