"""Wan's tiny checkpoints, saved, loaded again and exported; run by `npm run test:export`."""

import contextlib
import gzip
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import onnx
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
from tiny import TOKENIZERS
from tokenizers import Tokenizer
from transformers import T5TokenizerFast, UMT5Config, UMT5EncoderModel

from pregen_export import graphs
from pregen_export.__main__ import main


def transformer(channels: int) -> WanTransformer3DModel:
    return WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=16, in_channels=channels, out_channels=channels, text_dim=16, freq_dim=32,
        ffn_dim=32, num_layers=2, rope_max_seq_len=64,
    )


def save(folder: Path, is_5b: bool, two: bool) -> None:
    torch.manual_seed(3)
    channels = 8
    small = {"base_dim": 4, "z_dim": channels, "num_res_blocks": 1, "dim_mult": [1, 1, 1, 1]}
    statistics = {"latents_mean": [0.1] * channels, "latents_std": [1.5] * channels}
    residual = {
        "is_residual": True, "decoder_base_dim": 4, "in_channels": 12, "out_channels": 12, "patch_size": 2,
        "scale_factor_spatial": 16,
    }
    packed = gzip.decompress((TOKENIZERS / "tiny-t5/tokenizer.json.gz").read_bytes())
    special = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer = T5TokenizerFast(tokenizer_object=Tokenizer.from_buffer(packed), extra_ids=0, **special)
    texts = UMT5Config(vocab_size=max(64, len(tokenizer) + 8), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    WanPipeline(
        tokenizer=tokenizer,
        text_encoder=UMT5EncoderModel(texts),
        transformer=transformer(channels),
        transformer_2=transformer(channels) if two else None,
        vae=AutoencoderKLWan(**small, **statistics, **(residual if is_5b else {})),
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
        boundary_ratio=0.875 if two else None,
        expand_timesteps=is_5b,
    ).save_pretrained(folder)


class WanExports(unittest.TestCase):
    def export(self, *options: str, is_5b: bool = False, two: bool = False) -> tuple[Path, str]:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        source, target = Path(folder.name) / "hub", Path(folder.name) / "onnx"
        save(source, is_5b, two)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            main(["wan", str(source), str(target), *options])
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


if __name__ == "__main__":
    unittest.main()
