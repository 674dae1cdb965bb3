"""The same picture twice: by pregen's command line from an export, and by diffusers from the checkpoint."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image

ROOT = Path(__file__).parents[3]
# A cue's settings as diffusers' pipelines call them; the others have names of their own below.
SAME = ["width", "height", "guidance_scale", "true_cfg_scale", "cfg_normalization", "cfg_truncation", "max_sequence_length"]
TEXTS = ["negative_prompt", "prompt_2", "negative_prompt_2"]
SCHEDULERS = {
    "dpm++2m": "DPMSolverMultistepScheduler", "unipc": "UniPCMultistepScheduler", "euler": "EulerDiscreteScheduler",
    "euler-ancestral": "EulerAncestralDiscreteScheduler", "ddim": "DDIMScheduler", "ddpm": "DDPMScheduler",
    "pndm": "PNDMScheduler", "lcm": "LCMScheduler", "tcd": "TCDScheduler", "heun": "HeunDiscreteScheduler",
    "flow-match-euler": "FlowMatchEulerDiscreteScheduler",
}


def pregen_run(models: dict[str, Path], cues: dict[str, dict], folder: Path) -> Path:
    """One run of a sheet with all cues. @returns the folder that has one for each"""
    folder.mkdir(parents=True, exist_ok=True)
    # What an earlier run left whole would not be drawn again.
    shutil.rmtree(folder / "out", ignore_errors=True)
    sheet = {"version": "v", "models": {name: str(path) for name, path in models.items()}, "programs": {"P0": {}}, "cues": cues}
    (folder / "sheet.yaml").write_text(json.dumps(sheet))
    node = ["node", str(ROOT / "bin/pregen.js"), "run", "sheet.yaml", "--out", "out", "--provider", "cpu"]
    env = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "TMPDIR")}
    given = subprocess.run(node, cwd=folder, capture_output=True, text=True, env=env, check=False)
    if given.returncode != 0:
        raise AssertionError(f"pregen ended with {given.returncode}:\n{given.stdout[-3000:]}\n{given.stderr[-6000:]}")
    return folder / "out/foigoi/v/cues"


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def pregen_pictures(models: dict[str, Path], cues: dict[str, dict], folder: Path) -> dict[str, list[np.ndarray]]:
    """Each cue's variants in their order."""
    home = pregen_run(models, cues, folder)
    return {
        name: [pixels(home / name / variant / "final.png") for variant in cue["variants"]] for name, cue in cues.items()
    }


def pregen_frames(models: dict[str, Path], cues: dict[str, dict], folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """The videos' frames by cue and variant: [frames, height, width, 3]."""
    home = pregen_run(models, cues, folder)
    return {
        name: {
            variant: np.stack([pixels(each) for each in sorted((home / name / variant / "frames").iterdir())]).astype(int)
            for variant in cue["variants"]
        }
        for name, cue in cues.items()
    }


def load(name: str, checkpoint: Path, dtype: torch.dtype, vae_dtype=torch.float32) -> diffusers.DiffusionPipeline:
    """Denoiser and text encoder in the type, the VAE in float32, as an export has them by default."""
    pipe = getattr(diffusers, name).from_pretrained(str(checkpoint), torch_dtype=dtype)
    pipe.set_progress_bar_config(disable=True)
    if vae_dtype == dtype:
        return pipe
    pipe.vae.to(vae_dtype)
    encode, decode = pipe.vae.encode, pipe.vae.decode

    def encoded(pixels, **options):
        """The latents are of the type that the loop has, as where a VAE is in halves too."""
        made = encode(pixels.to(vae_dtype), **options)
        made.latent_dist = DiagonalGaussianDistribution(made.latent_dist.parameters.to(dtype))
        return made

    pipe.vae.encode = encoded
    pipe.vae.decode = lambda latents, **options: decode(latents.to(vae_dtype), **options)
    return pipe


def diffusers_pictures(pipe: diffusers.DiffusionPipeline, cue: dict, folder: Path, **more) -> list[np.ndarray]:
    """@param folder that the cue's pictures lie in; @param more of the call's arguments"""
    if "image" in cue and len(cue["variants"]) > 1:
        # A call for several takes its VAE's draws from the first generator alone.
        alone = [{**cue, "variants": {name: each}} for name, each in cue["variants"].items()]
        return [made for each in alone for made in diffusers_pictures(pipe, each, folder, **more)]
    given = {key: cue[key] for key in SAME if key in cue}
    variants = list(cue["variants"].values())
    given["prompt"] = [each["prompt"] for each in variants]
    given["generator"] = [torch.Generator().manual_seed(each["seed"]) for each in variants]
    given["num_inference_steps"] = cue["steps"]
    for key in TEXTS:
        # An empty second prompt is none, but diffusers sees that in a text only, not in a list of them.
        if key in cue and (cue[key] != "" or key == "negative_prompt"):
            given[key] = [cue[key]] * len(variants)
    # In diffusers an argument of the call.
    if isinstance(cue.get("scheduler"), dict) and "eta" in cue["scheduler"]:
        given["eta"] = cue["scheduler"]["eta"]
    if "image" in cue:
        given["image"] = Image.open(folder / cue["image"]).convert("RGB")
        if "denoise_strength" in cue:
            given["strength"] = cue["denoise_strength"]
    if "mask" in cue:
        given["mask_image"] = Image.open(folder / cue["mask"])
    if "images" in cue:
        given["image"] = [Image.open(folder / each).convert("RGB") for each in cue["images"]]
    own = pipe.scheduler
    try:
        pipe.scheduler = scheduler_of(own, cue.get("scheduler"))
        with torch.no_grad():
            made = pipe(**given, **more, output_type="np").images
    finally:
        pipe.scheduler = own
    return [np.round(np.clip(each, 0, 1) * 255).astype(np.uint8) for each in made]


def scheduler_of(own, wanted):
    """A cue's scheduler: keys over the folder's own, or another class from the folder's config."""
    if wanted is None:
        return type(own).from_config(own.config)
    wanted = {"name": wanted} if isinstance(wanted, str) else dict(wanted)
    name = wanted.pop("name", None)
    wanted.pop("eta", None)
    made = type(own) if name is None else getattr(diffusers, SCHEDULERS[name])
    return made.from_config(own.config, **wanted)


def distance(left: np.ndarray, right: np.ndarray) -> tuple[int, float, float]:
    """The worst difference in levels; how many values differ by more than one and by more than three, as parts."""
    if left.shape != right.shape:
        raise AssertionError(f"{left.shape} and {right.shape}")
    far = np.abs(left.astype(int) - right.astype(int))
    return int(far.max()), float((far > 1).mean()), float((far > 3).mean())
