"""Encodes every picture of every shape, and folds the latents' statistics into the autoencoder.

Each channel is brought to the same spread by rescaling the encoder's last and the decoder's first convolution,
so that one scaling_factor is enough. Writes WORK/vae-folded.pt and WORK/WxH/latents.npy (float16, as the denoiser
sees them: unit spread).
"""

import argparse
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from data import folder_of, load_pictures, to_tensor
from shapes import SHAPES
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
    work, size, start, stop = job
    torch.set_num_threads(1)
    vae = make_vae().eval()
    vae.load_state_dict(torch.load(work / "vae-folded.pt", weights_only=True))
    pictures = load_pictures(work, size)
    parts = []
    for at in range(start, stop, 20):
        z = vae.encoder(to_tensor(pictures[at : min(at + 20, stop)])).chunk(2, 1)[0]
        parts.append(((z - SHIFT) * SCALING).numpy().astype(np.float16))
    return size, start, np.concatenate(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="encode with WORK/vae-folded.pt as it is: after finetune_vae.py")
    parser.add_argument("--from-folder", action="store_true", help="encode with the autoencoder of the model folder")
    args = parser.parse_args()
    if args.from_folder:
        from from_folder import load_vae

        torch.save(load_vae().state_dict(), args.work / "vae-folded.pt")
    elif not args.keep:
        vae = make_vae().eval()
        vae.load_state_dict(torch.load(args.work / "vae.pt", weights_only=True))
        fold(vae, load_pictures(args.work)[:600])
        torch.save(vae.state_dict(), args.work / "vae-folded.pt")
    latents, jobs = {}, []
    for size in SHAPES:
        count = len(load_pictures(args.work, size))
        latents[size] = np.zeros((count, 16, size[1] // 8, size[0] // 8), np.float16)
        jobs += [(args.work, size, start, min(start + 400, count)) for start in range(0, count, 400)]
    with get_context("spawn").Pool(args.processes) as pool:
        for size, start, part in pool.imap_unordered(encode, jobs):
            latents[size][start : start + len(part)] = part
    for size, stored in latents.items():
        np.save(folder_of(args.work, size) / "latents.npy", stored)
        print(size, len(stored), "latents, spread", stored.astype(np.float32).std().round(3))


if __name__ == "__main__":
    main()
