"""Teaches the text encoders that "no sun" and "no moon" say nothing of what else is named: "no sun, stars" are stars.

The captions of training name what is absent in 6 of 100 pictures without a sun or moon, too few for that. Here the
encoders are their own teachers: a caption with such a phrase shall be encoded as the same caption with some neutral
words of equal length in the phrase's place (the words themselves, and every other caption, as before), so that the
denoiser needs to learn nothing. Heads that read the attributes from the encodings say what matters in them. Writes WORK/text-tuned.pt, which export.py --text takes.
"""

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from captions import CLOSINGS, NO_BODY, compose
from from_folder import FOLDER, load_model
from scene import HEADS, sample_scene
from transformers import CLIPTokenizer

NEUTRAL = {1: ["beautiful", "painting", "backdrop", "poster"], 2: ["painted backdrop", "stage backdrop", "stage set", "flat painting"], 3: ["beautiful stage set", "beautiful flat painting"]}
assert all(text.split()[-1] in {word for closing in CLOSINGS for word in closing.split()} for texts in NEUTRAL.values() for text in texts)


def without_body(rng):
    """A caption that names no sun or moon, mostly of stars, and a phrase that might have said so."""
    while True:
        scene = sample_scene(rng)
        if scene.body != "none" or (scene.stars == "none" and rng.random() < 0.9):
            continue
        text, named = compose(scene, rng)
        if "empty" not in named:
            phrases = [phrase for some in NO_BODY.values() for phrase in some]
            return text.rstrip("."), phrases[rng.integers(len(phrases))]


def pair(rng):
    """→ a caption with the phrase, and the same with neutral words."""
    text, phrase = without_body(rng)
    parts = text.split(", ")
    place, count = rng.integers(len(parts) + 1), len(phrase.split())
    starry = [i for i, part in enumerate(parts) if "star" in part]
    if starry and rng.random() < 0.4:  # what it must leave alone stands right behind it
        place = starry[0]
    choices = NEUTRAL[count]

    def put(words):
        return ", ".join([*parts[:place], words, *parts[place:]])

    return put(phrase), put(choices[rng.integers(len(choices))])


def plain_caption(rng):
    """Half of them say something of the stars: "no stars" must stay what it is."""
    wants_stars = rng.random() < 0.5
    while True:
        text, named = compose(sample_scene(rng), rng)
        if "stars" in named or not wants_stars:
            return text


def encode(model, ids):
    context, pooled = model.encode(ids)
    return torch.cat([context, pooled[:, None]], 1)


def features(encoded):
    """Mean of the tokens, and the pooled embedding behind them."""
    return torch.cat([encoded[:, :-1].mean(1), encoded[:, -1]], 1)


def fit_heads(encoded, labels):
    """One linear head for every attribute: → logits of all, each with its place."""
    shown = features(encoded)
    middle, spread = shown.mean(0), shown.std(0) + 1e-4
    heads = [torch.nn.Linear(shown.shape[1], len(choices)) for choices in HEADS.values()]
    optimizer = torch.optim.Adam([p for head in heads for p in head.parameters()], lr=3e-3, weight_decay=1e-3)
    for _ in range(250):
        loss = sum(F.cross_entropy(head((shown - middle) / spread), labels[:, i]) for i, head in enumerate(heads))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for head in heads:
        head.requires_grad_(False)
    return lambda other: [head((features(other) - middle) / spread).log_softmax(1) for head in heads]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--go-on", action="store_true", help="begin with what WORK/text-tuned.pt holds")
    parser.add_argument("--reading", type=float, default=0.1, help="how much what the heads read weighs")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(args.seed)
    tokenizer = CLIPTokenizer.from_pretrained(args.folder / "tokenizer")
    length, end = tokenizer.model_max_length, len(tokenizer) - 1
    student = load_model(args.folder)
    teacher = copy.deepcopy(student).eval().requires_grad_(False)

    def ids_of(texts):
        return torch.tensor(tokenizer(texts, padding="max_length", truncation=True, max_length=length).input_ids)

    def batch(count):
        """→ captions, and those whose encoding they shall have: `count` with the phrase, twice as many without."""
        pairs = []
        while len(pairs) < count:
            said, meant = map(list, ids_of(pair(rng)).tolist())
            if said.index(end) == meant.index(end) and said.index(end) < length - 1:
                pairs.append((said, meant))
        plain = ids_of([plain_caption(rng) for _ in range(2 * count)])
        said, meant = (torch.tensor(side) for side in zip(*pairs))
        return torch.cat([said, plain]), torch.cat([meant, plain])

    if args.go_on:
        for name, state in torch.load(args.work / "text-tuned.pt", weights_only=True).items():
            getattr(student, name).load_state_dict(state)
    encoders = [student.text_encoder, student.text_encoder_2]
    weights = [p for encoder in encoders for name, p in encoder.named_parameters() if "embedding" not in name]
    optimizer = torch.optim.AdamW(weights, lr=args.lr, weight_decay=0)
    scenes = [sample_scene(rng) for _ in range(3000)]
    with torch.no_grad():
        known = torch.cat([encode(teacher, ids_of([compose(scene, rng)[0] for scene in scenes[at : at + 250]])) for at in range(0, len(scenes), 250)])
        spread = known.std(0)
    read = fit_heads(known, torch.tensor([scene.labels() for scene in scenes]))
    # Some values are the same for every caption.
    spread = spread.clamp(min=0.05 * float(spread.mean()))

    def losses(count):
        said, meant = batch(count)
        with torch.no_grad():
            target = encode(teacher, meant)
            own = encode(teacher, said)
        kept = torch.cat([(said == meant), torch.ones(len(said), 1, dtype=torch.bool)], 1)[..., None]
        target, encoded = torch.where(kept, target, own), encode(student, said)
        error = ((encoded - target) / spread).square().mean((1, 2))
        readings = sum(F.kl_div(ours, theirs, log_target=True, reduction="none").sum(1) for ours, theirs in zip(read(encoded), read(target)))
        return [each for part in (slice(count), slice(count, None)) for each in (error[part].mean(), readings[part].mean())]

    began = time.time()
    for step in range(args.steps):
        optimizer.param_groups[0]["lr"] = args.lr * min(1, (step + 1) / 50) * (1 - step / args.steps)
        with_phrase, misread, plain, plain_misread = losses(args.batch)
        optimizer.zero_grad()
        (with_phrase + 4 * plain + args.reading * (misread + 2 * plain_misread)).backward()
        optimizer.step()
        if step % 100 == 0 or step == args.steps - 1:
            errors = f"with the phrase {with_phrase.item():.4f}, read {misread.item():.4f}; without {plain.item():.4f}, {plain_misread.item():.4f}"
            print(f"step {step} {errors} {time.time() - began:.0f} s", flush=True)
    torch.save({name: encoder.state_dict() for name, encoder in (("text_encoder", encoders[0]), ("text_encoder_2", encoders[1]))}, args.work / "text-tuned.pt")


if __name__ == "__main__":
    main()
