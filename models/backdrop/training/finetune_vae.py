"""Brings the latents near a linear map to colours, and sharpens the decoder on the way.

A trained autoencoder's latents say the mean colour of their 8 x 8 pixels only roughly in a linear way; linear
previews can be no better than that. Here encoder and decoder go on learning together, with one more loss: a linear map
(with bias) from the latents to the pictures averaged down to one pixel a latent, each picture's error measured
against its own variance, so that a dark forest counts as much as a city at noon. The latents are held near what they
were, so that a denoiser trained on them need only go on, not begin again.

Reads WORK/vae-folded.pt, writes it anew. Run encode_latents.py --keep afterwards.
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
from muon import Muon, split
from precision import autocast
from shapes import held_out
from train_classifier import load_classifier
from train_vae import average_gradients, gradients, make_vae, psnr

CROP = 96


def rows_of(z):
    rows = z.permute(0, 2, 3, 1).reshape(-1, z.size(1))
    return torch.cat([rows, torch.ones(len(rows), 1)], 1)


@torch.no_grad()
def fit_linear(vae, pictures):
    """Least squares, 17 x 3, from the encoder's means to the averaged pictures."""
    z, small = [], []
    for start in range(0, len(pictures), 20):
        x = to_tensor(pictures[start : start + 20])
        z.append(rows_of(vae.encoder(x).chunk(2, 1)[0]))
        small.append(F.avg_pool2d(x, 8).permute(0, 2, 3, 1).reshape(-1, 3))
    return torch.linalg.lstsq(torch.cat(z).double(), torch.cat(small).double()).solution.float()


def linear_error(z, linear, x):
    """Each picture's squared error over its variance (and a little, for pictures that are all but flat)."""
    small = F.avg_pool2d(x, 8)
    guess = torch.einsum("nchw,cr->nrhw", z, linear[:-1]) + linear[-1][None, :, None, None]
    error = (guess - small).square().mean((1, 2, 3))
    return error / ((small - small.mean((2, 3), keepdim=True)).square().mean((1, 2, 3)) + 2e-3)


@torch.no_grad()
def linear_r2(vae, pictures, linear):
    errors = []
    for start in range(0, len(pictures), 20):
        x = to_tensor(pictures[start : start + 20])
        small = F.avg_pool2d(x, 8)
        guess = torch.einsum("nchw,cr->nrhw", vae.encoder(x).chunk(2, 1)[0], linear[:-1]) + linear[-1][None, :, None, None]
        left = (guess.clamp(-1, 1) - small).square().sum((1, 2, 3))
        errors.append(1 - left / (small - small.mean((2, 3), keepdim=True)).square().sum((1, 2, 3)))
    return torch.cat(errors).mean().item()


def loss_of(vae, before, linear, classifier, x, halve, args):
    mean, logvar = vae.encoder(x).float().chunk(2, 1)
    with torch.no_grad():
        old_mean, old_logvar = before.encoder(x).float().chunk(2, 1)
    anchor = (mean - old_mean).square().mean() + 0.02 * (logvar - old_logvar).square().mean()
    z = mean + torch.randn_like(mean) * (0.5 * logvar.clamp(-30, 20)).exp() + torch.randn_like(mean) * 0.03
    colours = linear_error(mean, linear, x).mean()
    target = x
    if halve:
        z, target = F.avg_pool2d(z, 2), F.avg_pool2d(x, 2)
    y = vae.decoder(z).float()
    edges = sum((a - b).abs().mean() for a, b in zip(gradients(y), gradients(target)))
    feature = 0.0
    if not halve:
        maps, goals = classifier.features(y)[:3], classifier.features(target)[:3]
        feature = sum((a.float() - b.float()).abs().mean() / (b.float().abs().mean() + 1e-4) for a, b in zip(maps, goals)) / 3
    rebuilt = (y - target).abs().mean() + 0.5 * (y - target).square().mean() + 0.5 * edges + 0.1 * feature
    return rebuilt + args.anchor * anchor + args.linear * colours, colours, anchor


