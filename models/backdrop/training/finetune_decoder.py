"""Sharpens the decoder for the latents as they are: the encoder, and so the denoiser, stay untouched.

Whole pictures. Half of the latents come from WORK/128x128/latents.npy with a little noise; the other half were noised and
restored by the denoiser in one step, so that the decoder learns to straighten what the denoiser leaves uneven.
Rewrites WORK/vae-folded.pt when it ends; a second run goes on from there.
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
from data import load_latents, load_pictures, to_tensor
from denoiser import TextToLatent
from encode_latents import SCALING, SHIFT
from muon import Muon, split
from precision import autocast
from shapes import held_out
from train_classifier import load_classifier
from train_vae import average_gradients, gradients, make_vae, psnr


def work(rank, args):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(args.port))
    if args.processes > 1:
        dist.init_process_group("gloo", rank=rank, world_size=args.processes)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed + rank)
    rng = np.random.default_rng([args.seed, rank])
    pictures = load_pictures(args.work)
    latents = load_latents(args.work)
    train = len(pictures) - held_out(len(pictures))
    classifier = load_classifier(args.work)
    vae = make_vae()
    vae.load_state_dict(torch.load(args.work / "vae-folded.pt", weights_only=True))
    vae.encoder.requires_grad_(False)
    average = copy.deepcopy(vae).requires_grad_(False)
    params = list(vae.decoder.parameters())
    denoiser, tokens = None, np.load(args.work / "tokens.npy", mmap_mode="r")
    if (args.work / args.denoiser).exists():
        denoiser = TextToLatent(int(tokens[0].max()) + 1).eval().requires_grad_(False)
        denoiser.load_state_dict(torch.load(args.work / args.denoiser, weights_only=True)["ema"])
    optimizer = Muon(*split(vae.decoder.named_parameters()), lr=args.lr, other_lr=1e-3)
    if rank == 0:
        print(f"before: {psnr(vae, pictures[train : train + 200]):.2f} dB", flush=True)
    began, step, total = time.time(), 0, args.minutes * 60
    while True:
        clock = torch.tensor([(time.time() - began) / total])
        if args.processes > 1:
            dist.broadcast(clock, 0)
        progress = clock.item()
        if progress >= 1:
            break
        for group in optimizer.param_groups:
            group["scale"] = min(1, (step + 1) / 60) * (0.5 + 0.5 * math.cos(math.pi * progress)) + 0.003
        picks = np.sort(rng.choice(train, args.batch, replace=False))
        x = to_tensor(pictures[picks]).contiguous()
        z = torch.from_numpy(np.ascontiguousarray(latents[picks])).float()
        if denoiser is not None and rng.random() < 0.5:
            sigma = torch.rand(len(z)) * 0.35 + 0.05
            s = sigma[:, None, None, None]
            noised = (1 - s) * z + s * torch.randn_like(z)
            words = torch.from_numpy(tokens[picks, rng.integers(tokens.shape[1])].astype(np.int64))
            with torch.no_grad(), autocast():
                z = noised - s * denoiser(noised, sigma, words, 256)[0].float()
        else:
            z = z + torch.randn_like(z) * 0.03
        with autocast():
            y = vae.decoder(z / SCALING + SHIFT).float()
            maps, goals = classifier.features(y)[:3], classifier.features(x)[:3]
            feature = sum((a.float() - b.float()).abs().mean() / (b.float().abs().mean() + 1e-4) for a, b in zip(maps, goals)) / 3
        edges = sum((a - b).abs().mean() for a, b in zip(gradients(y), gradients(x)))
        loss = (y - x).abs().mean() + 0.5 * (y - x).square().mean() + 0.5 * edges + 0.1 * feature
        optimizer.zero_grad()
        loss.backward()
        if args.processes > 1:
            average_gradients(params, args.processes)
        torch.nn.utils.clip_grad_norm_(params, 2.0)
        optimizer.step()
        step += 1
        keep = min(0.995, (step + 1) / (step + 10))
        with torch.no_grad():
            for a, b in zip(average.decoder.parameters(), params):
                a.lerp_(b, 1 - keep)
        if rank == 0 and step % 200 == 0:
            print(f"step {step} {time.time() - began:.0f} s psnr {psnr(average, pictures[train : train + 40]):.2f}", flush=True)
    if rank == 0:
        torch.save(average.state_dict(), args.work / "vae-folded.pt")
        print(f"done after {step} steps: {psnr(average, pictures[train : train + 400]):.2f} dB on held-out pictures", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--denoiser", default="denoiser.pt")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--lr", type=float, default=0.006)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--port", type=int, default=29513)
    args = parser.parse_args()
    if args.processes > 1:
        torch.multiprocessing.spawn(work, (args,), nprocs=args.processes)
    else:
        work(0, args)


if __name__ == "__main__":
    main()
