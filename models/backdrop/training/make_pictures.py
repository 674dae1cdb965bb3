"""Draws the training pictures and writes their captions.

Writes WORK/pictures.npy (uint8, N x 128 x 128 x 3), WORK/labels.npy (one class index per head) and
WORK/captions.json (a list of captions for every picture). The last --held-out pictures are never trained on.
"""

import argparse
import json
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from captions import captions
from draw import draw
from scene import sample_scene

CHUNK = 500


def make_chunk(job):
    start, count, seed, per_picture = job
    rng = np.random.default_rng([seed, start])
    scenes = [sample_scene(rng) for _ in range(count)]
    pictures = np.stack([draw(scene, rng) for scene in scenes])
    labels = np.array([scene.labels() for scene in scenes], np.int64)
    return start, pictures, labels, [captions(scene, rng, per_picture) for scene in scenes]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--count", type=int, default=34000)
    parser.add_argument("--captions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)

    jobs = [(start, min(CHUNK, args.count - start), args.seed, args.captions) for start in range(0, args.count, CHUNK)]
    pictures = np.lib.format.open_memmap(args.work / "pictures.npy", "w+", np.uint8, (args.count, 128, 128, 3))
    labels = np.zeros((args.count, 10), np.int64)
    texts = [None] * args.count
    with Pool(args.processes) as pool:
        for done, (start, chunk, chunk_labels, chunk_texts) in enumerate(pool.imap_unordered(make_chunk, jobs), 1):
            pictures[start : start + len(chunk)] = chunk
            labels[start : start + len(chunk)] = chunk_labels
            texts[start : start + len(chunk)] = chunk_texts
            if done % 10 == 0:
                print(f"{done * CHUNK} of {args.count}", flush=True)
    pictures.flush()
    np.save(args.work / "labels.npy", labels)
    (args.work / "captions.json").write_text(json.dumps(texts))


if __name__ == "__main__":
    main()
