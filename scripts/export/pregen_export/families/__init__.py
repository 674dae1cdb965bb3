"""A file a family: PIPELINE, CHANNELS of its latents, `components(source)` in the order of export, `index(source)` for model_index.json."""

import importlib

NAMES = ["zimage", "flux2", "chroma", "qwenimage", "wan", "wan_i2v"]


def family(name: str):
    return importlib.import_module(f".{name}", __name__)
