"""Trains the attribute classifier: the judge of evaluate.py and the feature loss of train_vae.py.

It sees the generator's pictures of all shapes only, cut, a little blurred or noisy at random, never a picture of the
model. Beside the attributes it marks where a sun or moon stands, so that they can be counted: in some of its pictures
there are two, which is what a model does wrong and the generator never does.
"""

import argparse
import json
import time
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from data import to_tensor
from draw import Painter
from muon import Muon, split
from precision import autocast
from scene import HEADS, POSITIONS, TIMES, WEATHERS, sample_scene
from shapes import SHAPES, batch_of, name_of
from torch import nn

CELL = 8  # pixels a side of a cell of the map of discs
HEAVY = 8.0  # how much heavier a cell of a disc weighs in the loss than one without: sigmoid 8/9 is an even guess
SURE = 0.98  # a disc's surest cell lies above this (6 to 1), flakes and lit windows below: right for 99.9 % of the generator's pictures, as from 0.97 to 0.99
JUDGED = [size for size in SHAPES if min(size) >= 96]


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
        self.discs = nn.Sequential(nn.Conv2d(widths[2] + widths[3], 48, 1), nn.ReLU(), nn.Conv2d(48, 1, 1))
        self.hidden = nn.Linear(last * 16 + last, 192)
        self.heads = nn.ModuleDict({name: nn.Linear(192, len(choices)) for name, choices in HEADS.items()})

    def features(self, x):
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps

    def forward(self, x):
        """→ {attribute: logits}, and the logits of a disc's middle in every cell."""
        *_, near, last = self.features(x)
        flat = torch.cat([F.adaptive_avg_pool2d(last, 4).flatten(1), last.amax((2, 3))], 1)
        hidden = F.relu(self.hidden(flat))
        discs = self.discs(torch.cat([near, F.interpolate(last, size=near.shape[2:])], 1))
        return {name: head(hidden) for name, head in self.heads.items()}, discs[:, 0]


def load_classifier(work, name="classifier"):
    model = Classifier()
    model.load_state_dict(torch.load(Path(work) / f"{name}.pt", weights_only=True))
    return model.eval().requires_grad_(False)


