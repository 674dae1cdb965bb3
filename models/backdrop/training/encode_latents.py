"""Encodes every picture, and folds the latents' statistics into the autoencoder.

Each channel is brought to the same spread by rescaling the encoder's last and the decoder's first convolution,
so that one scaling_factor is enough. Writes WORK/vae-folded.pt and WORK/latents.npy (float16, as the denoiser
sees them: unit spread).
"""

import argparse
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from data import load_pictures, to_tensor
from train_vae import make_vae

SCALING, SHIFT = 1.5, 0.04


@torch.no_grad()
def fold(vae, pictures):
    """Divides each latent channel by its spread. Zero stays zero, so the zero padding of conv_in still fits."""
    z = torch.cat([vae.encoder(to_tensor(pictures[i : i + 20])).chunk(2, 1)[0] for i in range(0, len(pictures), 20)])
    std = z.std((0, 2, 3))
    print("channel means", [round(m, 2) for m in z.mean((0, 2, 3)).tolist()], "spreads", [round(s, 2) for s in std.tolist()])
    factor = 1 / (std * SCALING)
    out, into = vae.encoder.conv_out, vae.decoder.conv_in
    out.weight[:16] *= factor[:, None, None, None]
    out.bias[:16] *= factor
    out.bias[16:] += 2 * factor.log()
    into.weight /= factor[None, :, None, None]
    return vae


@torch.no_grad()
def encode(job):
    work, start, stop = job
    torch.set_num_threads(1)
    vae = make_vae().eval()
    vae.load_state_dict(torch.load(work / "vae-folded.pt", weights_only=True))
    pictures = load_pictures(work)
    parts = []
    for at in range(start, stop, 20):
        z = vae.encoder(to_tensor(pictures[at : min(at + 20, stop)])).chunk(2, 1)[0]
        parts.append(((z - SHIFT) * SCALING).numpy().astype(np.float16))
    return start, np.concatenate(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="encode with WORK/vae-folded.pt as it is: after finetune_vae.py")
    args = parser.parse_args()
    pictures = load_pictures(args.work)
    if not args.keep:
        vae = make_vae().eval()
        vae.load_state_dict(torch.load(args.work / "vae.pt", weights_only=True))
        fold(vae, pictures[:600])
        torch.save(vae.state_dict(), args.work / "vae-folded.pt")
    latents = np.zeros((len(pictures), 16, 16, 16), np.float16)
    jobs = [(args.work, start, min(start + 1000, len(pictures))) for start in range(0, len(pictures), 1000)]
    with get_context("spawn").Pool(args.processes) as pool:
        for start, part in pool.imap_unordered(encode, jobs):
            latents[start : start + len(part)] = part
    np.save(args.work / "latents.npy", latents)
    print("latents", latents.shape, "mean", latents.mean(dtype=np.float32), "std", latents.astype(np.float32).std())


if __name__ == "__main__":
    main()
