"""Reads the weights of an exported model folder back into the torch modules, so that training can go on from it.

Named initializers (`x.weight_half`) go by their name; the weights of unnamed MatMuls by the name of the node that uses
them (`/transformer_blocks.0/attn/to_q/MatMul` → transformer_blocks.0.attn.to_q.weight, transposed), those of group
norms by `/decoder/mid_block/resnets.0/norm1/Mul` and `/Add`. The position table is computed, not learned. The attribute
heads and the optimizer's state are not in a folder. Run as a program it compares torch with ONNX Runtime.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from denoiser import TextToLatent
from onnx import TensorProto, numpy_helper
from train_vae import make_vae
from transformers import CLIPTokenizer

FOLDER = Path(__file__).resolve().parent.parent
# Bit-equal to its twin (same start, same gradients), so the exporter may have stored it once.
TWINS = {"time_text_embed.text_embedder.linear_2.bias": "time_text_embed.timestep_embedder.linear_2.bias"}


def read_weights(path):
    """→ {name of the torch parameter: tensor} of one ONNX file."""
    graph = onnx.load(path).graph
    stored = {
        tensor.name.removesuffix("_half"): numpy_helper.to_array(tensor).astype(np.float32)
        for tensor in graph.initializer
        if tensor.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16)
    }
    users = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, node)
    weights = {}
    for name, value in stored.items():
        node = users[name]
        module = ".".join(node.name.strip("/").split("/")[:-1])
        if not name.startswith("onnx::"):
            weights[name] = torch.from_numpy(value.copy())
        elif node.op_type == "MatMul":
            weights[module + ".weight"] = torch.from_numpy(value.T.copy())
        elif node.op_type in ("Mul", "Add"):
            weights[module + (".weight" if node.op_type == "Mul" else ".bias")] = torch.from_numpy(value.reshape(-1).copy())
        elif node.op_type != "Slice":  # a Slice cuts the position table
            raise ValueError(f"{path}: {name} is used by {node.op_type} {node.name}, which is unknown here")
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
