"""Tiny checkpoints of the families that optimum exports, for random_cases.py; needs `pip install optimum optimum-onnx`."""

import gzip
from pathlib import Path

import diffusers
import tokenizers
import torch
import transformers
from tiny import TOKENIZERS, kl


def clip(projected: bool, width: int = 32):
    config = transformers.CLIPTextConfig(
        vocab_size=len(clip_tokenizer()) + 8, hidden_size=width, intermediate_size=48, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=77, projection_dim=width,
        bos_token_id=clip_tokenizer().bos_token_id, eos_token_id=clip_tokenizer().eos_token_id,
    )
    return (transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel)(config)


def clip_tokenizer():
    # Of the two that transformers has, the one that pregen follows (docs/parity.md).
    return transformers.CLIPTokenizerFast.from_pretrained(str(TOKENIZERS / "tiny-clip"))


def t5_tokenizer():
    packed = (TOKENIZERS / "tiny-t5/tokenizer.json.gz").read_bytes()
    backend = tokenizers.Tokenizer.from_buffer(gzip.decompress(packed))
    return transformers.T5TokenizerFast(
        tokenizer_object=backend, extra_ids=0, eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    )


def flux():
    tokenizer = t5_tokenizer()
    t5 = transformers.T5Config(
        vocab_size=len(tokenizer) + 8, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
        feed_forward_proj="gated-gelu", is_encoder_decoder=False, use_cache=False, dropout_rate=0.0,
    )
    denoiser = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, guidance_embeds=True, axes_dims_rope=(4, 6, 6),
    )
    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True), vae=kl(16),
        text_encoder=clip(False), tokenizer=clip_tokenizer(), text_encoder_2=transformers.T5EncoderModel(t5),
        tokenizer_2=tokenizer, transformer=denoiser,
    )


def old_kl(scaling: float):
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16), norm_num_groups=4, latent_channels=4, sample_size=64, scaling_factor=scaling,
    )


def unet(channels: int, width: int, **more):
    return diffusers.UNet2DConditionModel(
        in_channels=channels, out_channels=4, sample_size=8, layers_per_block=1, block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8, cross_attention_dim=width, **more,
    )


def sd(channels: int):
    scheduler = diffusers.PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    own = {"scheduler": scheduler, "vae": old_kl(0.18215), "text_encoder": clip(False), "tokenizer": clip_tokenizer()}
    rest = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    made = diffusers.StableDiffusionInpaintPipeline if channels == 9 else diffusers.StableDiffusionPipeline
    return made(**own, unet=unet(channels, 32, attention_head_dim=4), **rest)


def sdxl(channels: int):
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1
    )
    denoiser = unet(
        channels, 64, attention_head_dim=(2, 4), addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=8 * 6 + 32, use_linear_projection=True, transformer_layers_per_block=(1, 1),
    )
    made = diffusers.StableDiffusionXLInpaintPipeline if channels == 9 else diffusers.StableDiffusionXLPipeline
    return made(
        scheduler=scheduler, vae=old_kl(0.13025), unet=denoiser, text_encoder=clip(False), tokenizer=clip_tokenizer(),
        text_encoder_2=clip(True), tokenizer_2=clip_tokenizer(),
    )


MAKERS = {
    "flux": flux, "sd4": lambda: sd(4), "sd9": lambda: sd(9), "sdxl": lambda: sdxl(4), "sdxl9": lambda: sdxl(9),
}


@torch.no_grad()
def save(name: str, folder: Path) -> None:
    torch.manual_seed(11)
    pipe = MAKERS[name]()
    parts = ["transformer", "unet", "text_encoder", "text_encoder_2", "vae"]
    for part in (getattr(pipe, each, None) for each in parts):
        for key, weight in part.named_parameters() if part is not None else []:
            if weight.ndim >= 2:
                looked_up = "embedding" in key and "time" not in key or "shared" in key
                torch.nn.init.normal_(weight, std=1.0 if looked_up else 1.2 * weight[0].numel() ** -0.5)
    decoded = pipe.vae.decode(torch.randn(1, pipe.vae.config.latent_channels, 8, 8))[0]
    pipe.vae.decoder.conv_out.weight.mul_(0.5 / decoded.std())
    pipe.save_pretrained(str(folder))


def export(source: Path, target: Path, dtype: str) -> None:
    from optimum.exporters.onnx import main_export

    main_export(str(source), output=str(target), task="text-to-image", dtype=dtype, do_validation=False)
