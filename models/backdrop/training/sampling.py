"""Draws pictures with torch from the weights of a model folder: several times quicker than ONNX Runtime on a CPU,
because the 256 zero rows of the absent third text encoder count as one (denoiser.py), and in bfloat16 where the processor has it.

The noise of a picture is torch's own for its seed, as in diffusers, so every picture is nearly the one that the tool
draws (test/backdrop holds the tool to optimum's pictures).
"""

import math

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from encode_latents import SCALING, SHIFT
from from_folder import FOLDER, load_model, load_vae
from precision import autocast
from transformers import CLIPTokenizer


class Sampler:
    def __init__(self, folder=FOLDER, shift=3.0):
        self.model = load_model(folder).eval().requires_grad_(False)
        self.model.attention.log_rows.fill_(math.log(256))
        self.vae = load_vae(folder)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.shift = shift

    def tokens(self, texts):
        return torch.tensor(self.tokenizer(texts, padding="max_length", truncation=True, max_length=self.tokenizer.model_max_length).input_ids)

    @torch.no_grad()
    def draw(self, texts, seeds, size, steps=20, guidance=3.0, batch=10):
        """→ uint8, N x H x W x 3."""
        pictures = [self.draw_batch(texts[at : at + batch], seeds[at : at + batch], size, steps, guidance) for at in range(0, len(texts), batch)]
        return np.concatenate(pictures)

    def draw_batch(self, texts, seeds, size, steps, guidance):
        count, shape = len(texts), (16, size[1] // 8, size[0] // 8)
        context, pooled = self.model.encode(self.tokens([""] * count + list(texts)))
        rows = torch.cat([context, torch.zeros_like(context[:, :1])], 1)
        latents = torch.stack([torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)) for seed in seeds])
        scheduler = FlowMatchEulerDiscreteScheduler(shift=self.shift)
        scheduler.set_timesteps(steps)
        for timestep in scheduler.timesteps:
            with autocast():
                both = self.model.transformer(torch.cat([latents, latents]), rows, pooled, timestep.expand(2 * count), return_dict=False)[0]
            empty, asked = both.float().chunk(2)
            latents = scheduler.step(empty + guidance * (asked - empty), timestep, latents, return_dict=False)[0]
        return self.decode(latents)

    def decode(self, latents):
        pictures = torch.cat([self.vae.decoder(z) for z in (latents / SCALING + SHIFT).split(4)])
        return ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
