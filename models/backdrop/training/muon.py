"""Muon: momentum whose matrix updates are orthogonalised; AdamW for everything that is no matrix."""

import torch


def orthogonalise(matrix, steps=5, dtype=torch.float32):
    """Newton-Schulz iteration towards the nearest matrix with all singular values near one."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = (matrix / (matrix.norm() + 1e-7)).to(dtype)
    tall = x.size(0) > x.size(1)
    if tall:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """`matrices` (two or more dimensions) by Muon, `others` by AdamW. `lr` scales with `group["scale"]`."""

    def __init__(self, matrices, others, lr=0.02, other_lr=2e-3, momentum=0.95, betas=(0.9, 0.99), decay=0.0, dtype=torch.float32):
        self.dtype = dtype
        groups = [
            dict(params=list(matrices), kind="muon", base=lr, momentum=momentum, decay=decay),
            dict(params=list(others), kind="adam", base=other_lr, betas=betas, decay=0.0),
        ]
        super().__init__([group for group in groups if group["params"]], dict(scale=1.0))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr = group["base"] * group["scale"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if group["kind"] == "muon":
                    if not state:
                        state["momentum"] = torch.zeros_like(p)
                    buffer = state["momentum"]
                    buffer.lerp_(p.grad, 1 - group["momentum"])
                    update = p.grad.lerp(buffer, group["momentum"]).reshape(p.size(0), -1)
                    update = orthogonalise(update, dtype=self.dtype) * max(1, update.size(0) / update.size(1)) ** 0.5
                    p.mul_(1 - lr * group["decay"]).add_(update.reshape(p.shape), alpha=-lr)
                else:
                    if not state:
                        state["step"], state["m"], state["v"] = 0, torch.zeros_like(p), torch.zeros_like(p)
                    state["step"] += 1
                    b1, b2 = group["betas"]
                    state["m"].lerp_(p.grad, 1 - b1)
                    state["v"].lerp_(p.grad.square(), 1 - b2)
                    m = state["m"] / (1 - b1 ** state["step"])
                    v = state["v"] / (1 - b2 ** state["step"])
                    p.addcdiv_(m, v.sqrt().add_(1e-8), value=-lr)


def split(modules, adam_names=()):
    """Matrices for Muon; vectors, embeddings and whatever is named for AdamW."""
    matrices, others = [], []
    for name, p in modules:
        if p.requires_grad:
            (others if p.ndim < 2 or any(part in name for part in adam_names) else matrices).append(p)
    return matrices, others
