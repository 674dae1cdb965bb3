"""Fits both ways of looking at latents cheaply: a linear map to RGB, and a tiny decoder.

Writes WORK/preview.json ({"factors": 16 x 3, "bias": 3}: model-space latents to RGB in [-1, 1] at latent size)
and WORK/preview-decoder.pt. The linear map is fitted to what the autoencoder makes of the latents, the tiny decoder to
the pictures themselves, which is the same but quicker to come by; both are measured against the autoencoder.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from data import load_latents, load_pictures, to_tensor
from encode_latents import SCALING, SHIFT
from muon import Muon, split
from precision import autocast
from shapes import held_out
from torch import nn
from train_vae import make_vae


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1))

    def forward(self, x):
        return F.relu(x + self.body(x))


class PreviewDecoder(nn.Module):
    """Model-space latents N x 16 x h x w to pictures N x 3 x 8h x 8w in [-1, 1]."""

    def __init__(self, widths=(56, 32, 20)):
        super().__init__()
        a, b, c = widths
        self.layers = nn.Sequential(
            nn.Conv2d(16, a, 3, 1, 1), nn.ReLU(), Block(a), nn.Upsample(scale_factor=2.0),
            nn.Conv2d(a, b, 3, 1, 1), nn.ReLU(), Block(b), nn.Upsample(scale_factor=2.0),
            nn.Conv2d(b, c, 3, 1, 1), nn.ReLU(), nn.Conv2d(c, c, 3, 1, 1), nn.ReLU(), nn.Conv2d(c, 12, 3, 1, 1), nn.PixelShuffle(2),
        )  # fmt: skip

    def forward(self, latent_sample):
        return self.layers(torch.tanh(latent_sample / 4) * 4)


def r_squared(guess, truth):
    return (1 - (guess - truth).square().sum() / (truth - truth.mean((0, 2, 3), keepdim=True)).square().sum()).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    latents = load_latents(args.work)
    pictures = load_pictures(args.work)
    train = len(latents) - held_out(len(latents))
    vae = make_vae().eval().requires_grad_(False)
    vae.load_state_dict(torch.load(args.work / "vae-folded.pt", weights_only=True))

    def decode(z):
        with torch.no_grad():
            parts = [vae.decoder(part / SCALING + SHIFT).clamp(-1, 1) for part in z.split(20)]
            return torch.cat(parts)

    def sample(picks):
        z = torch.from_numpy(latents[np.sort(picks)]).float()
        return z, decode(z)

    # The linear map: least squares against the decoded picture, averaged down to the latents' size.
    z, picture = sample(rng.choice(train, 400, replace=False))
    small = F.avg_pool2d(picture, 8).permute(0, 2, 3, 1).reshape(-1, 3)
    rows = torch.cat([z.permute(0, 2, 3, 1).reshape(-1, 16), torch.ones(len(small), 1)], 1)
    solution = torch.linalg.lstsq(rows.double(), small.double()).solution.float()
    factors, bias = solution[:16], solution[16]
    preview = {"factors": [[round(v, 6) for v in row] for row in factors.tolist()], "bias": [round(v, 6) for v in bias.tolist()]}
    (args.work / "preview.json").write_text(json.dumps(preview, indent=1) + "\n")
    held_z, held = sample(np.arange(train, train + 100))
    linear = torch.einsum("nchw,cr->nrhw", held_z, factors) + bias[None, :, None, None]
    print(f"linear: R2 {r_squared(linear, F.avg_pool2d(held, 8)):.4f} at latent size, {r_squared(F.interpolate(linear, scale_factor=8.0), held):.4f} at full size")

    decoder = PreviewDecoder()
    optimizer = Muon(*split(decoder.named_parameters()), lr=0.01, other_lr=2e-3)
    began, step = time.time(), 0
    while (progress := (time.time() - began) / (args.minutes * 60)) < 1:
        for group in optimizer.param_groups:
            group["scale"] = min(1, (step + 1) / 30) * (1 - progress) + 0.002
        picks = np.sort(rng.integers(0, train, 8))
        z, picture = torch.from_numpy(latents[picks]).float(), to_tensor(pictures[picks])
        with autocast():
            guess = decoder(z).float()
        loss = (guess - picture).abs().mean() + (guess - picture).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 100 == 0:
            print(f"step {step} loss {loss.item():.4f}", flush=True)
    with torch.no_grad():
        guess = decoder(held_z).clamp(-1, 1)
    print(f"decoder: {sum(p.numel() for p in decoder.parameters())} parameters, R2 {r_squared(guess, held):.4f}, {-10 * torch.log10(((guess - held) / 2).square().mean()):.2f} dB")
    torch.save(decoder.state_dict(), args.work / "preview-decoder.pt")


if __name__ == "__main__":
    main()