def work(rank, args):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(args.port))
    dist.init_process_group("gloo", rank=rank, world_size=args.processes)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed + rank)
    rng = np.random.default_rng([args.seed, rank])
    pictures = load_pictures(args.work)
    train = len(pictures) - held_out(len(pictures))
    classifier = load_classifier(args.work)
    vae = make_vae()
    vae.load_state_dict(torch.load(args.work / "vae-folded.pt", weights_only=True))
    before = copy.deepcopy(vae).requires_grad_(False)
    average = copy.deepcopy(vae).requires_grad_(False)
    linear = torch.nn.Parameter(fit_linear(vae, pictures[:400]))
    optimizer = Muon(*split(vae.named_parameters()), lr=args.lr, other_lr=1e-3)
    linear_optimizer = torch.optim.Adam([linear], lr=2e-3, betas=(0.9, 0.95))
    params = [*vae.parameters(), linear]
    held = pictures[train : train + 100]
    if rank == 0:
        print(f"before: {psnr(vae, held):.2f} dB, linear R2 {linear_r2(vae, held, linear.detach()):.3f}", flush=True)
    began, told, step, total = time.time(), time.time(), 0, args.minutes * 60
    while True:
        clock = torch.tensor([(time.time() - began) / total])
        dist.broadcast(clock, 0)
        progress = clock.item()
        if progress >= 1:
            break
        scale = min(1, (step + 1) / 60) * (0.5 + 0.5 * math.cos(math.pi * progress)) + 0.003
        for group in [*optimizer.param_groups]:
            group["scale"] = scale
        linear_optimizer.param_groups[0]["lr"] = 2e-3 * scale
        picks = np.sort(rng.choice(train, args.batch, replace=False))
        corners = rng.integers(0, (128 - CROP) // 8 + 1, (args.batch, 2)) * 8
        batch = np.stack([picture[y : y + CROP, x : x + CROP] for picture, (y, x) in zip(pictures[picks], corners)])
        if progress > 0.8:
            batch = pictures[picks[:2]]
        if rng.random() < 0.5:
            batch = batch[:, :, ::-1]
        x = to_tensor(batch).contiguous()
        with autocast():
            loss, colours, anchor = loss_of(vae, before, linear, classifier, x, rng.random() < 0.1, args)
        for p in params:
            p.grad = None
        loss.backward()
        average_gradients(params, args.processes)
        torch.nn.utils.clip_grad_norm_(params, 2.0)
        optimizer.step()
        linear_optimizer.step()
        step += 1
        keep = min(0.997, (step + 1) / (step + 10))
        with torch.no_grad():
            for a, b in zip(average.parameters(), vae.parameters()):
                a.lerp_(b, 1 - keep)
        if rank == 0 and (time.time() - told > 60 or step == 100):
            told = time.time()
            print(f"step {step} {time.time() - began:.0f} s psnr {psnr(average, held[:40]):.2f} colours {colours.item():.3f} anchor {anchor.item():.4f} linear R2 {linear_r2(average, held, fit_linear(average, pictures[:400])):.3f}", flush=True)
            torch.save(average.state_dict(), args.work / "vae-folded-going.pt")
    if rank == 0:
        torch.save(average.state_dict(), args.work / "vae-folded.pt")
        held = pictures[train : train + 400]
        linear = fit_linear(average, pictures[:400])
        print(f"done after {step} steps: {psnr(average, held):.2f} dB, linear R2 {linear_r2(average, held, linear):.3f} on held-out pictures", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--lr", type=float, default=0.008)
    parser.add_argument("--linear", type=float, default=0.1, help="weight of the linear map's error")
    parser.add_argument("--anchor", type=float, default=0.1, help="weight of the latents' distance from what they were")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--port", type=int, default=29514)
    args = parser.parse_args()
    torch.multiprocessing.spawn(work, (args,), nprocs=args.processes)


if __name__ == "__main__":
    main()
