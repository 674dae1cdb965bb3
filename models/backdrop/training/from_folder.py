"""Reads the weights of an exported model folder back into the torch modules, so that training can go on from it.

Named initializers (`x.weight_half`, `x.weight_int8` with `x.weight_scale`) go by their name; the weights of unnamed
MatMuls by the name of the node that uses them (`/transformer_blocks.0/attn/to_q/MatMul` →
transformer_blocks.0.attn.to_q.weight, transposed), those of group norms by `/decoder/mid_block/resnets.0/norm1/Mul` and
`/Add`. The position table is computed, not learned. The attribute
heads and the optimizer's state are not in a folder. Run as a program it compares torch with ONNX Runtime.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from denoiser import TextToLatent
from onnx import numpy_helper
from train_vae import make_vae
from transformers import CLIPTokenizer

FOLDER = Path(__file__).resolve().parent.parent
# Bit-equal to its twin (same start, same gradients), so the exporter may have stored it once.
TWINS = {"time_text_embed.text_embedder.linear_2.bias": "time_text_embed.timestep_embedder.linear_2.bias"}


def weight_of(name, node):
    """→ the name of the torch parameter that an initializer used by `node` holds, and the axis of its output channels."""
    if not name.startswith("onnx::"):
        return name, 0
    module = ".".join(node.name.strip("/").split("/")[:-1])
    parts = {"MatMul": (".weight", 1), "Mul": (".weight", 0), "Add": (".bias", 0), "Slice": (".position_table", 0)}
    if node.op_type not in parts:
        raise ValueError(f"{name} is used by {node.op_type} {node.name}, which is unknown here")
    end, output_axis = parts[node.op_type]
    return module + end, output_axis


def read_weights(path):
    """→ {name of the torch parameter: tensor} of one ONNX file."""
    graph = onnx.load(path).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    users = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, node)
    weights = {}
    for stored, value in tensors.items():
        if value.dtype == np.int8:
            name = stored.removesuffix("_int8")
            value = value.astype(np.float32) * tensors[name + "_scale"]
        elif value.dtype in (np.float16, np.float32) and stored.removesuffix("_scale") + "_int8" not in tensors:
            name = stored.removesuffix("_half")
        else:
            continue
        weight, output_axis = weight_of(name, users[name])
        value = value.astype(np.float32).T if output_axis else value.astype(np.float32)
        weights[weight] = torch.from_numpy(value.reshape(-1).copy() if users[name].op_type in ("Mul", "Add") else value.copy())
    return weights


def fill(module, weights, computed=()):
    """Every parameter must be found, whatever else the file holds."""
    state = module.state_dict()
    for name, twin in TWINS.items():
        if name in state and name not in weights:
            weights[name] = weights[twin]
    missing = [name for name in state if name not in weights and name not in computed]
    if missing:
        raise ValueError(f"not in the folder: {missing}")
    module.load_state_dict({name: weights[name].reshape(value.shape) if name in weights else value for name, value in state.items()})


def load_model(folder=FOLDER):
    model = TextToLatent(len(CLIPTokenizer.from_pretrained(Path(folder) / "tokenizer")))
    for part in ("text_encoder", "text_encoder_2", "transformer"):
        fill(getattr(model, part), read_weights(Path(folder) / part / "model.onnx"), ("pos_embed.pos_embed",))
    return model


def load_vae(folder=FOLDER):
    vae = make_vae()
    fill(vae, {**read_weights(Path(folder) / "vae_encoder" / "model.onnx"), **read_weights(Path(folder) / "vae_decoder" / "model.onnx")})
    return vae.eval().requires_grad_(False)


@torch.no_grad()
def main():
    import onnxruntime as ort

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    args = parser.parse_args()
    torch.manual_seed(0)
    model, vae = load_model(args.folder).eval(), load_vae(args.folder)

    def difference(part, ours, output=0, **feed):
        session = ort.InferenceSession(str(args.folder / part / "model.onnx"))
        theirs = session.run(None, {name: value.numpy() for name, value in feed.items()})[output]
        print(f"{part:15} greatest difference {np.abs(theirs - ours.numpy()).max():.1e} of a spread of {theirs.std():.2f}")

    tokens = torch.randint(0, 900, (2, 32))
    tokens[:, 20:] = len(CLIPTokenizer.from_pretrained(args.folder / "tokenizer")) - 1
    for part in ("text_encoder", "text_encoder_2"):
        difference(part, getattr(model, part)(tokens).text_embeds, input_ids=tokens)
    context, pooled = model.encode(tokens)
    rows = torch.cat([context, torch.zeros(2, 256, context.shape[-1])], 1)
    sigma = torch.tensor([0.3, 0.9])
    for height, width in ((16, 16), (18, 32)):
        latents = torch.randn(2, 16, height, width)
        feed = dict(hidden_states=latents, encoder_hidden_states=rows, pooled_projections=pooled, timestep=sigma * 1000)
        difference("transformer", model(latents, sigma, tokens, 256)[0], **feed)
        picture = vae.decoder(latents)
        difference("vae_decoder", picture, latent_sample=latents)
        difference("vae_encoder", vae.encoder(picture.clamp(-1, 1)), sample=picture.clamp(-1, 1))


if __name__ == "__main__":
    main()
