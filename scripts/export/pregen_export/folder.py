"""The diffusers folder that is read and the folder that is written."""

import gc
import importlib
import json
import shutil
from pathlib import Path

import torch
from torch import nn

FORGOTTEN = {"_name_or_path", "name_or_path", "transformers_version", "torch_dtype", "dtype"}
"""Keys that say where a model came from, not what it is."""


class Source:
    def __init__(self, folder: Path):
        self.folder = folder
        index = folder / "model_index.json"
        if not index.is_file():
            raise SystemExit(f"{folder} is no diffusers folder: it has no model_index.json.")
        self.index = json.loads(index.read_text())

    def load(self, part: str, dtype: torch.dtype) -> nn.Module:
        library, name = self.index[part]
        made = getattr(importlib.import_module(library), name)
        # transformers has renamed it, diffusers has not.
        typed = {"dtype" if library == "transformers" else "torch_dtype": dtype}
        return made.from_pretrained(str(self.folder), subfolder=part, **typed).eval()

    def config(self, part: str) -> dict:
        return json.loads((self.folder / part / "config.json").read_text())

    def weight_bytes(self, part: str) -> int:
        """Of the files as they lie on disk, in whatever type."""
        files = [*(self.folder / part).glob("*.safetensors"), *(self.folder / part).glob("*.bin")]
        return sum(each.stat().st_size for each in files)

    def parameters(self, part: str) -> int:
        """Counted from the headers of its safetensors; 0 where it has none."""
        return sum(parameters_of(each) for each in (self.folder / part).glob("*.safetensors"))


def parameters_of(file: Path) -> int:
    with file.open("rb") as opened:
        header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
    total = 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        size = 1
        for side in entry["shape"]:
            size *= side
        total += size
    return total


def write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def plain(config: dict) -> dict:
    return {key: value for key, value in config.items() if key not in FORGOTTEN}


def copy_rest(source: Source, target: Path, more: dict) -> None:
    """model_index.json, the scheduler, the tokenizers and how CLIP is shown a picture; a slow tokenizer becomes the file that is read."""
    write_json(target / "model_index.json", {**plain(source.index), **more})
    for part in sorted(each.name for each in source.folder.iterdir() if each.is_dir()):
        if part not in ("scheduler", "image_processor") and not part.startswith("tokenizer"):
            continue
        shutil.copytree(source.folder / part, target / part, ignore=shutil.ignore_patterns(".*", "*.model"))
        if part.startswith("tokenizer") and not (target / part / "tokenizer.json").exists():
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(str(source.folder / part), use_fast=True)
            tokenizer.backend_tokenizer.save(str(target / part / "tokenizer.json"))


def forget(*_modules: object) -> None:
    gc.collect()
