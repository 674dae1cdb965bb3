"""Makes the bench's model: Stable Diffusion's architecture with random weights, in diffusers' ONNX layout.

    python make_model.py FOLDER [--scale mid|tiny]

Random weights draw noise, but cost what trained ones cost. `mid` takes about a second a step at 1024 × 1024 with
guidance on two cores, and keeps the proportions of real models there: a VAE decode is about a fifth of a step's
arithmetic, and the preview decoder about a twentieth. `tiny` is for trying the bench itself.
"""

import argparse
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

SCALES = {
    "mid": {
        "unet": (64, 128, 256, 512),
        "heads": 2,
        "vae": (4, 4, 8, 16),
        "tiny": 8,
        "text": 256,
        "size": 1024,
    },
    "tiny": {
        "unet": (8, 16, 16, 16),
        "heads": 2,
        "vae": (8, 8, 8, 8),
        "tiny": 4,
        "text": 32,
        "size": 128,
    },
}


class Unet(torch.nn.Module):
    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, sample, timestep, encoder_hidden_states):
        return self.unet(sample, timestep, encoder_hidden_states, return_dict=False)[0]


class Decoder(torch.nn.Module):
    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, latent_sample):
        return self.vae.decode(latent_sample, return_dict=False)[0]


class TextEncoder(torch.nn.Module):
    def __init__(self, text_encoder):
        super().__init__()
        self.text_encoder = text_encoder

    def forward(self, input_ids):
        output = self.text_encoder(input_ids)
        return output.last_hidden_state, output.pooler_output


def export(module, inputs, folder, axes, output_names):
    """One component: model.onnx with optimum's names of inputs and outputs, all sizes dynamic."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        module.eval(),
        tuple(inputs.values()),
        folder / "model.onnx",
        input_names=list(inputs),
        output_names=output_names,
        dynamic_axes=axes,
        opset_version=18,
        dynamo=False,
    )


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def byte_characters():
    """The 256 printable characters that byte-level BPE writes bytes as (GPT-2's table)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]


def make_tokenizer(folder):
    """A CLIP tokenizer without merges: every byte is a token. Returns its vocabulary's size."""
    characters = byte_characters()
    tokens = [*characters, *(c + "</w>" for c in characters), "<|startoftext|>", "<|endoftext|>"]
    write_json(folder / "vocab.json", {token: i for i, token in enumerate(tokens)})
    (folder / "merges.txt").write_text("#version: 0.2\n")
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": 77,
            "bos_token": "<|startoftext|>",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
        },
    )
    write_json(
        folder / "special_tokens_map.json",
        {
            "bos_token": "<|startoftext|>",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
        },
    )
    return len(tokens)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", choices=SCALES, default="mid")
    arguments = parser.parse_args()
    root, scale = arguments.folder, SCALES[arguments.scale]
    latent = scale["size"] // 8
    torch.manual_seed(0)

    vocabulary = make_tokenizer(root / "tokenizer")
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=scale["text"],
            intermediate_size=4 * scale["text"],
            num_hidden_layers=4,
            num_attention_heads=4,
            projection_dim=scale["text"],
            bos_token_id=vocabulary - 2,
            eos_token_id=vocabulary - 1,
            pad_token_id=vocabulary - 1,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=latent,
        layers_per_block=1,
        block_out_channels=scale["unet"],
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        cross_attention_dim=scale["text"],
        attention_head_dim=scale["heads"],
        norm_num_groups=8,
    )
    # Attention over all 128 × 128 latents in the middle of a VAE takes 1 GB for one matrix: left out.
    vae = AutoencoderKL(
        block_out_channels=scale["vae"],
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        layers_per_block=1,
        mid_block_add_attention=False,
        sample_size=scale["size"],
    )
    preview_decoder = AutoencoderTiny(
        encoder_block_out_channels=(scale["tiny"],) * 4,
        decoder_block_out_channels=(scale["tiny"],) * 4,
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(3, 2, 1, 1),
    )

    latents = torch.randn(2, 4, 16, 16)
    spatial = {0: "batch", 2: "height", 3: "width"}
    with torch.no_grad():
        export(
            TextEncoder(text_encoder),
            {"input_ids": torch.zeros(2, 77, dtype=torch.int64)},
            root / "text_encoder",
            {"input_ids": {0: "batch"}, "last_hidden_state": {0: "batch"}, "pooler_output": {0: "batch"}},
            ["last_hidden_state", "pooler_output"],
        )
        export(
            Unet(unet),
            {
                "sample": latents,
                "timestep": torch.tensor(1.0),
                "encoder_hidden_states": torch.randn(2, 77, scale["text"]),
            },
            root / "unet",
            {"sample": spatial, "encoder_hidden_states": {0: "batch"}, "out_sample": spatial},
            ["out_sample"],
        )
        for name, decoder in (("vae_decoder", vae), ("preview_decoder", preview_decoder)):
            inputs = {"latent_sample": latents[:1]}
            axes = {"latent_sample": spatial, "sample": spatial}
            export(Decoder(decoder), inputs, root / name, axes, ["sample"])

    text_encoder.config.save_pretrained(root / "text_encoder")
    unet.save_config(root / "unet")
    vae.save_config(root / "vae_decoder")
    preview_decoder.save_config(root / "preview_decoder")
    EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
    ).save_config(root / "scheduler")
    # Written last: a folder with it is whole.
    write_json(
        root / "model_index.json",
        {
            "_class_name": "StableDiffusionPipeline",
            "_diffusers_version": "0.39.0",
            "feature_extractor": [None, None],
            "requires_safety_checker": False,
            "safety_checker": [None, None],
            "scheduler": ["diffusers", "EulerDiscreteScheduler"],
            "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
    )


if __name__ == "__main__":
    main()
