"""Where a shape's pictures lie, and loads what make_pictures.py wrote."""

import json
from pathlib import Path

import numpy as np
import torch
from shapes import SQUARE, name_of


def folder_of(work, size=SQUARE):
    return Path(work) / name_of(size)


def load_pictures(work, size=SQUARE):
    return np.load(folder_of(work, size) / "pictures.npy", mmap_mode="r")


def load_labels(work, size=SQUARE):
    return np.load(folder_of(work, size) / "labels.npy")


def load_captions(work, size=SQUARE):
    return json.loads((folder_of(work, size) / "captions.json").read_text())


def load_latents(work, size=SQUARE):
    return np.load(folder_of(work, size) / "latents.npy", mmap_mode="r")


def load_tokens(work, size=SQUARE):
    return np.load(folder_of(work, size) / "tokens.npy")


def to_tensor(pictures):
    """uint8 N x H x W x 3 → float N x 3 x H x W in [-1, 1], channels last."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
