"""Matrices of the denoiser as eight-bit integers, with one scale for every output channel.

A scale is the one of a few below the widest (greatest value / 127) that leaves the least squared error. Both layers
that stand at the ends, the conditioning on time and text, norms, biases and the position table stay in half precision.
"""

import numpy as np

LEVELS = 127
KEPT = ("pos_embed", "proj_out", "norm_out", "time_text_embed", "context_embedder")  # parts of the names of modules


def is_quantised(name, dims):
    """`name` of the torch parameter, without the transformer's own prefix."""
    return len(dims) == 2 and name.startswith("transformer_blocks.") and not any(part in name for part in KEPT)


def quantise(matrix, output_axis=0):
    """float matrix → int8 of the same shape, float32 scales that broadcast along `output_axis`."""
    inputs = 1 - output_axis
    greatest = np.maximum(np.abs(matrix).max(inputs, keepdims=True), 1e-8) / LEVELS
    best, least = greatest, None
    for share in np.linspace(1, 0.8, 11):
        scale = (greatest * share).astype(np.float32)
        error = np.square(np.clip(np.round(matrix / scale), -LEVELS, LEVELS) * scale - matrix).sum(inputs, keepdims=True)
        better = True if least is None else error < least
        best, least = np.where(better, scale, best), error if least is None else np.minimum(error, least)
    best = best.astype(np.float32)
    return np.clip(np.round(matrix / best), -LEVELS, LEVELS).astype(np.int8), best
