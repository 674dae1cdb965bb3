"""Tiny checkpoints, saved, loaded again and exported; run by `npm run test:export`."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import diffusers
import numpy as np
import onnxruntime
import sentencepiece
import tiny
import tokenizers
import torch
import transformers
from draw import ROOT, diffusers_pictures, distance, load, pregen_pictures
from hub import hub
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image
from random_cases import AWKWARD, WORDS

from pregen_export import compare, families, lora
from pregen_export.__main__ import main
from pregen_export.folder import Source, copy_rest
from pregen_export.preview import VideoDecoder


# Plain exports, which several tests look at: the checkpoint's folder, the export's, and what was said.
kept: dict[str, tuple[Path, Path, str]] = {}


def tearDownModule():
    for source, _, _ in kept.values():
        shutil.rmtree(source.parent)


class Exports(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def plain(self, name: str) -> tuple[Path, Path, str]:
        if name not in kept:
            home = Path(tempfile.mkdtemp())
            self.folder, own = home, self.folder
            kept[name] = (home / "hub", *self.export(name))
            self.folder = own
        return kept[name]

    def export(self, name: str, *options: str) -> tuple[Path, str]:
        source, target = self.folder / "hub", self.folder / "onnx"
        if not source.exists():
            tiny.save(name, source, lively=True)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            main([name, str(source), str(target), *options])
        return target, said.getvalue()


PICTURES = {
    "zimage": {"guidance_scale": 3, "negative_prompt": "blurry"},
    "flux2": {"guidance_scale": 4},
    "chroma": {"guidance_scale": 3, "negative_prompt": "blurry"},
    "qwenimage": {"true_cfg_scale": 3, "negative_prompt": " "},
}


def of_family(name: str):
    class OfFamily(Exports):
        def draws_as_diffusers(self, source: Path, target: Path, dtype: torch.dtype, levels: int):
            """Pixels within the levels on 99.9 % of values, none beyond 8, of two unequal prompts in a batch."""
            variants = {"short": {"prompt": "a fox", "seed": 1}, "long": {"prompt": "an old lighthouse " * 9, "seed": 2}}
            cue = {
                "program": "P0", "model": name, "width": 96, "height": 64, "steps": 4, "batch": 2, "variants": variants,
                **PICTURES[name],
            }
            drawn = pregen_pictures({name: target}, {"fox": cue}, self.folder / "run")["fox"]
            pipe = load(families.family(name).PIPELINE, source, dtype)
            more = {"text_encoder_out_layers": (1, 2, 3)} if name == "flux2" else {}
            for got, wanted in zip(drawn, diffusers_pictures(pipe, cue, self.folder, **more), strict=True):
                self.assertGreater(wanted.std(), 20)
                worst, one, three = distance(got, wanted)
                self.assertLessEqual(worst, 8)
                self.assertLessEqual(one if levels == 1 else three, 0.001)

        def test_is_as_torch_at_other_sizes_and_draws_the_same_pictures(self):
            source, target, said = self.plain(name)
            for component in ["text_encoder", "transformer", "vae_encoder", "vae_decoder"]:
                self.assertIn(f"{component} is as torch", said)
                self.assertTrue((target / component / "config.json").is_file())
            self.assertLess(said.index("GB of memory"), said.index("is as torch"))
            self.assertTrue((target / "tokenizer/tokenizer.json").is_file())
            self.assertTrue((target / "scheduler/scheduler_config.json").is_file())
            index = json.loads((target / "model_index.json").read_text())
            self.assertEqual(index["_class_name"], families.family(name).PIPELINE)
            self.draws_as_diffusers(source, target, torch.float32, 1)

        def test_in_halves(self):
            target, _ = self.export(name, "--dtype", "fp16")
            self.draws_as_diffusers(self.folder / "hub", target, torch.float16, 3)
            session = onnxruntime.InferenceSession(str(target / "transformer/model.onnx"))
            self.assertEqual(session.get_outputs()[0].type, "tensor(float16)")

        def test_a_lora_is_merged_into_its_denoiser(self):
            source = Source(tiny.save(name, self.folder / "hub"))
            denoiser = source.load("transformer", torch.float32)
            before = {key: each.clone() for key, each in denoiser.state_dict().items()}
            denoiser.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q"], init_lora_weights=False))
            weights = get_peft_model_state_dict(denoiser)
            pipeline = families.family(name).PIPELINE
            getattr(diffusers, pipeline).save_lora_weights(str(self.folder), transformer_lora_layers=weights)
            file = self.folder / "pytorch_lora_weights.safetensors"
            merged = lora.merge(pipeline, source.load("transformer", torch.float32), [(file, 0.5)]).state_dict()
            changed = [key for key in before if not torch.equal(before[key], merged[key])]
            self.assertEqual({key.rpartition(".to_q.")[2] for key in changed}, {"weight"})
            for key in changed:
                down, up = (weights[key.replace("weight", f"lora_{each}.weight")] for each in "AB")
                torch.testing.assert_close(merged[key], before[key] + 0.5 * up @ down)

    return OfFamily


class ZImage(of_family("zimage")):
    def test_a_lora_is_merged_as_diffusers_fuses_it(self):
        source = tiny.save("zimage", self.folder / "hub")
        torch.manual_seed(3)
        denoiser = diffusers.ZImageTransformer2DModel.from_pretrained(str(source), subfolder="transformer")
        denoiser.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
        weights = get_peft_model_state_dict(denoiser)
        diffusers.ZImagePipeline.save_lora_weights(str(self.folder / "lora"), transformer_lora_layers=weights)
        file = self.folder / "lora/pytorch_lora_weights.safetensors"

        pipe = diffusers.ZImagePipeline.from_pretrained(str(source))
        pipe.load_lora_weights(str(file.parent), weight_name=file.name)
        pipe.fuse_lora(lora_scale=0.8)
        pipe.unload_lora_weights()
        target, _ = self.export("zimage", "--lora", f"{file}:0.8")
        module = families.family("zimage")
        inputs = module.example(pipe.transformer, (1, 8, 8, [20]), torch.float32)
        with torch.no_grad():
            expected = module.unchanged(pipe.transformer, **inputs).numpy()
            plain = diffusers.ZImageTransformer2DModel.from_pretrained(str(source), subfolder="transformer").eval()
            without = module.unchanged(plain, **inputs).numpy()
        session = onnxruntime.InferenceSession(str(target / "transformer/model.onnx"))
        given = session.run(None, {name: each.numpy() for name, each in inputs.items()})[0]
        np.testing.assert_allclose(given, expected, atol=1e-4)
        self.assertGreater(np.abs(without - expected).max(), 1e-3)

    def test_a_preview_decoder_comes_along(self):
        decoder = diffusers.AutoencoderTiny(
            latent_channels=16, encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4,
            num_encoder_blocks=(1, 1, 1, 1), num_decoder_blocks=(1, 1, 1, 1),
        )
        decoder.save_pretrained(str(self.folder / "tiny"))
        target, said = self.export("zimage", "--preview-decoder", str(self.folder / "tiny"))
        self.assertIn("preview_decoder is as torch", said)
        config = json.loads((target / "preview_decoder/config.json").read_text())
        self.assertEqual(config["latent_channels"], 16)
        variants = {"one": {"prompt": "a fox", "seed": 1}}
        cue = {
            "program": "P0", "model": "zimage", "width": 64, "height": 64, "steps": 2, "variants": variants,
            "previews": {"method": "taesd"},
        }
        pregen_pictures({"zimage": target}, {"fox": cue}, self.folder / "run")
        home = self.folder / "run/out/foigoi/v/cues/fox/one"
        first, last = (np.asarray(Image.open(home / f"{step}.png").convert("RGB")) for step in (1, 2))
        self.assertEqual(first.shape, (64, 64, 3))
        self.assertGreater(np.abs(first.astype(int) - last.astype(int)).max(), 3)

    def test_what_differs_from_torch_is_not_written(self):
        with mock.patch.dict(compare.LIMITS, {torch.float32: 1e-12}), self.assertRaises(SystemExit) as given:
            self.export("zimage")
        self.assertRegex(str(given.exception), "Nothing was written: text_encoder at .* from torch")
        self.assertEqual([each.name for each in self.folder.iterdir()], ["hub"])

    def test_another_family_and_a_full_target_are_refused(self):
        source = tiny.save("zimage", self.folder / "hub")
        with self.assertRaisesRegex(SystemExit, "is a ZImagePipeline; chroma is ChromaPipeline"):
            main(["chroma", str(source), str(self.folder / "onnx")])
        with self.assertRaisesRegex(SystemExit, "is not empty"):
            main(["zimage", str(source), str(source)])


class Flux2(of_family("flux2")):
    def test_batch_norm_becomes_statistics(self):
        source, target, _ = self.plain("flux2")
        config = json.loads((target / "vae_decoder/config.json").read_text())
        vae = diffusers.AutoencoderKLFlux2.from_pretrained(str(source), subfolder="vae")
        self.assertEqual(len(config["latents_mean"]), 64)
        std = torch.sqrt(vae.bn.running_var + vae.config.batch_norm_eps)
        np.testing.assert_array_equal(np.float32(config["latents_std"]), std.numpy())
        session = onnxruntime.InferenceSession(str(target / "text_encoder/model.onnx"))
        self.assertEqual([each.name for each in session.get_outputs()], [f"hidden_states.{k}" for k in (1, 2, 3)])


class Chroma(of_family("chroma")):
    pass


class QwenImage(of_family("qwenimage")):
    def test_taew2_1_decodes_a_single_frame(self):
        torch.manual_seed(5)
        weights = VideoDecoder().state_dict()
        torch.save({**weights, "encoder.0.weight": torch.zeros(1)}, self.folder / "taew2_1.pth")
        _, said = self.export("qwenimage", "--preview-decoder", str(self.folder / "taew2_1.pth"))
        self.assertIn("preview_decoder is as torch", said)


class FromTheHub(Exports):
    def test_the_commands_of_the_documentation_end_in_a_picture(self):
        tiny.save("zimage", self.folder / "published", lively=True)
        section = (ROOT / "docs/models.md").read_text().partition("### From the hub to a picture")[2]
        commands = re.search(r"```sh\n(.*?)```", section, re.S).group(1)
        self.assertIn("hf download", commands)
        commands = re.sub(r"^pip install .*$", "", commands, flags=re.M).replace("~/pregen", str(ROOT))
        tools, empty = self.folder / "tools", self.folder / "empty"
        for each in (tools, empty):
            each.mkdir()
        (tools / "pregen").write_text(f'#!/bin/sh\nexec node {ROOT / "bin/pregen.js"} "$@"\n')
        (tools / "pregen").chmod(0o755)
        with hub("Tongyi-MAI/Z-Image-Turbo", self.folder / "published") as endpoint:
            env = {
                **os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(self.folder / "home"),
                "PATH": os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]]),
            }
            given = subprocess.run(["bash", "-ec", commands], cwd=empty, env=env, capture_output=True, text=True, check=False)
        self.assertEqual(given.returncode, 0, given.stdout + given.stderr)
        self.assertRegex(given.stdout, r"on a GPU \(a card of \d+ GB\)")
        self.assertTrue((empty / "out/foigoi/first/cues/fox/seed-1/final.png").is_file())


class Tokenizers(Exports):
    """Published without the tokenizer.json that pregen reads: made of what is there, it cuts texts as theirs does."""

    TEXTS = [*AWKWARD, "an old lighthouse, two red boats; rain 35mm"]

    def copied(self, tokenizer) -> tokenizers.Tokenizer:
        source = self.folder / "hub"
        tokenizer.save_pretrained(str(source / "tokenizer"))
        (source / "tokenizer/tokenizer.json").unlink(missing_ok=True)
        (source / "model_index.json").write_text("{}")
        copy_rest(Source(source), self.folder / "onnx", {})
        return tokenizers.Tokenizer.from_file(str(self.folder / "onnx/tokenizer/tokenizer.json"))

    def test_vocabulary_and_merges(self):
        own = tiny.qwen_tokenizer()
        copied = self.copied(own)
        for text in self.TEXTS:
            self.assertEqual(copied.encode(text).ids, own(text).input_ids, text)

    def test_spiece_model(self):
        trained = self.folder / "spiece"
        sentences = iter([" ".join(WORDS[at:] + WORDS[:at]) for at in range(len(WORDS))] * 20)
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sentences, model_prefix=str(trained), vocab_size=100, model_type="unigram", minloglevel=2,
            normalization_rule_name="nmt_nfkc", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False,
        )
        own = transformers.T5Tokenizer(f"{trained}.model", extra_ids=100, legacy=True)
        copied = self.copied(own)
        for text in self.TEXTS:
            self.assertEqual(copied.encode(text).ids, own(text).input_ids, text)


class Loras(unittest.TestCase):
    def test_are_files_with_a_scale(self):
        self.assertEqual(lora.parse("a.safetensors"), (Path("a.safetensors"), 1.0))
        self.assertEqual(lora.parse("b/a.safetensors:0.8"), (Path("b/a.safetensors"), 0.8))
        self.assertEqual(lora.parse("C:\\a.safetensors"), (Path("C:\\a.safetensors"), 1.0))


if __name__ == "__main__":
    unittest.main()
