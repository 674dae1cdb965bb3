"""Renders the golden pictures: ten prompts through optimum's ORTStableDiffusion3Pipeline on the exported folder.

One thread, a torch CPU generator for every seed. Writes NN.png and goldens.json (the settings of each) to --out.
"""

import argparse
import json
from pathlib import Path

import torch
import onnxruntime as ort
from optimum.onnxruntime import ORTStableDiffusion3Pipeline

GOLDENS = [
    dict(prompt="misty mountains at dawn", seed=7, width=128, height=128, steps=20, guidance_scale=4.5, negative_prompt="city"),
    dict(prompt="one mountain at dawn", seed=8, width=128, height=128, steps=20, guidance_scale=3.0),
    dict(prompt="sea at night", seed=1, width=128, height=128, steps=20, guidance_scale=4.5),
    dict(prompt="a forest, sunlit, painted backdrop", seed=3, width=128, height=128, steps=28, guidance_scale=4.5),
    dict(prompt="a forest, moonlit, painted backdrop", seed=4, width=128, height=128, steps=28, guidance_scale=2.5),
    dict(prompt="city skyline at dusk", seed=42, width=192, height=128, steps=20, guidance_scale=3.0),
    dict(prompt="dunes at noon", seed=2147483647, width=128, height=128, steps=12, guidance_scale=3.0, negative_prompt="rain, clouds"),
    dict(prompt="snow over the mountains at night, full moon", seed=4294967295, width=256, height=144, steps=20, guidance_scale=3.0),
    dict(prompt="Red sunset over the sea, the sun on the left, a sailboat!", seed=0, width=96, height=144, steps=8, guidance_scale=1.0),
    dict(prompt="", seed=12345, width=64, height=64, steps=4, guidance_scale=2.0, negative_prompt=""),
]


def load_pipeline(folder):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    pipeline = ORTStableDiffusion3Pipeline.from_pretrained(folder, text_encoder_3=None, tokenizer_3=None, session_options=options)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def main():
    here = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=here)
    parser.add_argument("--out", type=Path, default=here.parent.parent / "test" / "fixtures" / "backdrop-goldens")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    pipeline = load_pipeline(args.folder)
    records = []
    for number, golden in enumerate(GOLDENS, 1):
        picture = pipeline(
            golden["prompt"], negative_prompt=golden.get("negative_prompt"), num_inference_steps=golden["steps"],
            guidance_scale=golden["guidance_scale"], width=golden["width"], height=golden["height"],
            generator=torch.Generator("cpu").manual_seed(golden["seed"]),
        ).images[0]  # fmt: skip
        name = f"{number:02}.png"
        picture.save(args.out / name)
        records.append({"file": name, **golden})
    note = "Made by models/backdrop/training/make_goldens.py with optimum's ORTStableDiffusion3Pipeline, one thread."
    (args.out / "goldens.json").write_text(json.dumps({"about": note, "goldens": records}, indent=2) + "\n")
    print(f"{len(records)} goldens")


if __name__ == "__main__":
    main()
