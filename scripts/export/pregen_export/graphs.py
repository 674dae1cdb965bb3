"""A module to model.onnx, with its weights beside it where they are large, and without what the exporter leaves behind."""

import logging
import os
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from .component import Component, Tensors

OPSET = 18
DATA_FILE = "model.onnx_data"
INLINE_BYTES = 1_500_000_000
"""protobuf ends at 2 GB."""


def export_graph(module: nn.Module, inputs: Tensors, component: Component, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arguments, names = tuple(inputs.values()), list(inputs)
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if component.traced:
                named = [*names, *component.outputs]
                axes = {name: axes for name, axes in component.axes.items() if name in named}
                torch.onnx.export(
                    module, arguments, str(path), input_names=names, output_names=component.outputs,
                    dynamic_axes=axes, opset_version=OPSET, dynamo=False,
                )
                if weight_bytes(module) > INLINE_BYTES:
                    gather(path)
            else:
                # Named dimensions that the graph freezes are errors; automatic ones would be frozen without a word.
                shapes = tuple(dict(component.axes.get(name, {})) for name in names)
                torch.onnx.export(
                    module, arguments, str(path), input_names=names, output_names=component.outputs,
                    dynamic_shapes=shapes, opset_version=OPSET, dynamo=True, verbose=False,
                    external_data=weight_bytes(module) > INLINE_BYTES,
                )
                clean(path)
    finally:
        logging.disable(level)
    onnx.checker.check_model(str(path))


def gather(path: Path) -> None:
    """TorchScript's exporter writes a file for each tensor of what is too large for one: they become one."""
    model = onnx.load(str(path))
    for each in path.parent.iterdir():
        each.unlink()
    onnx.save(
        model, str(path), save_as_external_data=True, all_tensors_to_one_file=True, location=DATA_FILE, size_threshold=1024
    )


def weight_bytes(module: nn.Module) -> int:
    tensors = [*module.parameters(), *module.buffers()]
    return sum(each.numel() * each.element_size() for each in tensors)


def clean(path: Path) -> None:
    """Drops the stack traces that stand at every node, and names the weights' file as optimum does."""
    model = onnx.load(str(path), load_external_data=False)

    def strip(graph: onnx.GraphProto) -> None:
        for node in graph.node:
            node.ClearField("metadata_props")
            node.doc_string = ""
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    strip(attribute.g)
        for value in [*graph.input, *graph.output, *graph.initializer]:
            value.ClearField("metadata_props")
        graph.ClearField("metadata_props")
        del graph.value_info[:]

    strip(model.graph)
    for function in model.functions:
        function.ClearField("metadata_props")
        del function.value_info[:]
        for node in function.node:
            node.ClearField("metadata_props")
    model.ClearField("metadata_props")
    written = path.with_name(path.name + ".data")
    if written.exists():
        os.replace(written, path.with_name(DATA_FILE))
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = DATA_FILE
    onnx.save(model, str(path))
