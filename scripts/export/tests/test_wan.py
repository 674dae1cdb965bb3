"""Wan's tiny checkpoints, saved, loaded again and exported; run by `npm run test:export`."""

import contextlib
import gzip
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import onnxruntime
import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from draw import pregen_frames
from PIL import Image
from tiny import TOKENIZERS
from tokenizers import Tokenizer
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel, T5TokenizerFast, UMT5Config, UMT5EncoderModel

from pregen_export import graphs
from pregen_export.__main__ import main


CHANNELS = 8


def transformer(given: int = CHANNELS, **more) -> WanTransformer3DModel:
    return WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=16, in_channels=given, out_channels=CHANNELS, text_dim=16, freq_dim=32,
        ffn_dim=32, num_layers=2, rope_max_seq_len=64, **more,
    )


def texts() -> dict:
    packed = gzip.decompress((TOKENIZERS / "tiny-t5/tokenizer.json.gz").read_bytes())
    special = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer = T5TokenizerFast(tokenizer_object=Tokenizer.from_buffer(packed), extra_ids=0, **special)
    config = UMT5Config(vocab_size=max(64, len(tokenizer) + 8), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    return {"tokenizer": tokenizer, "text_encoder": UMT5EncoderModel(config)}


def vae(**more) -> AutoencoderKLWan:
    small = {"base_dim": 4, "z_dim": CHANNELS, "num_res_blocks": 1, "dim_mult": [1, 1, 1, 1]}
    return AutoencoderKLWan(**small, latents_mean=[0.1] * CHANNELS, latents_std=[1.5] * CHANNELS, **more)


def scheduler() -> UniPCMultistepScheduler:
    return UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)


def save(folder: Path, is_5b: bool, two: bool) -> None:
    torch.manual_seed(3)
    residual = {
        "is_residual": True, "decoder_base_dim": 4, "in_channels": 12, "out_channels": 12, "patch_size": 2,
        "scale_factor_spatial": 16,
    }
    WanPipeline(
        **texts(),
        transformer=transformer(),
        transformer_2=transformer() if two else None,
        vae=vae(**(residual if is_5b else {})),
        scheduler=scheduler(),
        boundary_ratio=0.875 if two else None,
        expand_timesteps=is_5b,
    ).save_pretrained(folder)


@torch.no_grad()
def save_with_clip(folder: Path, takes_last: bool, gain: float = 1.2) -> None:
    """
    Wan 2.1's I2V, or its FLF2V; videos depend on text, pictures and what CLIP sees, as those of trained models do.

    @param gain at 1.2 layers enlarge differences, those of rounding to halves as well
    """
    torch.manual_seed(5)
    side, patch, width = 28, 7, 24
    config = CLIPVisionConfig(
        hidden_size=width, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=side, patch_size=patch,
        hidden_act="gelu",
    )
    tokens = 1 + (side // patch) ** 2
    seen = {"image_dim": width, "added_kv_proj_dim": 32, "pos_embed_seq_len": 2 * tokens if takes_last else None}
    pipe = WanImageToVideoPipeline(
        **texts(),
        image_encoder=CLIPVisionModel(config),
        image_processor=CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side}),
        transformer=transformer(2 * CHANNELS + 4, **seen),
        vae=vae(),
        scheduler=scheduler(),
    )
    for part in (pipe.transformer, pipe.text_encoder, pipe.image_encoder, pipe.vae):
        for weight in part.parameters():
            if weight.ndim > 1:
                torch.nn.init.normal_(weight, std=gain * weight[0].numel() ** -0.5)
    pipe.save_pretrained(folder)


def picture(seed: int, width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(columns / noise.uniform(3, 20)) * np.cos(rows / noise.uniform(3, 20)) for _ in range(3)]
    return Image.fromarray((127 + 100 * np.stack(waves, -1)).astype(np.uint8))


