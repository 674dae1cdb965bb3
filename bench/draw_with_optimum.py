"""Draws the same pictures as bench/optimum.ts asks of pregen, with optimum-onnx, and prints what it took as JSON."""

import argparse
import json
import time

from PIL import Image  # noqa: F401  (its import is not part of the measurement)
import torch
from optimum.onnxruntime import ORTStableDiffusion3Pipeline

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--model", required=True)
parser.add_argument("--size", type=int, required=True)
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--pictures", type=int, required=True)
parser.add_argument("--out", required=True)
args = parser.parse_args()

started = time.perf_counter()
pipeline = ORTStableDiffusion3Pipeline.from_pretrained(
    args.model, text_encoder_3=None, tokenizer_3=None
)
pipeline.set_progress_bar_config(disable=True)
loaded = time.perf_counter()
for seed in range(args.pictures):
    image = pipeline(
        "misty mountains at dawn",
        num_inference_steps=args.steps,
        guidance_scale=3.0,
        width=args.size,
        height=args.size,
        generator=torch.Generator("cpu").manual_seed(seed),
    ).images[0]
    image.save(f"{args.out}/{seed}.png")
drawn = time.perf_counter()
print(json.dumps({"loadMs": (loaded - started) * 1000, "drawMs": (drawn - loaded) * 1000}))
