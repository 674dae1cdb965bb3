"""Learns the byte pair encoding from the captions and writes it in CLIP's files.

Writes WORK/tokenizer/ (vocab.json, merges.txt and the two config files): 512 byte tokens, the learned merges,
then start and end of text, which is the highest id. Then writes the tokens of every shape's captions to WORK/WxH/tokens.npy.
"""

import argparse
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
from data import folder_of, load_captions
from shapes import SHAPES
from transformers import CLIPTokenizer
from transformers.models.clip.tokenization_clip import bytes_to_unicode

START, END = "<|startoftext|>", "<|endoftext|>"


def learn_merges(words, count):
    """words: {tuple of symbols: frequency} → the `count` most frequent pairs, merged one after another."""
    merges = []
    while len(merges) < count:
        pairs = Counter()
        for symbols, frequency in words.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += frequency
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        merged = {}
        for symbols, frequency in words.items():
            out, i = [], 0
            while i < len(symbols):
                if symbols[i : i + 2] == best:
                    out.append(symbols[i] + symbols[i + 1])
                    i += 2
                else:
                    out.append(symbols[i])
                    i += 1
            merged[tuple(out)] = merged.get(tuple(out), 0) + frequency
        words = merged
    return merges


def write(folder, vocab, merges, max_length):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n")
    token = dict(lstrip=False, normalized=True, rstrip=False, single_word=False)
    special = dict(bos_token=START, eos_token=END, pad_token=END, unk_token=END)
    (folder / "special_tokens_map.json").write_text(json.dumps({key: {"content": value, **token} for key, value in special.items()}, indent=2) + "\n")
    added = {str(vocab[text]): {"content": text, **token, "special": True} for text in (START, END)}
    config = dict(
        added_tokens_decoder=added, **special, clean_up_tokenization_spaces=False, errors="replace",
        extra_special_tokens={}, model_max_length=max_length, tokenizer_class="CLIPTokenizer",
    )  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def learn(work, texts, size, max_length):
    counts = Counter(word for group in texts for text in group for word in re.findall(r"[a-z]+|[0-9]|[^\sa-z0-9]+", text.lower()))
    letters = bytes_to_unicode()
    words = {}
    for word, frequency in counts.items():
        symbols = [letters[b] for b in word.encode()]
        symbols[-1] += "</w>"
        # Rare words count as much as common ones nearly: every word of the grammar should be one token.
        words[tuple(symbols)] = int(100 * np.sqrt(frequency)) + 1
    alphabet = list(letters.values())
    merges = learn_merges(words, size - 2 * len(alphabet) - 2)
    tokens = alphabet + [letter + "</w>" for letter in alphabet] + ["".join(pair) for pair in merges] + [START, END]
    vocab = {token: i for i, token in enumerate(tokens)}
    assert len(vocab) == size, (len(vocab), size)
    write(work / "tokenizer", vocab, merges, max_length)
    tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    single = sum(len(tokenizer.tokenize(word)) == 1 for word in counts)
    print(f"{len(counts)} words, {single} of them one token")


def tokenise(tokenizer, texts):
    """→ int16, pictures x captions x length."""
    flat, length = [text for group in texts for text in group], tokenizer.model_max_length
    ids = np.zeros((len(flat), length), np.int16)
    for start in range(0, len(flat), 4000):
        part = flat[start : start + 4000]
        ids[start : start + len(part)] = tokenizer(part, padding="max_length", truncation=True, max_length=length).input_ids
    return ids.reshape(len(texts), -1, length)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--size", type=int, default=968)
    parser.add_argument("--max-length", type=int, default=32)
    parser.add_argument("--from-folder", action="store_true", help="take the vocabulary of the model folder")
    args = parser.parse_args()

    if args.from_folder:
        folder = Path(__file__).resolve().parent.parent / "tokenizer"
        shutil.copytree(folder, args.work / "tokenizer", dirs_exist_ok=True)
    else:
        learn(args.work, load_captions(args.work), args.size, args.max_length)
    tokenizer = CLIPTokenizer.from_pretrained(args.work / "tokenizer")
    for size in SHAPES:
        ids = tokenise(tokenizer, load_captions(args.work, size))
        np.save(folder_of(args.work, size) / "tokens.npy", ids)
        lengths = (ids != len(tokenizer) - 1).sum(-1) + 1
        print(f"{size}: caption length mean {lengths.mean():.1f}, 99.9 % {np.quantile(lengths, 0.999)}, cut {(lengths >= ids.shape[-1]).mean():.5f}")


if __name__ == "__main__":
    main()