class WanExports(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def export(self, *options: str, is_5b: bool = False, two: bool = False) -> tuple[Path, str]:
        save(self.folder / "hub", is_5b, two)
        return self.exported("wan", *options)

    def exported(self, family: str, *options: str) -> tuple[Path, str]:
        target, said = self.folder / "onnx", io.StringIO()
        with contextlib.redirect_stdout(said):
            main([family, str(self.folder / "hub"), str(target), *options])
        return target, said.getvalue()

    def test_two_experts_with_fused_attention_and_a_vae_that_streams(self):
        target, said = self.export(two=True)
        for name in ("transformer", "transformer_2"):
            nodes = onnx.load(str(target / name / "model.onnx")).graph.node
            fused = [node for node in nodes if node.op_type == "MultiHeadAttention"]
            self.assertEqual(len(fused), 4, name)
            self.assertFalse([node for node in nodes if node.op_type == "Softmax"], name)
            self.assertIn(f"{name} is as torch", said)
        for which in ("decoder", "encoder"):
            first = onnx.load(str(target / f"vae_{which}" / "model.onnx")).graph
            later = onnx.load(str(target / f"vae_{which}_with_past" / "model.onnx")).graph
            past = [each.name for each in later.input][1:]
            self.assertEqual([each.name for each in later.output][1:], [name.replace("past", "present") for name in past])
            self.assertEqual([each.name for each in first.output][1:], [name.replace("past", "present") for name in past])
        self.assertEqual(json.loads((target / "model_index.json").read_text())["boundary_ratio"], 0.875)

    def test_halves_keep_their_islands_of_full_precision_and_the_larger_file_is_one(self):
        with mock.patch.object(graphs, "INLINE_BYTES", 1000):
            target, said = self.export("--dtype", "fp16", is_5b=True)
        graph = onnx.load(str(target / "transformer" / "model.onnx"), load_external_data=False).graph
        types = {each.name: each.data_type for each in graph.initializer}
        half, full = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
        self.assertIn(half, types.values())
        islands = [name for name in types if "time_embedder" in name or "scale_shift_table" in name]
        self.assertTrue(islands)
        self.assertEqual({types[name] for name in islands}, {full})
        self.assertEqual(sorted(each.name for each in (target / "transformer").iterdir()), ["config.json", "model.onnx", "model.onnx_data"])
        self.assertIn("every component compared with torch", said)

    def test_a_first_picture_that_clip_sees(self):
        self.draws_as_diffusers(takes_last=False)

    def test_a_first_and_a_last_picture_that_clip_sees(self):
        self.draws_as_diffusers(takes_last=True)

    def test_a_first_and_a_last_picture_in_halves(self):
        self.draws_as_diffusers(True, torch.float16, levels=3)

    def draws_as_diffusers(self, takes_last: bool, dtype: torch.dtype = torch.float32, levels: int = 1) -> None:
        """Frames within the levels on 99.9 % of values, none beyond 8; drawn from other pictures' states they are far off."""
        is_full = dtype == torch.float32
        save_with_clip(self.folder / "hub", takes_last, gain=1.2 if is_full else 0.85)
        target, said = self.exported("wan_i2v", "--dtype", "fp32" if is_full else "fp16")
        self.assertIn("image_encoder is as torch", said)
        session = onnxruntime.InferenceSession(str(target / "image_encoder/model.onnx"))
        self.assertEqual([each.name for each in session.get_outputs()], ["hidden_states.2"])
        for name, made in (("first", picture(1, 90, 60)), ("last", picture(2, 64, 80))):
            made.save(self.folder / f"{name}.png")
        size = {"width": 48, "height": 32, "num_frames": 9, "guidance_scale": 3, "negative_prompt": "blurry"}
        cue = {
            "program": "P0", "model": "wan", **size, "steps": 3, "frames": True, "image": "first.png",
            **({"last_image": "last.png"} if takes_last else {}), "variants": {"one": {"prompt": "a fox runs", "seed": 3}},
        }
        drawn = pregen_frames({"wan": target}, {"fox": cue}, self.folder)["fox"]["one"]
        full = {"vae": torch.float32, "image_encoder": torch.float32}
        pipe = WanImageToVideoPipeline.from_pretrained(self.folder / "hub", torch_dtype={**full, "default": dtype})
        pipe.set_progress_bar_config(disable=True)
        shown = {key: Image.open(self.folder / f"{name}.png") for key, name in (("image", "first"), ("last_image", "last"))}
        if not takes_last:
            del shown["last_image"]

        def diffusers_frames(**more) -> np.ndarray:
            generator = torch.Generator().manual_seed(3)
            call = {"prompt": "a fox runs", **size, **shown, "num_inference_steps": 3, "generator": generator, **more}
            with torch.no_grad():
                frames = pipe(**call, output_type="np").frames[0]
            return np.round(np.clip(frames, 0, 1) * 255).astype(int)

        wanted = diffusers_frames()
        far = np.abs(drawn - wanted)
        self.assertGreater(wanted.std(), 20 if is_full else 10)
        self.assertLessEqual(far.max(), 8)
        self.assertLessEqual((far > levels).mean(), 0.001)
        unseen = torch.zeros_like(pipe.encode_image(list(shown.values()), "cpu"))
        with mock.patch.object(pipe, "encode_image", lambda *_: unseen):
            self.assertGreater(np.abs(diffusers_frames() - wanted).max(), 2 * levels)


if __name__ == "__main__":
    unittest.main()
