"""Draws the training pictures of every shape and writes their captions.

Writes for every shape WORK/WxH/pictures.npy (uint8, N x H x W x 3), labels.npy (one class index per head) and
captions.json (a list of captions for every picture). The last pictures of every shape are never trained on.
"""

import argparse
import json
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from captions import captions
from data import folder_of
from draw import draw
from scene import sample_scene
from shapes import SHAPES, SQUARE

CHUNK = 100


def make_chunk(job):
    size, start, count, seed, per_picture = job
    rng = np.random.default_rng([seed, *size, start])
    scenes = [sample_scene(rng) for _ in range(count)]
    pictures = np.stack([draw(scene, rng, size) for scene in scenes])
    labels = np.array([scene.labels() for scene in scenes], np.int64)
    return size, start, pictures, labels, [captions(scene, rng, per_picture) for scene in scenes]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--times", type=float, default=1, help="so many times the pictures that shapes.py names")
    parser.add_argument("--square", type=int, help="so many pictures of 128 x 128 instead: the autoencoder wants 34000")
    parser.add_argument("--captions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()

    counts = {size: int(count * args.times) for size, (count, _) in SHAPES.items()}
    if args.square:
        counts[SQUARE] = args.square
    pictures, labels, texts, jobs = {}, {}, {}, []
    for (width, height), count in counts.items():
        size = (width, height)
        folder = folder_of(args.work, size)
        folder.mkdir(parents=True, exist_ok=True)
        pictures[size] = np.lib.format.open_memmap(folder / "pictures.npy", "w+", np.uint8, (count, height, width, 3))
        labels[size], texts[size] = np.zeros((count, 10), np.int64), [None] * count
        jobs += [(size, start, min(CHUNK, count - start), args.seed, args.captions) for start in range(0, count, CHUNK)]
    with Pool(args.processes) as pool:
        for done, (size, start, chunk, chunk_labels, chunk_texts) in enumerate(pool.imap_unordered(make_chunk, jobs), 1):
            part = slice(start, start + len(chunk))
            pictures[size][part], labels[size][part], texts[size][part] = chunk, chunk_labels, chunk_texts
            if done % 20 == 0:
                print(f"{done} of {len(jobs)} parts", flush=True)
    for size in counts:
        pictures[size].flush()
        np.save(folder_of(args.work, size) / "labels.npy", labels[size])
        (folder_of(args.work, size) / "captions.json").write_text(json.dumps(texts[size]))


if __name__ == "__main__":
    main()
