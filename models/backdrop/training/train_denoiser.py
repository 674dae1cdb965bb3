"""Trains the text encoders and the transformer together, as a rectified flow on the latents.

First the text encoders alone learn for --text-steps steps to name the attributes of a caption's picture; then
everything learns jointly. Two processes average their gradients and share the work of Muon. Runs for --minutes
by the clock (or to --until, a time of day in UTC); a run that was stopped goes on from its checkpoint.
"""

import argparse
import copy
import datetime
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from data import HELD_OUT, load_labels
from denoiser import TextToLatent
from muon import Muon, split
from train_tokenizer import END
from transformers import CLIPTokenizer


class Batches:
    def __init__(self, work, rng):
        stored = work / "latents.npy"
        self.latents = np.load(stored) if stored.exists() else np.zeros((1 << 20, 1), np.float16)  # text alone needs none
        self.tokens = np.load(work / "tokens.npy")
        self.labels = load_labels(work)
        self.rng = rng
        self.train = len(self.labels) - HELD_OUT

    def take(self, picks, empty, drop):
        texts = self.tokens[picks, self.rng.integers(0, self.tokens.shape[1], len(picks))].astype(np.int64)
        if drop:
            texts[self.rng.random(len(picks)) < drop] = empty
        return torch.from_numpy(self.latents[picks]).float(), torch.from_numpy(texts), torch.from_numpy(self.labels[picks])

    def random(self, count, empty, drop=0.1):
        return self.take(self.rng.integers(0, self.train, count), empty, drop)


def empty_tokens(work):
    tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    return np.array(tokenizer("", padding="max_length", max_length=tokenizer.model_max_length).input_ids), tokenizer.convert_tokens_to_ids(END) + 1


def attribute_loss(logits, labels):
    return sum(F.cross_entropy(out.float(), labels[:, i]) for i, out in enumerate(logits)) / len(logits)


def flow_loss(model, latents, tokens, labels, zero_rows, sigma=None):
    if sigma is None:
        sigma = torch.sigmoid(torch.randn(len(latents)) + 0.2)
        sigma = torch.where(torch.rand(len(latents)) < 0.1, torch.rand(len(latents)), sigma)
    noise = torch.randn_like(latents)
    s = sigma[:, None, None, None]
    velocity, logits = model((1 - s) * latents + s * noise, sigma, tokens, zero_rows)
    return (velocity.float() - (noise - latents)).square().mean(), attribute_loss(logits, labels)