def disc_map(bodies, size, at=(0, 0)):
    """1 in the cells around the middle of each disc; `at`: the picture's corner where it was cut."""
    width, height = size
    y, x = np.mgrid[0 : height // CELL, 0 : width // CELL] * CELL + (CELL - 1) / 2
    found = np.zeros(y.shape, np.float32)
    for body_x, body_y, _ in bodies:
        found[np.maximum(np.abs(x + at[0] - body_x), np.abs(y + at[1] - body_y)) <= CELL] = 1
    return found


def draw_some(job):
    """Pictures of one shape, their labels and where their discs stand; of some with a disc a second one."""
    size, count, seed, doubled = job
    rng = np.random.default_rng([seed, *size])
    pictures, labels, bodies = [], [], []
    for _ in range(count):
        scene = sample_scene(rng)
        painter = Painter(scene, rng, size)
        second = None
        if scene.body != "none" and rng.random() < doubled:
            second = rng.choice([where for where in POSITIONS[1:] if where != scene.position])
        pictures.append(painter.paint(second))
        labels.append(scene.labels())
        bodies.append(painter.bodies)
    return size, np.stack(pictures), np.array(labels), bodies


def count_discs(logits):
    """Maps of discs → how many there are in each picture, and where their middles are in pixels."""
    from scipy import ndimage

    found = []
    for picture in logits.sigmoid().numpy():
        marked, count = ndimage.label(picture > 0.5, structure=np.ones((3, 3)))
        sure = [disc for disc in range(1, count + 1) if picture[marked == disc].max() > SURE]
        middles = ndimage.center_of_mass(picture, marked, sure)
        found.append([((x + 0.5) * CELL - 0.5, (y + 0.5) * CELL - 0.5) for y, x in middles])
    return found


@torch.no_grad()
def look(model, pictures):
    """→ {attribute: class indices}, and the middles of the discs of every picture."""
    guesses, middles = {name: [] for name in HEADS}, []
    for start in range(0, len(pictures), 50):
        logits, discs = model(to_tensor(pictures[start : start + 50]).contiguous(memory_format=torch.channels_last))
        middles += count_discs(discs)
        for name, out in logits.items():
            guesses[name].append(out.argmax(1).numpy())
    return {name: np.concatenate(parts) for name, parts in guesses.items()}, middles


def accuracy(model, pictures, labels, bodies):
    """How often it is right about the generator's own pictures: the proof of the judge."""
    guesses, middles = look(model, pictures)
    figures = {name: round(float((guesses[name] == labels[:, i]).mean()), 4) for i, name in enumerate(HEADS)}
    counted = [len(seen) == len(there) for seen, there in zip(middles, bodies)]
    figures["count of discs"] = round(float(np.mean(counted)), 4)
    two = [right for right, there in zip(counted, bodies) if len(there) == 2]
    figures["count of two discs"] = round(float(np.mean(two)), 4) if two else None
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--name", default="classifier")
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--pictures", type=int, default=9000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--go-on", action="store_true", help="begin with the weights that are there")
    parser.add_argument("--night", type=float, default=1, help="show pictures of the night so many times as often, and those with rain or snow as many times again: stars are hard to tell there")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)

    shares = np.array([SHAPES[size][1] for size in JUDGED])
    shares /= shares.sum()
    counts = [max(60, int(args.pictures * share)) for share in shares]
    with Pool(args.threads) as pool:
        jobs = [(size, count, args.seed, 0.2) for size, count in zip(JUDGED, counts)]
        drawn = {size: rest for size, *rest in pool.map(draw_some, jobs, chunksize=1)}
        proof = pool.map(draw_some, [(size, 300, args.seed + 1000, 0.2) for size in JUDGED[:5]], chunksize=1)
    model = Classifier().to(memory_format=torch.channels_last)
    if args.go_on:
        model.load_state_dict(torch.load(args.work / f"{args.name}.pt", weights_only=True))
    optimizer = Muon(*split(model.named_parameters(), ("heads", "discs")), lr=args.lr, other_lr=args.lr / 10)

    def hardness(labels):
        time, weather = (labels[:, list(HEADS).index(name)] for name in ("time", "weather"))
        wet = np.isin(weather, [WEATHERS.index("rain"), WEATHERS.index("snow")])
        return np.where(time == TIMES.index("night"), args.night ** (1.0 + wet), 1.0)

    often = {size: hardness(labels) for size, (_, labels, _) in drawn.items()}
    began = time.time()
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["scale"] = min(1, (step + 1) / 50) * min(1, (args.steps - step) / (0.6 * args.steps))
        size = JUDGED[rng.choice(len(JUDGED), p=shares)]
        pictures, labels, bodies = drawn[size]
        picks = rng.choice(len(pictures), min(batch_of(size, args.batch), len(pictures)), replace=False, p=often[size] / often[size].sum())
        at, shown = (0, 0), size
        if rng.random() < 0.5:  # cut, so that a disc may stand anywhere
            at = (int(rng.integers(0, 17)), int(rng.integers(0, 17)))
            shown = (size[0] - 16, size[1] - 16)
        x = to_tensor(pictures[picks, at[1] : at[1] + shown[1], at[0] : at[0] + shown[0]]).contiguous(memory_format=torch.channels_last)
        if rng.random() < 0.35:
            x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        if rng.random() < 0.35:
            x = x + torch.randn_like(x) * rng.uniform(0.01, 0.06)
        maps = torch.from_numpy(np.stack([disc_map(bodies[i], shown, at) for i in picks]))
        with autocast():
            logits, discs = model(x)
        loss = sum(F.cross_entropy(out.float(), torch.from_numpy(labels[picks, i])) for i, out in enumerate(logits.values()))
        loss = loss + 4 * F.binary_cross_entropy_with_logits(discs.float(), maps, pos_weight=torch.tensor(HEAVY))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0 or step == args.steps - 1:
            print(f"step {step} loss {loss.item():.4f} {time.time() - began:.0f} s", flush=True)
    torch.save(model.state_dict(), args.work / f"{args.name}.pt")
    model.eval()
    figures = {name_of(size): accuracy(model, *rest) for size, *rest in proof}
    (args.work / f"{args.name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    for name, figure in figures.items():
        print(name, json.dumps(figure))


if __name__ == "__main__":
    main()
