"""In what numbers the training computes: bfloat16 where the processor multiplies it, else single precision, which is fifty times as quick there."""

import torch

HAS_BFLOAT16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
DTYPE = torch.bfloat16 if HAS_BFLOAT16 else torch.float32


def autocast(enabled=True):
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled and HAS_BFLOAT16)
