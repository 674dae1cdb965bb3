"""Whether a graph answers as torch does, at sizes that it was not traced with."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from .component import Component, Tensors

LIMITS = {torch.float32: 1e-4, torch.float16: 3e-2}
"""Relative RMS: about twenty times what was seen on the models of the tests."""


class Unlike(Exception):
    """The graph and torch disagree."""


def references(part: nn.Module, component: Component, cases: dict[str, Tensors]) -> dict[str, list[np.ndarray]]:
    """torch's answers, before the part becomes a graph."""
    answers = {}
    with torch.no_grad():
        for label, inputs in cases.items():
            given = component.reference(part, **inputs)
            given = given if isinstance(given, (tuple, list)) else (given,)
            answers[label] = [each.float().numpy() for each in given]
    return answers


def compare(
    path: Path, component: Component, cases: dict[str, Tensors], answers: dict[str, list[np.ndarray]], dtype: torch.dtype
) -> dict[str, float]:
    """The relative RMS difference of each case. Raises Unlike beyond the limit, and where shapes or inputs differ."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    wanted = {each.name for each in session.get_inputs()}
    far = {}
    for label, inputs in cases.items():
        if missing := wanted ^ set(inputs):
            raise Unlike(f"{component.name}: the graph's inputs are not those of the contract: {sorted(missing)}")
        given = session.run(component.outputs, {name: each.numpy() for name, each in inputs.items()})
        worst = 0.0
        for got, expected in zip(given, answers[label], strict=True):
            if got.shape != expected.shape:
                raise Unlike(f"{component.name} at {label}: {got.shape} instead of {expected.shape}")
            got = got.astype(np.float32)
            if component.real_rows is not None:
                rows = inputs[component.real_rows].numpy() > 0
                got, expected = got[rows], expected[rows]
            rms = np.sqrt(np.mean((got - expected) ** 2)) / max(float(np.sqrt(np.mean(expected**2))), 1e-12)
            worst = max(worst, float(rms) if np.isfinite(rms) else float("inf"))
        if worst > LIMITS[dtype]:
            raise Unlike(f"{component.name} at {label}: {worst:.1e} from torch, and {LIMITS[dtype]:.0e} is the limit")
        far[label] = worst
    return far
