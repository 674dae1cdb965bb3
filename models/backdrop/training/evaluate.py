"""Does the model do what it is told? 100 held-out prompts through the exported folder, judged by the classifier.

The prompts come from the caption grammar with another seed; none of them occurs among the training captions.
An attribute counts where the prompt names it. Writes the figures as JSON and a 10 x 10 grid as PNG.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from captions import compose
from data import HELD_OUT, load_captions, load_pictures, to_tensor
from encode_latents import SCALING, SHIFT
from optimum.onnxruntime import ORTStableDiffusion3Pipeline
from PIL import Image
from scene import HEADS, SUBJECTS, TIMES, WEATHERS, sample_scene
from train_classifier import load_classifier
from train_vae import make_vae, psnr


def held_out_prompts(work, seed=99):
    """Every subject at every time: clear, mist, rain, snow and one more at random, all three named."""
    known = {text for group in load_captions(work) for text in group}
    rng = np.random.default_rng(seed)
    prompts = []
    for subject in SUBJECTS:
        for time in TIMES:
            for weather in [*WEATHERS, None]:
                while True:
                    scene = sample_scene(rng)
                    if scene.subject != subject or scene.time != time or (weather and scene.weather != weather):
                        continue
                    text, named = compose(scene, rng)
                    if {"subject", "time", "weather"} <= named and text not in known:
                        break
                prompts.append((text, scene, named))
    return prompts


def load_pipeline(folder, shift=None, threads=2):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    pipeline = ORTStableDiffusion3Pipeline.from_pretrained(folder, text_encoder_3=None, tokenizer_3=None, session_options=options)
    if shift is not None:
        pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, shift=shift)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate(pipeline, texts, seeds, steps, guidance, size=(128, 128), batch=10, **more):
    pictures = []
    for start in range(0, len(texts), batch):
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds[start : start + batch]]
        out = pipeline(
            texts[start : start + batch], num_inference_steps=steps, guidance_scale=guidance, width=size[0], height=size[1],
            generator=generators, output_type="np", **more,
        ).images  # fmt: skip
        pictures.append((out * 255).round().astype(np.uint8))
    return np.concatenate(pictures)


@torch.no_grad()
def judge(classifier, pictures, prompts):
    guesses = {name: out.argmax(1).numpy() for name, out in classifier(to_tensor(pictures)).items()}
    figures, wrong = {}, []
    for name, choices in HEADS.items():
        right = count = 0
        for i, (text, scene, named) in enumerate(prompts):
            asked = {"body", "position"} if name == "position" else {name}
            if name in ("single", "boat") and scene.subject != {"single": "mountains", "boat": "sea"}[name]:
                continue
            if name in ("single", "clouds", "boat") or asked <= named or (name == "body" and scene.body == "none"):
                count += 1
                seen, meant = choices[guesses[name][i]], getattr(scene, name)
                if seen == meant:
                    right += 1
                elif name in ("subject", "time", "weather", "body"):
                    wrong.append(dict(prompt=text, attribute=name, meant=meant, seen=seen))
        figures[name] = dict(agree=right, of=count, share=round(right / max(count, 1), 4))
    none_asked = [i for i, (_, scene, _) in enumerate(prompts) if scene.body == "none"]
    empty = sum(HEADS["body"][guesses["body"][i]] == "none" for i in none_asked)
    figures["no body unasked"] = dict(agree=empty, of=len(none_asked), share=round(empty / max(len(none_asked), 1), 4))
    return figures, wrong


def grid(pictures, columns=10, gap=4):
    height, width = pictures.shape[1:3]
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        sheet[y : y + height, x : x + width] = picture
    return Image.fromarray(sheet)


def main():
    here = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--folder", type=Path, default=here)
    parser.add_argument("--out", type=Path, default=here / "evaluation.json")
    parser.add_argument("--grid", type=Path, default=here.parent.parent / "docs" / "images" / "backdrop-grid.png")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--shift", type=float, help="default: the folder's own")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--brief", action="store_true", help="print the agreement only, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(2)

    prompts = held_out_prompts(args.work)
    pipeline = load_pipeline(args.folder, args.shift)
    pictures = generate(pipeline, [text for text, _, _ in prompts], [args.seed + i for i in range(len(prompts))], args.steps, args.guidance)
    classifier = load_classifier(args.work)
    agreement, wrong = judge(classifier, pictures, prompts)
    for name, figure in agreement.items():
        print(f"{name:16} {figure['agree']:3} of {figure['of']:3}  {figure['share']:.3f}")
    for miss in wrong:
        print("  missed:", miss)
    if args.brief:
        return
    real = load_pictures(args.work)[-HELD_OUT:]
    vae = make_vae().eval().requires_grad_(False)
    vae.load_state_dict(torch.load(args.work / "vae-folded.pt", weights_only=True))
    report = dict(
        settings=dict(steps=args.steps, guidance=args.guidance, shift=args.shift or pipeline.scheduler.config.shift, width=128, height=128),
        prompts=len(prompts), agreement=agreement, missed=wrong,
        classifier_on_held_out_pictures=json.loads((args.work / "classifier.json").read_text()),
        vae=dict(psnr_db=round(psnr(vae, real[:200]), 2), scaling_factor=SCALING, shift_factor=SHIFT),
    )  # fmt: skip
    args.out.write_text(json.dumps(report, indent=2) + "\n")
    args.grid.parent.mkdir(parents=True, exist_ok=True)
    grid(pictures).quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(args.grid, optimize=True)
    print(f"wrote {args.out.name} and {args.grid.name}; autoencoder {report['vae']['psnr_db']} dB")


if __name__ == "__main__":
    main()