def pretrain_text(model, batches, empty, steps):
    """The text encoders and the attribute heads alone: seconds instead of hours of muddled conditioning."""
    modules = [(name, p) for name, p in model.named_parameters() if not name.startswith("transformer.")]
    optimizer = Muon(*split(modules, ("embedding", "heads")), lr=0.01, other_lr=2e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["scale"] = min(1, (step + 1) / 40) * (1 - 0.9 * step / steps)
        _, tokens, labels = batches.random(128, empty, 0)
        loss = attribute_loss(model.attributes(*model.encode(tokens)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0 or step == steps - 1:
            print(f"text step {step} loss {loss.item():.4f}", flush=True)


class SharedMuon:
    """Averages the gradients of all processes; each updates half of the matrices and tells the other."""

    def __init__(self, model, lr, other_lr, rank, world):
        matrices, others = split(model.named_parameters(), ("embedding", "heads", "pos_embed", "proj_out", "norm1", "norm_out"))
        self.world, self.params = world, [*matrices, *others]
        self.shares, loads = [[] for _ in range(world)], [0] * world
        for p in sorted(matrices, key=torch.numel, reverse=True):
            least = loads.index(min(loads))
            self.shares[least].append(p)
            loads[least] += p.numel() * min(p.size(0), p[0].numel())
        self.optimizer = Muon(self.shares[rank], others, lr=lr, other_lr=other_lr, decay=0.02, dtype=torch.bfloat16)

    def zero(self):
        for p in self.params:
            p.grad = None

    def step(self, scale):
        if self.world > 1:
            flat = torch.cat([p.grad.flatten() for p in self.params]).to(torch.bfloat16)
            dist.all_reduce(flat)
            flat = flat.float().div_(self.world)
            at = 0
            for p in self.params:
                p.grad = flat[at : at + p.numel()].view_as(p)
                at += p.numel()
        torch.nn.utils.clip_grad_norm_(self.params, 1.0)
        for group in self.optimizer.param_groups:
            group["scale"] = scale
        self.optimizer.step()
        if self.world > 1:
            with torch.no_grad():
                for rank, share in enumerate(self.shares):
                    flat = torch.cat([p.flatten() for p in share])
                    dist.broadcast(flat, rank)
                    at = 0
                    for p in share:
                        p.copy_(flat[at : at + p.numel()].view_as(p))
                        at += p.numel()


@torch.no_grad()
def validate(model, batches, empty):
    """Loss on held-out pictures at eight fixed noise levels, with fixed noise."""
    state = torch.get_rng_state()
    torch.manual_seed(0)
    picks = np.arange(batches.train, batches.train + 256)
    latents = torch.from_numpy(batches.latents[picks]).float()
    tokens = torch.from_numpy(batches.tokens[picks, 0].astype(np.int64))
    labels = torch.from_numpy(batches.labels[picks])
    sigma = (torch.arange(256) % 8 + 0.5) / 8
    losses = []
    for i in range(0, 256, 64):
        with torch.autocast("cpu", torch.bfloat16):
            losses.append(flow_loss(model, latents[i : i + 64], tokens[i : i + 64], labels[i : i + 64], 256, sigma[i : i + 64])[0].item())
    torch.set_rng_state(state)
    return float(np.mean(losses))


def work(rank, args):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(args.port))
    if args.processes > 1:
        dist.init_process_group("gloo", rank=rank, world_size=args.processes)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    empty, vocab_size = empty_tokens(args.work)
    batches = Batches(args.work, np.random.default_rng(args.seed))
    model = TextToLatent(vocab_size)
    checkpoint = args.work / "denoiser-checkpoint.pt"
    saved = torch.load(checkpoint, weights_only=True) if checkpoint.exists() else None
    text = args.work / "text-pretrained.pt"
    if saved is None:
        if rank == 0 and not text.exists():
            pretrain_text(model, batches, empty, args.text_steps)
            torch.save(model.state_dict(), text)
        if args.processes > 1:
            dist.barrier()
        model.load_state_dict(torch.load(text, weights_only=True))
    ema = copy.deepcopy(model).requires_grad_(False)
    shared = SharedMuon(model, args.lr, args.other_lr, rank, args.processes)
    step, samples, before = 0, 0, 0.0
    if saved:
        model.load_state_dict(saved["model"])
        ema.load_state_dict(saved["ema"])
        step, samples, before = saved["step"], saved["samples"], saved["seconds"]
        own = args.work / f"denoiser-optimizer-{rank}.pt"
        if own.exists():
            shared.optimizer.load_state_dict(torch.load(own, weights_only=True))
    del saved
    batches.rng = np.random.default_rng([args.seed, rank, step])
    torch.manual_seed(args.seed + 7919 * (rank + 1) + step)
    if args.compile:
        model.transformer.forward = torch.compile(model.transformer.forward)
    params, averages = list(model.parameters()), list(ema.parameters())
    began = told = time.time()
    total = args.minutes * 60
    if args.until:
        hour, minute = map(int, args.until.split(":"))
        now = datetime.datetime.now(datetime.timezone.utc)
        total = before + (now.replace(hour=hour, minute=minute, second=0) - now).total_seconds()
    sums = []
    while True:
        clock = torch.tensor([(time.time() - began + before) / total])
        if args.processes > 1:
            dist.broadcast(clock, 0)
        progress = clock.item()
        if progress >= 1:
            break
        # Constant, then a fall to nothing over the last 45 %.
        scale = min(1, (step + 1) / 100) * min(1, (1 - progress) / 0.45) + 0.001
        zero_rows = 256 if step % 4 else 77
        latents, tokens, labels = batches.random(args.batch, empty)
        with torch.autocast("cpu", torch.bfloat16):
            flow, attributes = flow_loss(model, latents, tokens, labels, zero_rows)
        shared.zero()
        (flow + 0.02 * attributes).backward()
        shared.step(scale)
        step += 1
        samples += args.batch * args.processes
        keep = min(0.999, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(averages, params, 1 - keep)
        sums.append(flow.item())
        if time.time() - told > args.every or step in (20, 100):
            told = time.time()
            if rank == 0:
                elapsed = time.time() - began + before
                print(f"step {step} samples {samples} {elapsed:.0f} s loss {np.mean(sums[-200:]):.4f} validation {validate(ema, batches, empty):.4f} attributes {attributes.item():.3f} lr x{scale:.3f}", flush=True)
                state = dict(model=model.state_dict(), ema=ema.state_dict(), step=step, samples=samples, seconds=elapsed)
                torch.save(state, checkpoint.with_suffix(".tmp"))
                os.replace(checkpoint.with_suffix(".tmp"), checkpoint)
            own = args.work / f"denoiser-optimizer-{rank}.tmp"
            torch.save(shared.optimizer.state_dict(), own)
            os.replace(own, own.with_suffix(".pt"))
    if rank == 0:
        state = dict(model=model.state_dict(), ema=ema.state_dict(), step=step, samples=samples, seconds=time.time() - began + before)
        torch.save(state, args.work / "denoiser.pt")
        print(f"done: {step} steps, {samples} samples, validation {validate(ema, batches, empty):.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--until", help="stop at this time of day (HH:MM, UTC) instead")
    parser.add_argument("--batch", type=int, default=32, help="pictures a step and process")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--other-lr", type=float, default=1e-3)
    parser.add_argument("--text-steps", type=int, default=500)
    parser.add_argument("--text-only", action="store_true", help="stop after the text encoders' own training")
    parser.add_argument("--every", type=float, default=120, help="seconds between checkpoints")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--port", type=int, default=29512)
    args = parser.parse_args()
    if args.text_only:
        torch.manual_seed(args.seed)
        empty, vocab_size = empty_tokens(args.work)
        model = TextToLatent(vocab_size)
        pretrain_text(model, Batches(args.work, np.random.default_rng(args.seed)), empty, args.text_steps)
        torch.save(model.state_dict(), args.work / "text-pretrained.pt")
    elif args.processes > 1:
        torch.multiprocessing.spawn(work, (args,), nprocs=args.processes)
    else:
        work(0, args)


if __name__ == "__main__":
    main()
