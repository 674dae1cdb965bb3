"""Makes models of the shapes of Stable Diffusion 1.5 and SDXL with random weights, in diffusers' ONNX layout.

    python make_real.py FOLDER --family sd15|sdxl --dtype fp32|fp16 [--only unet,vae_decoder] [--device cuda]

Random weights draw noise, and take the memory and the time that trained ones take. Each component is exported by itself
and freed before the next: SD 1.5 in fp32 needs 8 GB of memory and 5 GB of disk, SDXL in fp16 7 GB and 12 GB while its
UNet is written. Tracing in fp16 is slow on a CPU: --device cuda does it on a card (not seen yet).
"""

import argparse
import gc
import math
import os
import resource
import shutil
import time
from pathlib import Path

import onnx
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from make_model import Decoder, make_tokenizer, write_json

STARTED = time.time()
DEVICE = "cpu"
UNETS = {
    "sd15": {
        "sample_size": 64,
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
        "block_out_channels": [320, 640, 1280, 1280],
    },
    "sdxl": {
        "sample_size": 128,
        "cross_attention_dim": 2048,
        "attention_head_dim": [5, 10, 20],
        "block_out_channels": [320, 640, 1280],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "transformer_layers_per_block": [1, 2, 10],
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}
VAE = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
VAE_SCALE = {"sd15": 0.18215, "sdxl": 0.13025}
# CLIP's ViT-L and OpenCLIP's bigG.
TEXTS = {
    "text_encoder": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "projection_dim": 768,
        "hidden_act": "quick_gelu",
    },
    "text_encoder_2": {
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 20,
        "projection_dim": 1280,
        "hidden_act": "gelu",
    },
}


def say(what):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"[{time.time() - STARTED:5.0f} s, peak {peak:.1f} GiB] {what}", flush=True)


def build(cls, config, dtype):
    """A module that was never initialised, filled with small uniform numbers."""
    with torch.device("meta"):
        module = cls.from_config(config) if isinstance(config, dict) else cls(config)
    module = module.to(dtype).to_empty(device="cpu")
    # One block of numbers, again and again: cheap, and still full of different values.
    block = torch.empty(1 << 22).uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for index, (name, weight) in enumerate(module.named_parameters()):
            if weight.ndim < 2:
                weight.fill_(1 if name.endswith("weight") else 0)
                continue
            # The exporter merges tensors that are equal: each gets its own factor, and another start in the block.
            block = block.roll(7919)
            bound = (1 + index * 1e-3) / math.sqrt(weight[0].numel())
            flat = weight.view(-1)
            for start in range(0, flat.numel(), block.numel()):
                count = min(block.numel(), flat.numel() - start)
                flat[start : start + count].copy_(block[:count] * bound)
        for name, buffer in module.named_buffers():
            if name.endswith("position_ids"):
                buffer.copy_(torch.arange(buffer.shape[-1]).expand(buffer.shape))
    return module.eval()


def export(module, inputs, folder, axes, outputs):
    """Writes `model.onnx`, and its weights into one `model.onnx_data` beside it."""
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        torch.onnx.export(
            module.to(DEVICE),
            tuple(value.to(DEVICE) for value in inputs.values()),
            str(raw / "model.onnx"),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=18,
            dynamo=False,
        )
    del module
    gc.collect()
    model = onnx.load(str(raw / "model.onnx"), load_external_data=False)
    with open(folder / "model.onnx_data", "wb") as data:
        for tensor in tensors_of(model.graph):
            content = content_of(tensor, raw)
            if content is not None:
                move_out(tensor, content, data)
        is_empty = data.tell() == 0
    if is_empty:
        (folder / "model.onnx_data").unlink()
    onnx.save(model, str(folder / "model.onnx"))
    shutil.rmtree(raw)
    say(folder.name)


def tensors_of(graph):
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from tensors_of(attribute.g)


def content_of(tensor, folder):
    """Bytes of a large tensor, wherever they lie."""
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return tensor.raw_data if len(tensor.raw_data) > 1024 else None
    where = {entry.key: entry.value for entry in tensor.external_data}
    path = folder / where["location"]
    offset = int(where.get("offset", 0))
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(int(where.get("length", os.path.getsize(path) - offset)))


def move_out(tensor, content, data):
    data.write(b"\0" * (-data.tell() % 4096))
    place = {"location": "model.onnx_data", "offset": str(data.tell()), "length": str(len(content))}
    data.write(content)
    tensor.ClearField("raw_data")
    del tensor.external_data[:]
    for key, value in place.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    tensor.data_location = onnx.TensorProto.EXTERNAL


