"""
Wan 2.1 text to video and Wan 2.2 (A14B with two experts, TI2V 5B), with a VAE that streams; and the CLIP of Wan 2.1's image to
video, where a model has one.
"""

import torch
from torch import nn

from .. import text, vision
from ..component import Component, Tensors
from ..folder import Source
from ..wan_graphs import TEXT_TOKENS, Denoiser, Half

PIPELINE = "WanPipeline"
KEPT = ("boundary_ratio", "expand_timesteps")
VIDEO = {0: "batch", 2: "frames", 3: "height", 4: "width"}


def channels(source: Source) -> int:
    return source.config("vae")["z_dim"]


def index(source: Source) -> dict:
    return {key: source.index[key] for key in KEPT if key in source.index}


def components(source: Source) -> list[Component]:
    config = source.config("transformer")
    seen: tuple[int, int] | None = None
    if config.get("image_dim") is not None:
        # The denoiser takes states of one picture, or of a first and a last.
        seen = (1 if config.get("pos_embed_seq_len") is None else 2, vision.tokens(source))
    experts = [part for part in ("transformer", "transformer_2") if source.index.get(part, [None])[0] is not None]
    each_token = source.index.get("expand_timesteps") is True
    made = [denoiser(part, each_token, seen) for part in experts]
    return [text.t5(), *([] if seen is None else [vision.clip(source)]), *made, *vae(source)]


def denoiser(part: str, each_token: bool, seen: tuple[int, int] | None) -> Component:
    """@param seen pictures that it looks at, and CLIP's tokens of each"""

    def example(model: nn.Module, size: tuple[int, int, int, int, int], dtype: torch.dtype) -> Tensors:
        """Batch, frames, height, width of latents, tokens of the text."""
        batch, frames, height, width, tokens = size
        generator = torch.Generator().manual_seed(tokens)
        config = model.config
        time = torch.linspace(900.0, 5.0, batch)
        if each_token:
            time = time[:, None].repeat(1, frames * height * width // 4)
        shape = (batch, config.in_channels, frames, height, width)
        texts = torch.randn(batch, tokens, config.text_dim, generator=generator)
        inputs = {
            "hidden_states": torch.randn(shape, generator=generator).to(dtype),
            "timestep": time,
            "encoder_hidden_states": texts.to(dtype),
        }
        if seen is not None:
            pictures, shown = seen
            states = torch.randn(batch * pictures, shown, config.image_dim, generator=generator)
            inputs["encoder_hidden_states_image"] = states.to(dtype)
        return inputs

    # Where the picture's tokens end is counted from the text's, which are always so many then.
    tokens = None if seen is None else TEXT_TOKENS
    free = {1: "tokens"} if seen is None else {}

    return Component(
        name=part, part=part, graph=Denoiser, example=example, outputs=["out_sample"], traced=True,
        reference=lambda model, **inputs: model(**inputs, return_dict=False)[0],
        export_size=(2, 3, 8, 6, tokens or 24),
        check_sizes={"1 frame": (1, 1, 6, 8, tokens or 24), "3 of 5 frames": (3, 5, 4, 10, tokens or 11)},
        axes={
            "hidden_states": VIDEO, "out_sample": VIDEO, "encoder_hidden_states": {0: "batch", **free},
            "encoder_hidden_states_image": {0: "pictures"},
            "timestep": {0: "batch", 1: "latent_tokens"} if each_token else {0: "batch"},
        },
    )


FIRST = {"4 × 6": (1, 0, 4, 6), "3 of 6 × 4": (3, 0, 6, 4)}
LATER = {"1 latent frame": (1, 1, 4, 6), "3 of 3 latent frames": (3, 3, 6, 4)}
CODED = {"decode": ("latent_sample", "sample"), "encode": ("sample", "latent_parameters")}


def vae(source: Source) -> list[Component]:
    config = source.config("vae")
    scale = config.get("scale_factor_spatial", 8)
    memories = memories_of(source)
    made = []
    for which, (given, taken) in CODED.items():
        for is_later in (False, True):
            made.append(half(which, given, taken, (is_later, memories[which], scale, config["z_dim"])))
    return made


def memories_of(source: Source) -> dict[str, int]:
    """Counted on a clip of one frame, of a VAE as small as may be: how many there are follows from the config alone."""
    from diffusers import AutoencoderKLWan

    small = {key: value for key, value in source.config("vae").items() if not key.startswith("_")}
    model = AutoencoderKLWan(**{**small, "base_dim": 4, "decoder_base_dim": 4}).eval()
    scale = small.get("scale_factor_spatial", 8)
    with torch.no_grad():
        return {
            "decode": len(Half(model, "decode")(torch.zeros(1, small["z_dim"], 1, 2, 2))) - 1,
            "encode": len(Half(model, "encode")(torch.zeros(1, 3, 1, 2 * scale, 2 * scale))) - 1,
        }


def half(which: str, given: str, taken: str, facts: tuple[bool, int, int, int]) -> Component:
    is_later, count, scale, depth = facts
    side, step = (scale, 4) if which == "encode" else (1, 1)

    def clip(batch: int, frames: int, height: int, width: int, dtype: torch.dtype) -> torch.Tensor:
        generator = torch.Generator().manual_seed(height * width + frames)
        shape = (batch, 3 if which == "encode" else depth, frames, height * side, width * side)
        return torch.randn(shape, generator=generator).mul(0.5).to(dtype)

    def example(model: nn.Module, size: tuple[int, int, int, int], dtype: torch.dtype) -> Tensors:
        """Batch, latent frames after the first, height and width of latents."""
        batch, later, height, width = size
        whole = clip(batch, 1 + later * step, height, width, dtype)
        first = whole[:, :, :1]
        if not is_later:
            return {given: first}
        with torch.no_grad():
            _, *memories = Half(model, which)(first)
        return {given: whole[:, :, 1:], **{f"past.{place}": each for place, each in enumerate(memories)}}

    def reference(model: nn.Module, **inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The unchanged VAE's answer of the whole clip; what is carried on is held to by what follows from it."""
        values = inputs[given]
        past = [inputs[f"past.{place}"] for place in range(count)] if is_later else []
        _, *memories = Half(model, which)(values, *past)
        if not is_later:
            return whole_answer(model, values), *memories
        batch, _, frames, height, width = values.shape
        clip_again = clip(batch, 1 + frames // step * step, height // side, width // side, values.dtype)
        return whole_answer(model, clip_again)[:, :, 1:], *memories

    def whole_answer(model: nn.Module, values: torch.Tensor) -> torch.Tensor:
        if which == "decode":
            return model.decode(values, return_dict=False)[0]
        return model.encode(values, return_dict=False)[0].parameters

    names = [f"past.{place}" for place in range(count)] if is_later else []
    carried = [f"present.{place}" for place in range(count)]
    coded = {given: VIDEO if is_later else {key: VIDEO[key] for key in (0, 3, 4)}}
    spaces = {
        name: {0: "batch", 3: f"memory_height_{name.split('.')[1]}", 4: f"memory_width_{name.split('.')[1]}"}
        for name in [*names, *carried]
    }
    return Component(
        name=f"vae_{which}r{'_with_past' if is_later else ''}", part="vae", traced=True, example=example,
        graph=lambda model: Half(model, which), reference=reference, outputs=[taken, *carried],
        export_size=(2, 2, 6, 8) if is_later else (2, 0, 6, 8),
        check_sizes=LATER if is_later else FIRST,
        axes={**coded, taken: {0: "batch", 2: "out_frames", 3: "out_height", 4: "out_width"}, **spaces},
    )
