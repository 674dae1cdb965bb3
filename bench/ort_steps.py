"""Time of a denoiser's call in onnxruntime's own Python, for comparison with pregen's steps on the same file and card.

    python ort_steps.py MODEL_FOLDER PROVIDER [--calls 20] [--latent 64]
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy
import onnxruntime

TYPES = {"tensor(float16)": numpy.float16, "tensor(float)": numpy.float32, "tensor(int64)": numpy.int64}

# Sizes of what an export leaves free, in their order; None: two pictures of latents.
FREE = {"sample": None, "hidden_states": None, "timestep": [2], "text_embeds": [2], "time_ids": [2, 6]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("provider")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--latent", type=int, default=64)
    args = parser.parse_args()
    names = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
    path = next(p for name in ("unet", "transformer") if (p := args.model / name / "model.onnx").exists())
    session = onnxruntime.InferenceSession(str(path), providers=[names[args.provider]])
    if session.get_providers()[0] != names[args.provider]:
        raise SystemExit(f"onnxruntime took {session.get_providers()}")
    feeds = {}
    for value in session.get_inputs():
        # Negative and positive half, square latents, 77 tokens of text.
        given = FREE.get(value.name, [2, 77])
        free = iter(given or [2, args.latent, args.latent])
        dims = [dim if isinstance(dim, int) else next(free, 1) for dim in value.shape]
        feeds[value.name] = numpy.ones(dims, TYPES.get(value.type, numpy.float32))
    durations = []
    for _ in range(args.calls + 2):
        before = time.perf_counter()
        session.run(None, feeds)
        durations.append(1000 * (time.perf_counter() - before))
    figures = {"callMs": round(statistics.median(durations[2:]), 1), "firstMs": round(durations[0])}
    print(json.dumps({**figures, "onnxruntime": onnxruntime.__version__, "providers": session.get_providers()}))


main()