class Unet(torch.nn.Module):
    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, sample, timestep, encoder_hidden_states, text_embeds=None, time_ids=None):
        added = None if text_embeds is None else {"text_embeds": text_embeds, "time_ids": time_ids}
        return self.unet(sample, timestep, encoder_hidden_states, added_cond_kwargs=added, return_dict=False)[0]


class Text(torch.nn.Module):
    def __init__(self, encoder, with_states):
        super().__init__()
        self.encoder = encoder
        self.with_states = with_states

    def forward(self, input_ids):
        out = self.encoder(input_ids, output_hidden_states=self.with_states)
        is_projecting = isinstance(self.encoder, CLIPTextModelWithProjection)
        first = (out.text_embeds, out.last_hidden_state) if is_projecting else (out.last_hidden_state, out.pooler_output)
        return (*first, *out.hidden_states) if self.with_states else first


def export_text(root, name, dtype, with_states):
    cls = CLIPTextModelWithProjection if name == "text_encoder_2" else CLIPTextModel
    ends = {"bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}
    config = CLIPTextConfig(vocab_size=49408, max_position_embeddings=77, **ends, **TEXTS[name])
    outputs = ["text_embeds", "last_hidden_state"] if name == "text_encoder_2" else ["last_hidden_state", "pooler_output"]
    if with_states:
        outputs += [f"hidden_states.{layer}" for layer in range(config.num_hidden_layers + 1)]
    ids = torch.zeros(1, 77, dtype=torch.int64)
    ids[:, 5:] = 513
    axes = {value: {0: "batch"} for value in ["input_ids", *outputs]}
    export(Text(build(cls, config, dtype), with_states), {"input_ids": ids}, root / name, axes, outputs)
    config.save_pretrained(root / name)


SPATIAL = {0: "batch", 2: "height", 3: "width"}


def export_unet(root, family, dtype):
    config = UNETS[family]
    unet = build(UNet2DConditionModel, config, dtype)
    unet.save_config(root / "unet")
    inputs = {
        "sample": torch.randn(2, 4, 16, 16, dtype=dtype),
        "timestep": torch.tensor(1.0, dtype=dtype),
        "encoder_hidden_states": torch.randn(2, 77, config["cross_attention_dim"], dtype=dtype),
    }
    axes = {"sample": SPATIAL, "encoder_hidden_states": {0: "batch"}, "out_sample": SPATIAL}
    if family == "sdxl":
        inputs["text_embeds"] = torch.randn(2, 1280, dtype=dtype)
        inputs["time_ids"] = torch.tensor([[128.0, 128, 0, 0, 128, 128]] * 2, dtype=dtype)
        axes |= {"text_embeds": {0: "batch"}, "time_ids": {0: "batch"}}
    export(Unet(unet), inputs, root / "unet", axes, ["out_sample"])


def export_vae(root, family, dtype):
    vae = build(AutoencoderKL, {**VAE, "scaling_factor": VAE_SCALE[family]}, dtype)
    vae.save_config(root / "vae_decoder")
    latents = {"latent_sample": torch.randn(1, 4, 16, 16, dtype=dtype)}
    axes = {"latent_sample": SPATIAL, "sample": SPATIAL}
    export(Decoder(vae), latents, root / "vae_decoder", axes, ["sample"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--family", choices=UNETS, default="sd15")
    parser.add_argument("--dtype", choices=["fp32", "fp16"], default="fp32")
    parser.add_argument("--only", default="unet,vae_decoder,text_encoder,text_encoder_2")
    parser.add_argument("--device", default="cpu", help="where the modules are traced")
    args = parser.parse_args()
    global DEVICE
    DEVICE = args.device
    root, family = args.folder, args.family
    dtype = torch.float16 if args.dtype == "fp16" else torch.float32
    wanted = set(args.only.split(","))
    is_xl = family == "sdxl"
    texts = ["text_encoder", "text_encoder_2"] if is_xl else ["text_encoder"]
    for name in texts:
        make_tokenizer(root / name.replace("text_encoder", "tokenizer"))
        if name in wanted:
            export_text(root, name, dtype, is_xl)
    if "unet" in wanted:
        export_unet(root, family, dtype)
    if "vae_decoder" in wanted:
        export_vae(root, family, dtype)
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    EulerDiscreteScheduler(**schedule).save_config(root / "scheduler")
    index = {
        "_class_name": "StableDiffusionXLPipeline" if is_xl else "StableDiffusionPipeline",
        "_diffusers_version": "0.39.0",
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    if is_xl:
        index["text_encoder_2"] = ["transformers", "CLIPTextModelWithProjection"]
        index["tokenizer_2"] = ["transformers", "CLIPTokenizer"]
        index["force_zeros_for_empty_prompt"] = True
    # Last: a folder without it is none.
    write_json(root / "model_index.json", index)


main()
