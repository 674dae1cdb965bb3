"""Teaches the text encoders that "no sun" and "no moon" say nothing of what else is named: "no sun, stars" are stars.

The captions of training name what is absent in 6 of 100 pictures without a sun or moon, too few for that. Here the
encoders are their own teachers: a caption with such a phrase shall be encoded as the same caption with some neutral
words of equal length in the phrase's place (the words themselves, and every other caption, as before), so that the
denoiser needs to learn nothing. Writes WORK/text-tuned.pt, which export.py --text takes.
"""

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
from captions import CLOSINGS, NO_BODY, compose
from from_folder import FOLDER, load_model
from scene import sample_scene
from transformers import CLIPTokenizer

NEUTRAL = {1: ["beautiful", "painting", "backdrop", "poster"], 2: ["painted backdrop", "stage backdrop", "stage set", "flat painting"], 3: ["beautiful stage set", "beautiful flat painting"]}
assert all(text.split()[-1] in {word for closing in CLOSINGS for word in closing.split()} for texts in NEUTRAL.values() for text in texts)


def without_body(rng):
    """A caption that names no sun or moon, and the phrase that might have said so."""
    while True:
        scene = sample_scene(rng)
        if scene.body != "none" or (scene.stars == "none" and rng.random() < 0.5):
            continue
        text, named = compose(scene, rng)
        if "empty" not in named:
            phrases = NO_BODY["night" if scene.time == "night" else "other"]
            return text.rstrip("."), phrases[rng.integers(len(phrases))]


def pair(rng):
    """→ a caption with the phrase, the same with neutral words, and the phrase's first word and how many it has."""
    text, phrase = without_body(rng)
    parts = text.split(", ")
    place, count = rng.integers(len(parts) + 1), len(phrase.split())
    choices = NEUTRAL[count]

    def put(words):
        return ", ".join([*parts[:place], words, *parts[place:]])

    return put(phrase), put(choices[rng.integers(len(choices))])


def encode(model, ids):
    context, pooled = model.encode(ids)
    return torch.cat([context, pooled[:, None]], 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--lr", type=float, default=1e-3)
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
        """→ captions, and the captions whose encoding they shall have; 1 where a token stands in both."""
        pairs = []
        while len(pairs) < count:
            said, meant = map(list, ids_of(pair(rng)).tolist())
            if said.index(end) == meant.index(end) and said.index(end) < length - 1:
                pairs.append((said, meant))
        plain = ids_of([compose(sample_scene(rng), rng)[0] for _ in range(count)])
        said, meant = (torch.tensor(side) for side in zip(*pairs))
        return torch.cat([said, plain]), torch.cat([meant, plain])

    encoders = [student.text_encoder, student.text_encoder_2]
    weights = [p for encoder in encoders for name, p in encoder.named_parameters() if "embedding" not in name]
    optimizer = torch.optim.AdamW(weights, lr=args.lr, weight_decay=0)
    with torch.no_grad():
        spread = encode(teacher, batch(500)[1]).std(0)
    # Some values are the same for every caption.
    spread = spread.clamp(min=0.05 * float(spread.mean()))

    def losses(count):
        said, meant = batch(count)
        with torch.no_grad():
            target = encode(teacher, meant)
            own = encode(teacher, said)
        kept = torch.cat([(said == meant), torch.ones(len(said), 1, dtype=torch.bool)], 1)[..., None]
        error = ((encode(student, said) - torch.where(kept, target, own)) / spread).square().mean((1, 2))
        return error[:count].mean(), error[count:].mean()

    began = time.time()
    for step in range(args.steps):
        optimizer.param_groups[0]["lr"] = args.lr * min(1, (step + 1) / 50) * (1 - step / args.steps)
        with_phrase, plain = losses(args.batch)
        optimizer.zero_grad()
        (with_phrase + 2 * plain).backward()
        optimizer.step()
        if step % 100 == 0 or step == args.steps - 1:
            print(f"step {step} error with the phrase {with_phrase.item():.4f}, without {plain.item():.4f} {time.time() - began:.0f} s", flush=True)
    torch.save({name: encoder.state_dict() for name, encoder in (("text_encoder", encoders[0]), ("text_encoder_2", encoders[1]))}, args.work / "text-tuned.pt")


if __name__ == "__main__":
    main()
