"""Trains the attribute classifier: the judge of evaluate.py and the feature loss of train_vae.py.

It sees the generator's pictures only, a little blurred or noisy at random, never a picture of the model.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from data import HELD_OUT, load_labels, load_pictures, to_tensor
from muon import Muon, split
from scene import HEADS
from torch import nn


class Classifier(nn.Module):
    def __init__(self, widths=(24, 48, 96, 128)):
        super().__init__()
        blocks, last = [], 3
        for width in widths:
            blocks.append(
                nn.Sequential(
                    nn.Conv2d(last, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                    nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                )
            )  # fmt: skip
            last = width
        self.blocks = nn.ModuleList(blocks)
        self.hidden = nn.Linear(last * 16 + last, 192)
        self.heads = nn.ModuleDict({name: nn.Linear(192, len(choices)) for name, choices in HEADS.items()})

    def features(self, x):
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps

    def forward(self, x):
        last = self.features(x)[-1]
        flat = torch.cat([F.adaptive_avg_pool2d(last, 4).flatten(1), last.amax((2, 3))], 1)
        hidden = F.relu(self.hidden(flat))
        return {name: head(hidden) for name, head in self.heads.items()}


def load_classifier(work, name="classifier"):
    model = Classifier()
    model.load_state_dict(torch.load(Path(work) / f"{name}.pt", weights_only=True))
    return model.eval().requires_grad_(False)


@torch.no_grad()
def accuracy(model, pictures, labels):
    right = {name: 0 for name in HEADS}
    for start in range(0, len(pictures), 100):
        batch = to_tensor(pictures[start : start + 100]).contiguous(memory_format=torch.channels_last)
        for i, (name, logits) in enumerate(model(batch).items()):
            right[name] += int((logits.argmax(1).numpy() == labels[start : start + 100, i]).sum())
    return {name: count / len(pictures) for name, count in right.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--name", default="classifier")
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)

    pictures, labels = load_pictures(args.work), load_labels(args.work)
    train = len(pictures) - HELD_OUT
    model = Classifier().to(memory_format=torch.channels_last)
    optimizer = Muon(*split(model.named_parameters(), ("heads",)), lr=0.02, other_lr=2e-3)
    began = time.time()
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["scale"] = min(1, (step + 1) / 50) * min(1, (args.steps - step) / (0.6 * args.steps))
        picks = np.sort(rng.choice(train, args.batch, replace=False))
        x = to_tensor(pictures[picks]).contiguous(memory_format=torch.channels_last)
        if rng.random() < 0.35:
            x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        if rng.random() < 0.35:
            x = x + torch.randn_like(x) * rng.uniform(0.01, 0.06)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(x)
        loss = sum(F.cross_entropy(out.float(), torch.from_numpy(labels[picks, i])) for i, out in enumerate(logits.values()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0 or step == args.steps - 1:
            print(f"step {step} loss {loss.item():.4f} {time.time() - began:.0f} s", flush=True)
    torch.save(model.state_dict(), args.work / f"{args.name}.pt")
    figures = accuracy(model.eval(), pictures[train:], labels[train:])
    (args.work / f"{args.name}.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures), f"{time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
