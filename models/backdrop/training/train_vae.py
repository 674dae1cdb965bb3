"""Trains the autoencoder: 128 x 128 pictures to 16 x 16 latents of 16 channels and back.

Two processes average their gradients; each takes 4 crops of 64 pixels, and whole pictures at the end.
Loss: L1 + 0.5 MSE + 0.5 L1 of gradients + 5e-4 KL + 0.1 feature distance in the classifier. In 15 % of the
batches the latents are halved in size and must decode to the halved picture, which keeps them smooth.
Runs for --minutes by the clock; a run that was stopped goes on from its checkpoint.
"""

import argparse
import copy
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from data import load_pictures, to_tensor
from diffusers import AutoencoderKL
from muon import Muon, split
from precision import autocast
from shapes import held_out
from train_classifier import load_classifier


def make_vae():
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=16, sample_size=128, norm_num_groups=8,
        block_out_channels=(16, 32, 64, 64), layers_per_block=1, mid_block_add_attention=False,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        use_quant_conv=False, use_post_quant_conv=False, force_upcast=False, scaling_factor=1.0, shift_factor=0.0,
    )  # fmt: skip


def gradients(x):
    return x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]


def loss_of(vae, classifier, x, halve):
    moments = vae.encoder(x).float()
    mean, logvar = moments.chunk(2, 1)
    logvar = logvar.clamp(-30, 20)
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum((1, 2, 3)).mean() / x[0].numel() * 3
    z = mean + torch.randn_like(mean) * (0.5 * logvar).exp()
    target = x
    if halve:
        z, target = F.avg_pool2d(z, 2), F.avg_pool2d(x, 2)
    y = vae.decoder(z).float()
    l1 = (y - target).abs().mean()
    mse = (y - target).square().mean()
    edges = sum((a - b).abs().mean() for a, b in zip(gradients(y), gradients(target)))
    feature = 0.0
    if not halve:
        maps, goals = classifier.features(y)[:3], classifier.features(target)[:3]
        feature = sum((a.float() - b.float()).abs().mean() / (b.float().abs().mean() + 1e-4) for a, b in zip(maps, goals)) / 3
    return l1 + 0.5 * mse + 0.5 * edges + 5e-4 * kl + 0.1 * feature, mse


def average_gradients(params, processes):
    """Every process goes on with the mean of all processes' gradients."""
    flat = torch.cat([p.grad.flatten() for p in params])
    dist.all_reduce(flat)
    flat /= processes
    at = 0
    for p in params:
        p.grad.copy_(flat[at : at + p.numel()].view_as(p))
        at += p.numel()


@torch.no_grad()
def psnr(vae, pictures):
    total = []
    for start in range(0, len(pictures), 20):
        x = to_tensor(pictures[start : start + 20])
        y = vae.decoder(vae.encoder(x).chunk(2, 1)[0]).clamp(-1, 1)
        total.append(-10 * torch.log10(((y - x) / 2).square().mean((1, 2, 3))))
    return torch.cat(total).mean().item()


def work(rank, args):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(args.port))
    dist.init_process_group("gloo", rank=rank, world_size=args.processes)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    pictures = load_pictures(args.work)
    train = len(pictures) - held_out(len(pictures))
    classifier = load_classifier(args.work)
    vae = make_vae()
    ema = copy.deepcopy(vae).requires_grad_(False)
    optimizer = Muon(*split(vae.named_parameters()), lr=args.lr, other_lr=2e-3)
    checkpoint = args.work / "vae-checkpoint.pt"
    step, before = 0, 0.0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        vae.load_state_dict(saved["vae"])
        ema.load_state_dict(saved["ema"])
        optimizer.load_state_dict(saved["optimizer"])
        step, before = saved["step"], saved["seconds"]
    rng = np.random.default_rng([args.seed, rank, step])
    torch.manual_seed(args.seed * 1000 + rank + step)
    params = [p for p in vae.parameters()]
    total = args.minutes * 60
    began, told = time.time(), time.time()
    while True:
        clock = torch.tensor([(time.time() - began + before) / total])
        dist.broadcast(clock, 0)
        progress = clock.item()
        if progress >= 1:
            break
        scale = min(1, (step + 1) / 60) * (0.5 + 0.5 * math.cos(math.pi * min(1, progress))) + 0.003
        for group in optimizer.param_groups:
            group["scale"] = scale
        whole = progress > 0.88
        picks = np.sort(rng.choice(train, 2 if whole else 4, replace=False))
        batch = pictures[picks]
        if not whole:
            corners = rng.integers(0, 9, (4, 2)) * 8
            batch = np.stack([picture[y : y + 64, x : x + 64] for picture, (y, x) in zip(batch, corners)])
        if rng.random() < 0.5:
            batch = batch[:, :, ::-1]
        x = to_tensor(batch).contiguous()
        with autocast(args.bf16):
            loss, mse = loss_of(vae, classifier, x, halve=rng.random() < 0.15)
        optimizer.zero_grad()
        loss.backward()
        average_gradients(params, args.processes)
        torch.nn.utils.clip_grad_norm_(params, 2.0)
        optimizer.step()
        step += 1
        keep = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for a, b in zip(ema.parameters(), params):
                a.lerp_(b, 1 - keep)
        if rank == 0 and (time.time() - told > 60 or step in (50, 300)):
            told = time.time()
            quality = psnr(ema, pictures[train : train + 40])
            print(f"step {step} {time.time() - began + before:.0f} s psnr {quality:.2f} mse {mse.item():.5f}", flush=True)
            state = dict(vae=vae.state_dict(), ema=ema.state_dict(), optimizer=optimizer.state_dict(), step=step, seconds=time.time() - began + before)
            torch.save(state, checkpoint.with_suffix(".tmp"))
            os.replace(checkpoint.with_suffix(".tmp"), checkpoint)
    if rank == 0:
        torch.save(ema.state_dict(), args.work / "vae.pt")
        print(f"done after {step} steps: psnr {psnr(ema, pictures[train : train + 400]):.2f} dB on held-out pictures", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--port", type=int, default=29511)
    args = parser.parse_args()
    torch.multiprocessing.spawn(work, (args,), nprocs=args.processes)


if __name__ == "__main__":
    main()
