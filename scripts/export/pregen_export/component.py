"""What a family says of one component; the driver loads, exports and compares it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

Tensors = dict[str, torch.Tensor]


@dataclass
class Component:
    """One graph of the export."""

    name: str
    """Its folder in the export."""
    part: str
    """Its folder in the diffusers model."""
    graph: Callable[[nn.Module], nn.Module]
    """The part as a module of plain tensors; may change the part."""
    reference: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]]
    """The unchanged part's answer: part, then the inputs by name."""
    example: Callable[[nn.Module, object, torch.dtype], Tensors]
    """Inputs of a size."""
    export_size: object
    """Traced with this one."""
    check_sizes: dict[str, object]
    """Compared at these, none of which is the export's."""
    outputs: list[str]
    axes: dict[str, dict[int, str]]
    config: Callable[[nn.Module], dict] = field(default=lambda part: {})
    """Further keys of its config.json."""
    real_rows: str | None = None
    """An input of 1 for rows that count and 0 for padding, which may differ."""
    traced: bool = False
    """By TorchScript: AutoencoderKL's graphs come out smaller and load everywhere."""
