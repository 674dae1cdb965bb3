"""Time of a denoiser's call in onnxruntime's own Python, for comparison with pregen's steps on the same file and card.

    python ort_steps.py MODEL_FOLDER PROVIDER [--calls 20] [--latent 64]
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy
import onnxruntime

TYPES = {"tensor(float16)": numpy.float16, "tensor(float)": numpy.float32, "tensor(int64)": numpy.int64}


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
    feeds = {}
    for value in session.get_inputs():
        # Negative and positive half, square latents, 77 tokens of text.
        free = iter([2, args.latent, args.latent] if value.name in ("sample", "hidden_states") else [2, 77])
        dims = [dim if isinstance(dim, int) else next(free, 1) for dim in value.shape]
        feeds[value.name] = numpy.ones(dims, TYPES.get(value.type, numpy.float32))
    durations = []
    for _ in range(args.calls + 2):
        before = time.perf_counter()
        session.run(None, feeds)
        durations.append(1000 * (time.perf_counter() - before))
    print(f"{args.model.name}: {statistics.median(durations[2:]):.1f} ms a call, the first {durations[0]:.0f} ms")


main()
