"""Trains the text encoders and the transformer together, as a rectified flow on the latents of all shapes.

From nothing, the text encoders alone learn for --text-steps steps to name the attributes of a caption's picture; then
everything learns jointly. With --from-folder the model folder's weights go on instead, the text encoders as they are.
Every batch has one shape, drawn by its share in shapes.py. Two processes average their gradients and share the work of
Muon. Runs for --minutes by the clock (or to --until, a time of day in UTC); a run that was stopped goes on from its
checkpoint.
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
from data import load_labels, load_latents, load_tokens
from denoiser import TextToLatent
from muon import Muon, split
from precision import DTYPE, autocast
from scene import HEADS
from shapes import SHAPES, SQUARE, batch_of, held_out, name_of, tokens_of
from train_tokenizer import END
from transformers import CLIPTokenizer

TOLD = [(128, 128), (256, 144), (144, 256), (192, 192), (192, 128)]  # the shapes whose held-out loss is printed


class Batches:
    """Latents, tokens and labels of one shape; without latents for the text encoders' own training.

    `favour`: {attribute: times}. Pictures that show it (a body, stars, a boat: no first class) come so many times as often.
    """

    def __init__(self, work, size, rng, latents=True, favour=None):
        self.latents = load_latents(work, size) if latents else None
        self.tokens = load_tokens(work, size)
        self.labels = load_labels(work, size)
        self.rng = rng
        self.train = len(self.labels) - held_out(len(self.labels))
        weights = np.ones(self.train)
        for name, times in (favour or {}).items():
            weights[self.labels[: self.train, list(HEADS).index(name)] > 0] *= times
        self.shares = weights / weights.sum()

    def random(self, count, empty, drop=0.1):
        picks = self.rng.choice(self.train, count, p=self.shares)
        texts = self.tokens[picks, self.rng.integers(0, self.tokens.shape[1], count)].astype(np.int64)
        if drop:
            texts[self.rng.random(count) < drop] = empty
        latents = None if self.latents is None else torch.from_numpy(self.latents[picks]).float()
        return latents, torch.from_numpy(texts), torch.from_numpy(self.labels[picks])


def empty_tokens(work):
    tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    return np.array(tokenizer("", padding="max_length", max_length=tokenizer.model_max_length).input_ids), tokenizer.convert_tokens_to_ids(END) + 1


def attribute_loss(logits, labels):
    return sum(F.cross_entropy(out.float(), labels[:, i]) for i, out in enumerate(logits)) / len(logits)


def random_sigma(count, tokens, middle):
    """Logit-normal about the middle and a tenth uniform, shifted towards more noise as a picture has more tokens: it hides less in them."""
    sigma = torch.sigmoid(torch.randn(count) + middle)
    sigma = torch.where(torch.rand(count) < 0.1, torch.rand(count), sigma)
    shift = max(1.0, (tokens / tokens_of(SQUARE)) ** 0.5)
    return shift * sigma / (1 + (shift - 1) * sigma)


def flow_loss(model, latents, tokens, labels, zero_rows, sigma):
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
        self.optimizer = Muon(self.shares[rank], others, lr=lr, other_lr=other_lr, decay=0.02, dtype=DTYPE)

    def zero(self):
        for p in self.params:
            p.grad = None

    def step(self, scale):
        if self.world > 1:
            flat = torch.cat([p.grad.flatten() for p in self.params]).to(DTYPE)
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
def validate(model, batches, count=64):
    """Loss on held-out pictures of a shape at eight fixed noise levels, with fixed noise."""
    state = torch.get_rng_state()
    torch.manual_seed(0)
    picks = np.arange(batches.train, min(batches.train + count, len(batches.labels)))
    latents = torch.from_numpy(batches.latents[picks]).float()
    tokens = torch.from_numpy(batches.tokens[picks, 0].astype(np.int64))
    labels = torch.from_numpy(batches.labels[picks])
    sigma = (torch.arange(len(picks)) % 8 + 0.5) / 8
    losses = []
    for i in range(0, len(picks), 32):
        with autocast():
            losses.append(flow_loss(model, latents[i : i + 32], tokens[i : i + 32], labels[i : i + 32], 256, sigma[i : i + 32])[0].item())
    torch.set_rng_state(state)
    return round(float(np.mean(losses)), 4)


def first_weights(args, rank, model, batches, empty):
    """The weights that a run without a checkpoint begins with."""
    if args.from_folder:
        from from_folder import load_model

        return load_model().state_dict()
    text = args.work / "text-pretrained.pt"
    if rank == 0 and not text.exists():
        pretrain_text(model, batches[SQUARE], empty, args.text_steps)
        torch.save(model.state_dict(), text)
    if args.processes > 1:
        dist.barrier()
    return torch.load(text, weights_only=True)


def work(rank, args):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(args.port))
    if args.processes > 1:
        dist.init_process_group("gloo", rank=rank, world_size=args.processes, timeout=datetime.timedelta(hours=2))
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    empty, vocab_size = empty_tokens(args.work)
    rng = np.random.default_rng(args.seed)
    batches = {size: Batches(args.work, size, rng, favour=args.favour) for size in SHAPES}
    model = TextToLatent(vocab_size)
    checkpoint = args.work / "denoiser-checkpoint.pt"
    saved = torch.load(checkpoint, weights_only=True) if checkpoint.exists() else None
    if saved is None:
        model.load_state_dict(first_weights(args, rank, model, batches, empty))
    if args.from_folder:  # the folder has no attribute heads, without which the text encoders would forget the attributes
        for part in (model.text_encoder, model.text_encoder_2, model.heads):
            part.requires_grad_(False)
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
    rng = np.random.default_rng([args.seed, rank, step])
    for of_shape in batches.values():
        of_shape.rng = rng
    torch.manual_seed(args.seed + 7919 * (rank + 1) + step)
    if args.compile:
        model.transformer.forward = torch.compile(model.transformer.forward)
    params, averages = list(model.parameters()), list(ema.parameters())
    sizes, shares = list(SHAPES), np.array([share for _, share in SHAPES.values()])
    began = told = time.time()
    total = args.minutes * 60
    if args.until:
        hour, minute = map(int, args.until.split(":"))
        now = datetime.datetime.now(datetime.timezone.utc)
        total = before + (now.replace(hour=hour, minute=minute, second=0) - now).total_seconds()
    losses = {size: [] for size in sizes}

    def tell(scale):
        lately = " ".join(f"{name_of(size)} {np.mean(losses[size][-40:]):.3f}" for size in TOLD if losses[size])
        held = " ".join(f"{name_of(size)} {validate(ema, batches[size]):.4f}" for size in TOLD)
        elapsed = time.time() - began + before
        print(f"step {step} samples {samples} {elapsed:.0f} s lr x{scale:.3f}; loss {lately}; held out {held}", flush=True)
        return dict(model=model.state_dict(), ema=ema.state_dict(), step=step, samples=samples, seconds=elapsed)

    while True:
        clock = torch.tensor([(time.time() - began + before) / total, float(time.time() - told > args.every or step == 20)])
        if args.processes > 1:
            dist.broadcast(clock, 0)
        progress, tells = clock.tolist()
        if progress >= 1:
            break
        # Constant, then a fall to nothing.
        scale = min(1, (step + 1) / args.warm) * min(1, (1 - progress) / args.fall) + 0.001
        if tells and step:
            told = time.time()
            if rank == 0:
                torch.save(tell(scale), checkpoint.with_suffix(".tmp"))
                os.replace(checkpoint.with_suffix(".tmp"), checkpoint)
            own = args.work / f"denoiser-optimizer-{rank}.tmp"
            torch.save(shared.optimizer.state_dict(), own)
            os.replace(own, own.with_suffix(".pt"))
        zero_rows = 256 if step % 4 else 77
        size = sizes[rng.choice(len(sizes), p=shares / shares.sum())]
        count = batch_of(size, args.batch)
        latents, tokens, labels = batches[size].random(count, empty)
        with autocast():
            flow, attributes = flow_loss(model, latents, tokens, labels, zero_rows, random_sigma(count, tokens_of(size), args.sigma))
        shared.zero()
        (flow if args.from_folder else flow + 0.02 * attributes).backward()
        shared.step(scale)
        step += 1
        samples += count * args.processes
        keep = min(args.keep, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(averages, params, 1 - keep)
        losses[size].append(flow.item())
    if rank == 0:
        torch.save(tell(0), args.work / "denoiser.pt")


def favoured(text):
    name, times = text.split("=")
    if name not in HEADS:
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(HEADS)}")
    return name, float(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--until", help="stop at this time of day (HH:MM, UTC) instead")
    parser.add_argument("--batch", type=int, default=32, help="pictures of 128 x 128 a step and process; of other shapes as many as cost the same")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--other-lr", type=float, default=1e-3)
    parser.add_argument("--fall", type=float, default=0.45, help="the last part of the time, in which the learning rate falls")
    parser.add_argument("--warm", type=int, default=100, help="steps in which the learning rate rises")
    parser.add_argument("--sigma", type=float, default=0.2, help="the middle of the noise levels, as a logit: 0.7 dwells where discs take shape")
    parser.add_argument("--favour", type=favoured, nargs="*", default=[], metavar="ATTRIBUTE=TIMES", help="show pictures that have it so many times as often: body=1.5 stars=2")
    parser.add_argument("--keep", type=float, default=0.998, help="of the average of the weights, a step")
    parser.add_argument("--text-steps", type=int, default=500)
    parser.add_argument("--text-only", action="store_true", help="stop after the text encoders' own training")
    parser.add_argument("--from-folder", action="store_true", help="go on from the weights of the model folder; the text encoders stay")
    parser.add_argument("--every", type=float, default=240, help="seconds between checkpoints")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=False, help="once for every shape: pays off in long runs")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--port", type=int, default=29512)
    args = parser.parse_args()
    args.favour = dict(args.favour)
    if args.text_only:
        torch.manual_seed(args.seed)
        empty, vocab_size = empty_tokens(args.work)
        model = TextToLatent(vocab_size)
        pretrain_text(model, Batches(args.work, SQUARE, np.random.default_rng(args.seed), latents=False), empty, args.text_steps)
        torch.save(model.state_dict(), args.work / "text-pretrained.pt")
    elif args.processes > 1:
        torch.multiprocessing.spawn(work, (args,), nprocs=args.processes)
    else:
        work(0, args)


if __name__ == "__main__":
    main()
