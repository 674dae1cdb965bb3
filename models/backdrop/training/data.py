"""Loads what make_pictures.py wrote."""

import json
from pathlib import Path

import numpy as np
import torch

HELD_OUT = 2000  # the last pictures are never trained on


def load_pictures(work):
    return np.load(Path(work) / "pictures.npy", mmap_mode="r")


def load_labels(work):
    return np.load(Path(work) / "labels.npy")


def load_captions(work):
    return json.loads((Path(work) / "captions.json").read_text())


def to_tensor(pictures):
    """uint8 N x H x W x 3 → float N x 3 x H x W in [-1, 1], channels last."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
