"""Does the model do what it is told, at every shape? Writes the figures as JSON and a grid of pictures for each shape.

For each shape: 100 held-out prompts (or every nth of them: --prompts) judged by the classifier (an attribute counts where the prompt names it) and
counted (suns and moons); 50 suns and moons measured for roundness; 16 clear skies for stripes and bands. The prompts
come from the caption grammar with another seed; none of them occurs among the training captions. The judge's own figures
on the generator's pictures, and the generator's figures on the measures, stand beside the model's.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
import torch.nn.functional as F
from captions import compose
from data import load_captions, load_latents, load_pictures
from draw import Painter, disc_radius
from encode_latents import SCALING, SHIFT
from from_folder import FOLDER, load_vae
from measures import DISCS, SKIES, bands, roundness, stripes
from PIL import Image
from sampling import Sampler
from scene import HEADS, SUBJECTS, TIMES, WEATHERS, Scene, sample_scene
from shapes import SHAPES, held_out, name_of
from train_classifier import load_classifier, look
from train_vae import psnr

JUDGED = [(128, 128), (256, 144), (144, 256), (192, 128), (192, 192)]


def held_out_prompts(known, seed=99):
    """Every subject at every time: clear, mist, rain, snow and one more at random, all three named."""
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


def share_of(right):
    right = [bool(each) for each in right]
    return dict(agree=sum(right), of=len(right), share=round(sum(right) / max(len(right), 1), 4))


def judge(seen, middles, prompts):
    """`seen`: {attribute: class indices}; `middles`: the discs found in each picture."""
    figures, wrong = {}, []

    def is_right(i, name):
        return HEADS[name][seen[name][i]] == getattr(prompts[i][1], name)

    for name in HEADS:
        right = []
        for i, (text, scene, named) in enumerate(prompts):
            if name in ("single", "boat") and scene.subject != {"single": "mountains", "boat": "sea"}[name]:
                continue
            asked = {"body", "position"} if name == "position" else {name}
            if name in ("single", "clouds", "boat") or asked <= named or (name == "body" and scene.body == "none"):
                right.append(is_right(i, name))
                if not right[-1] and name in ("subject", "time", "weather", "body"):
                    wrong.append(dict(prompt=text, attribute=name, meant=getattr(scene, name), seen=HEADS[name][seen[name][i]]))
        figures[name] = share_of(right)
    bodies = [i for i, (_, scene, _) in enumerate(prompts) if scene.body != "none"]
    figures["exactly one sun or moon"] = share_of(len(middles[i]) == 1 for i in bodies)
    empty = {i for i, (_, scene, _) in enumerate(prompts) if scene.body == "none"}
    figures["no sun or moon unasked"] = share_of(not middles[i] and HEADS["body"][seen["body"][i]] == "none" for i in empty)
    figures["nothing unasked"] = share_of(
        (i not in empty or not middles[i])
        and not any(HEADS[name][seen[name][i]] == "yes" and getattr(scene, name) == "no" for name in ("clouds", "boat"))
        for i, (_, scene, _) in enumerate(prompts)
    )
    return figures, wrong


def discs_of(pictures, middles, size):
    """Roundness of the most lively disc of each picture; a picture without one counts as not round."""
    found = []
    for picture, seen in zip(pictures, middles):
        ratios = [roundness(picture, middle, disc_radius(size)) for middle in seen]
        found.append(max([ratio for ratio in ratios if ratio is not None], default=0.0))
    return dict(
        of=len(found), share_round=round(float(np.mean(np.array(found) >= 0.9)), 4), median=round(float(np.median(found)), 4),
        exactly_one=round(float(np.mean([len(seen) == 1 for seen in middles])), 4),
    )  # fmt: skip


def skies_of(pictures):
    return dict(of=len(pictures), stripes=round(float(np.mean([stripes(p) for p in pictures])), 3), bands=round(float(np.mean([bands(p) for p in pictures])), 3))


def measure_generator(classifier, size):
    """The measures' own proof: what they say of pictures that are right."""
    rng = np.random.default_rng([7, *size])

    def draw(i, body, time):
        subject = SUBJECTS[i % 5] if body != "none" else ("sea", "dunes")[i % 2]
        where = "none" if body == "none" else ("left", "centre", "right")[i % 3]
        return Painter(Scene(subject, time, "clear", "none", body, where, "none", "no", "no", "no"), rng, size).paint()

    discs = np.stack([draw(i, *(("full moon", "night") if i % 2 else ("sun", "dusk"))) for i in range(50)])
    skies = np.stack([draw(i, "none", TIMES[i // 2 % 4]) for i in range(16)])
    return dict(discs=discs_of(discs, look(classifier, discs)[1], size), skies=skies_of(skies))


@torch.no_grad()
def previews_of(work, folder, vae, size, count=20):
    """R² of both previews of held-out latents against the pictures that the autoencoder makes of them: the last step's."""
    latents = torch.from_numpy(load_latents(work, size)[-count:].astype(np.float32))
    pictures = vae.decoder(latents / SCALING + SHIFT).clamp(-1, 1)
    preview = json.loads((folder / "preview.json").read_text())
    linear = torch.einsum("nchw,cr->nrhw", latents, torch.tensor(preview["factors"])) + torch.tensor(preview["bias"])[:, None, None]
    decoder = ort.InferenceSession(str(folder / "preview_decoder" / "model.onnx"))
    decoded = torch.from_numpy(decoder.run(None, {"latent_sample": latents.numpy()})[0])

    def r_squared(guess, truth):
        error, spread = (guess.clamp(-1, 1) - truth).square().sum((1, 2, 3)), (truth - truth.mean((2, 3), keepdim=True)).square().sum((1, 2, 3))
        return round(float((1 - error / spread).mean()), 4)

    return dict(latent2rgb=r_squared(linear, F.avg_pool2d(pictures, 8)), taesd=r_squared(decoded, pictures))


def grid(pictures, columns=10, gap=4):
    height, width = pictures.shape[1:3]
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        sheet[y : y + height, x : x + width] = picture
    return Image.fromarray(sheet)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--out", type=Path, default=FOLDER / "evaluation.json")
    parser.add_argument("--grids", type=Path, help="a folder for the grids of all shapes; default: WORK/grids")
    parser.add_argument("--card", type=Path, help="also write the grid of 128 x 128 here, for the model card")
    parser.add_argument("--shapes", nargs="*", help="these alone; the figures of the others in --out stay as they are")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--discs", type=int, default=50)
    parser.add_argument("--skies", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    grids = args.grids or args.work / "grids"
    grids.mkdir(parents=True, exist_ok=True)

    known = {text for size in SHAPES for group in load_captions(args.work, size) for text in group}
    prompts = held_out_prompts(known)
    prompts = [prompts[i * len(prompts) // args.prompts] for i in range(args.prompts)]
    sampler, classifier = Sampler(args.folder), load_classifier(args.work)
    by_shape = json.loads(args.out.read_text())["shapes"] if args.shapes and args.out.exists() else {}
    for size in [size for size in JUDGED if not args.shapes or name_of(size) in args.shapes]:
        name = name_of(size)

        def draw(texts, first):
            return sampler.draw(texts, [args.seed + first + i for i in range(len(texts))], size, args.steps, args.guidance)

        pictures = draw([text for text, _, _ in prompts], 0)
        seen, middles = look(classifier, pictures)
        agreement, wrong = judge(seen, middles, prompts)
        moons = draw((DISCS * 2)[: args.discs], 1000)
        skies = draw((SKIES * 2)[: args.skies], 2000)
        by_shape[name] = dict(
            prompts=len(prompts), agreement=agreement, missed=wrong, discs=discs_of(moons, look(classifier, moons)[1], size), skies=skies_of(skies),
            generator=measure_generator(classifier, size), previews=previews_of(args.work, args.folder, sampler.vae, size),
        )  # fmt: skip
        for kind, drawn in (("prompts", pictures), ("discs", moons), ("skies", skies)):
            grid(drawn).save(grids / f"{name}-{kind}.png")
        print(name, {key: figure["share"] for key, figure in agreement.items()}, by_shape[name]["discs"], by_shape[name]["skies"], flush=True)
        if args.card and size == JUDGED[0]:
            grid(pictures).save(args.card, quality=80, method=6)

    real = load_pictures(args.work)
    report = dict(
        settings=dict(steps=args.steps, guidance=args.guidance, shift=sampler.shift, seed=args.seed),
        shapes=by_shape, judge_on_the_generators_pictures=json.loads((args.work / "classifier.json").read_text()),
        vae=dict(psnr_db=round(psnr(load_vae(args.folder), real[-held_out(len(real)) :]), 2)),
    )  # fmt: skip
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {args.out}; autoencoder {report['vae']['psnr_db']} dB")


if __name__ == "__main__":
    main()
