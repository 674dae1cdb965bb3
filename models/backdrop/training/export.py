"""Writes the model folder: every part as ONNX in the diffusers / optimum layout, weights in half precision, the
matrices of the denoiser's blocks as eight-bit integers (quantise.py).

--folder is left with model_index.json, the parts, the tokenizers, the scheduler, preview.json and
preview_decoder/; other files in it (the card, the licence, the training folder) stay as they are. --only writes some
parts alone, after a run that went on from the folder: --only transformer.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from denoiser import MAX_LENGTH, TextToLatent
from diffusers import FlowMatchEulerDiscreteScheduler, StableDiffusion3Pipeline
from diffusers.models.attention_processor import JointAttnProcessor2_0
from encode_latents import SCALING, SHIFT
from from_folder import weight_of
from onnx import TensorProto, helper, numpy_helper
from optimum.exporters.onnx import onnx_export_from_model
from quantise import is_quantised, quantise
from train_preview import PreviewDecoder
from train_vae import make_vae
from transformers import CLIPTokenizer

PARTS = ["text_encoder", "text_encoder_2", "transformer", "vae_encoder", "vae_decoder"]


def as_half(name, values):
    small = values.astype(np.float16)
    assert np.isfinite(small).all(), name
    cast = helper.make_node("Cast", [name + "_half"], [name], name=name + "_cast", to=TensorProto.FLOAT)
    return [numpy_helper.from_array(small, name + "_half")], [cast]


def as_integers(name, values, output_axis):
    whole, scale = quantise(values, output_axis)
    cast = helper.make_node("Cast", [name + "_int8"], [name + "_whole"], name=name + "_cast", to=TensorProto.FLOAT)
    mul = helper.make_node("Mul", [name + "_whole", name + "_scale"], [name], name=name + "_scaled")
    return [numpy_helper.from_array(whole, name + "_int8"), numpy_helper.from_array(scale, name + "_scale")], [cast, mul]


def as_position_table(name, values):
    """The table is rows × columns × (the column's wave, the row's wave): both waves are enough."""
    half = values.shape[3] // 2
    parts = {"columns": values[:, :1, :, :half], "rows": values[:, :, :1, half:]}
    stored, nodes = [numpy_helper.from_array(np.array(values.shape[:3] + (half,), np.int64), name + "_shape")], []
    for part, wave in parts.items():
        assert np.array_equal(np.broadcast_to(wave, values.shape[:3] + (half,)), values[..., :half] if part == "columns" else values[..., half:])
        tensors, casts = as_half(f"pos_embed.{part}", wave)
        stored += tensors
        nodes += [*casts, helper.make_node("Expand", [f"pos_embed.{part}", name + "_shape"], [f"pos_embed.{part}_all"], name=f"pos_embed.{part}_expand")]
    nodes.append(helper.make_node("Concat", ["pos_embed.columns_all", "pos_embed.rows_all"], [name], name=name + "_concat", axis=3))
    return stored, nodes


def compact(path, integers=False):
    """Stores the large float32 initializers as float16, and with `integers` the blocks' matrices as int8 times a scale.

    Casts and products of initializers are folded by ONNX Runtime at load, before it looks at the provider: what runs
    are float32 weights. DequantizeLinear would stay in the graph.
    """
    model = onnx.load(path)
    graph, stored, nodes = model.graph, [], []
    users = {name: node for node in graph.node for name in node.input}
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < 256:
            tensors, added = [tensor], []
        else:
            weight, output_axis = weight_of(tensor.name, users[tensor.name])
            if integers and is_quantised(weight, values.shape):
                tensors, added = as_integers(tensor.name, values, output_axis)
            elif integers and values.ndim == 4 and users[tensor.name].op_type == "Slice":
                tensors, added = as_position_table(tensor.name, values)
            else:
                tensors, added = as_half(tensor.name, values)
        stored += tensors
        nodes += added
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(stored)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def build_pipeline(work, weights, shift, text=None):
    tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    model = TextToLatent(len(tokenizer))
    saved = torch.load(work / weights, weights_only=True)
    model.load_state_dict(saved["ema"])
    if text:
        for name, state in torch.load(work / text, weights_only=True).items():
            getattr(model, name).load_state_dict(state)
    print(f"denoiser after {saved['step']} steps, {saved['samples']} samples")
    model.eval().requires_grad_(False)
    model.transformer.set_attn_processor(JointAttnProcessor2_0())
    for encoder in (model.text_encoder, model.text_encoder_2):
        encoder.config.output_hidden_states = True
        encoder.config.architectures = ["CLIPTextModelWithProjection"]
    vae = make_vae().eval().requires_grad_(False)
    vae.load_state_dict(torch.load(work / "vae-folded.pt", weights_only=True))
    vae.register_to_config(scaling_factor=SCALING, shift_factor=SHIFT)
    return StableDiffusion3Pipeline(
        transformer=model.transformer, scheduler=FlowMatchEulerDiscreteScheduler(shift=shift), vae=vae,
        text_encoder=model.text_encoder, tokenizer=tokenizer,
        text_encoder_2=model.text_encoder_2, tokenizer_2=CLIPTokenizer.from_pretrained(work / "tokenizer"),
        text_encoder_3=None, tokenizer_3=None,
    )  # fmt: skip


def export_preview(work, folder):
    shutil.copyfile(work / "preview.json", folder / "preview.json")
    decoder = PreviewDecoder().eval()
    decoder.load_state_dict(torch.load(work / "preview-decoder.pt", weights_only=True))
    target = folder / "preview_decoder"
    target.mkdir(exist_ok=True)
    axes = {"latent_sample": {0: "batch_size", 2: "latent_height", 3: "latent_width"}, "sample": {0: "batch_size", 2: "height", 3: "width"}}
    torch.onnx.export(
        decoder, torch.zeros(1, 16, 16, 16), target / "model.onnx", input_names=["latent_sample"], output_names=["sample"],
        dynamic_axes=axes, opset_version=18, dynamo=False,
    )  # fmt: skip
    compact(target / "model.onnx")
    config = {"_class_name": "AutoencoderTiny", "in_channels": 3, "out_channels": 3, "latent_channels": 16, "scaling_factor": 1.0, "shift_factor": 0.0}
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")


FOLDER = Path(__file__).resolve().parent.parent


def export_parts(pipeline, scratch):
    onnx_export_from_model(pipeline, output=scratch, opset=18, task="text-to-image", do_validation=False)
    for part in PARTS:
        compact(scratch / part / "model.onnx", integers=part == "transformer")
        config = json.loads((scratch / part / "config.json").read_text())
        config.pop("_name_or_path", None)
        (scratch / part / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    index = json.loads((scratch / "model_index.json").read_text())
    index = {key: value for key, value in index.items() if key != "_name_or_path"}
    (scratch / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    for extra in scratch.glob("tokenizer*/tokenizer.json"):
        extra.unlink()  # the slow tokenizer's files say it all


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--weights", default="denoiser.pt", help="denoiser.pt, or denoiser-checkpoint.pt for an early look")
    parser.add_argument("--shift", type=float, default=3.0)
    parser.add_argument("--text", help="text encoders other than those of --weights: text-tuned.pt")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help="the other parts are the model folder's own")
    args = parser.parse_args()
    torch.set_num_threads(2)

    folders, files = [*PARTS, "tokenizer", "tokenizer_2", "scheduler", "preview_decoder"], ["model_index.json", "preview.json"]
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        export_parts(build_pipeline(args.work, args.weights, args.shift, args.text), scratch)
        if args.only:
            for name in set(folders) - set(args.only):
                shutil.copytree(FOLDER / name, scratch / name, dirs_exist_ok=True)
            for name in files:
                shutil.copyfile(FOLDER / name, scratch / name)
        else:
            export_preview(args.work, scratch)
        args.folder.mkdir(parents=True, exist_ok=True)
        for name in folders:
            shutil.rmtree(args.folder / name, ignore_errors=True)
            shutil.copytree(scratch / name, args.folder / name)
        for name in files:
            shutil.copyfile(scratch / name, args.folder / name)
    total = sum(f.stat().st_size for name in folders for f in (args.folder / name).iterdir())
    print(f"wrote {args.folder}: {total / 1e6:.2f} MB; prompts of up to {MAX_LENGTH} tokens")


if __name__ == "__main__":
    main()
