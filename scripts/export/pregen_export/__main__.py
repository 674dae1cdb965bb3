"""python -m pregen_export FAMILY SRC DST [--dtype fp16] [--lora FILE:0.8] …"""

import argparse
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch

from . import families, lora
from .compare import LIMITS, Unlike, compare, references
from .component import Component
from .folder import Source, copy_rest, forget, plain, write_json
from .graphs import export_graph
from .preview import export_preview

DTYPES = {"fp16": torch.float16, "fp32": torch.float32}
BYTES = {torch.float16: 2, torch.float32: 4}


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pregen_export",
        description="Exports a diffusers folder to the ONNX layout of pregen, and compares each component with torch.",
    )
    parser.add_argument("family", choices=families.NAMES)
    parser.add_argument("src", type=Path, help="a diffusers folder")
    parser.add_argument("dst", type=Path, help="a folder that is not there yet, or empty")
    parser.add_argument("--dtype", choices=DTYPES, default="fp32", help="of denoiser and text encoder (fp32)")
    parser.add_argument("--text-dtype", choices=DTYPES, help="of the text encoder, where it is another")
    parser.add_argument("--vae-dtype", choices=DTYPES, default="fp32", help="of the VAE, and of Wan's CLIP (fp32)")
    parser.add_argument(
        "--lora", action="append", default=[], metavar="FILE:SCALE", help="merged into the denoiser; may come again"
    )
    parser.add_argument("--preview-decoder", type=Path, metavar="DIR", help="a diffusers AutoencoderTiny: taef1, taef2 …")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    options = arguments(given)
    family, source = families.family(options.family), Source(options.src)
    named = source.index.get("_class_name")
    if named != family.PIPELINE:
        raise SystemExit(f"{options.src} is a {named}; {options.family} is {family.PIPELINE}.")
    if options.dst.exists() and any(options.dst.iterdir()):
        raise SystemExit(f"{options.dst} is not empty.")
    types = types_of(options)
    merged = [lora.parse(each) for each in options.lora]
    say_needs(source, family.components(source), types, options.dst)

    # A name of its own until it is whole: an export that was given up is never taken for one.
    partial = options.dst.with_name(options.dst.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for component in family.components(source):
            export_component(component, source, types[component.part], partial, (family.PIPELINE, merged))
        if options.preview_decoder is not None:
            far = export_preview(options.preview_decoder, partial, family.channels(source))
            tell("preview_decoder", torch.float32, far)
        copy_rest(source, partial, family.index(source))
    except Unlike as fault:
        shutil.rmtree(partial)
        raise SystemExit(f"Nothing was written: {fault}.") from fault
    if options.dst.exists():
        options.dst.rmdir()
    partial.rename(options.dst)
    size = sum(each.stat().st_size for each in options.dst.rglob("*") if each.is_file())
    print(f"{options.dst}: {size / 1e9:.2f} GB, every component compared with torch")


def types_of(options: argparse.Namespace) -> dict[str, torch.dtype]:
    return {
        "transformer": DTYPES[options.dtype],
        "transformer_2": DTYPES[options.dtype],
        "text_encoder": DTYPES[options.text_dtype or options.dtype],
        "vae": DTYPES[options.vae_dtype],
        # As the models' pages have it: pictures are looked at in full precision.
        "image_encoder": DTYPES[options.vae_dtype],
    }


def say_needs(source: Source, components: list[Component], types: dict[str, torch.dtype], target: Path) -> None:
    """Memory and disk, before anything is loaded. Raises SystemExit where the disk has too little."""
    parts = list(dict.fromkeys(each.part for each in components))
    sizes = {part: source.parameters(part) * BYTES[types[part]] or source.weight_bytes(part) for part in parts}
    disk = sum(sizes.values())
    # The weights, and once more while they are written.
    memory = 2 * max(sizes.values()) + 2_000_000_000
    listed = ", ".join(f"{part} {size / 1e9:.2f} GB" for part, size in sizes.items())
    print(f"{listed}; needs {disk / 1e9:.2f} GB of disk and about {memory / 1e9:.1f} GB of memory", flush=True)
    home = target.absolute().parent
    while not home.exists():
        home = home.parent
    free = shutil.disk_usage(home).free
    if free < 1.1 * disk:
        raise SystemExit(f"{home} has {free / 1e9:.1f} GB left.")


def export_component(
    component: Component, source: Source, dtype: torch.dtype, target: Path, merged: tuple[str, list[tuple[Path, float]]]
) -> None:
    part = source.load(component.part, dtype)
    if component.part == "transformer":
        part = lora.merge(merged[0], part, merged[1])
    cases = {label: component.example(part, size, dtype) for label, size in component.check_sizes.items()}
    answers = references(part, component, cases)
    config = {**plain(source.config(component.part)), **component.config(part)}
    inputs = component.example(part, component.export_size, dtype)
    path = target / component.name / "model.onnx"
    export_graph(component.graph(part).eval(), inputs, component, path)
    write_json(target / component.name / "config.json", config)
    # torch's weights go before ONNX Runtime's come.
    del part
    forget()
    tell(component.name, dtype, compare(path, component, cases, answers, dtype))


def tell(name: str, dtype: torch.dtype, far: dict[str, float]) -> None:
    cases = ", ".join(f"{label}: {value:.1e}" for label, value in far.items())
    print(f"{name} is as torch ({cases}; limit {LIMITS[dtype]:.0e})", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
