"""Text encoders as graphs."""

import torch
from torch import nn

from .component import Component, Tensors

AXES = {"input_ids": {0: "batch", 1: "tokens"}, "attention_mask": {0: "batch", 1: "tokens"}}
CHECKS = {"1 × 17": (1, 17, 0), "3 × 300, padded": (3, 300, 200)}


def example(part: nn.Module, size: tuple[int, int, int], _dtype: torch.dtype) -> Tensors:
    """Batch, tokens, and how many of the last row's pad."""
    batch, tokens, pads = size
    generator = torch.Generator().manual_seed(batch * 1000 + tokens)
    config = getattr(part.config, "text_config", part.config)
    ids = torch.randint(0, min(config.vocab_size, 1000), (batch, tokens), generator=generator)
    mask = torch.ones(batch, tokens, dtype=torch.int64)
    if pads:
        mask[-1, tokens - pads :] = 0
    return {"input_ids": ids, "attention_mask": mask}


class CausalStates(nn.Module):
    """
    A Qwen's hidden states: K is what goes into layer K, and the number of layers what the final norm gives. Layers after
    the last one that is wanted are left out of the graph.
    """

    def __init__(self, decoder: nn.Module, wanted: list[int], sections: int):
        super().__init__()
        self.embed_tokens, self.rotary_emb = decoder.embed_tokens, decoder.rotary_emb
        self.layers = decoder.layers[: max(wanted)]
        self.norm = decoder.norm if max(wanted) == len(decoder.layers) else None
        self.wanted, self.sections = wanted, sections
        for layer in self.layers:
            layer.self_attn.config._attn_implementation = "eager"

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor):
        states = self.embed_tokens(input_ids)
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        sees = (places[None, :] <= places[:, None])[None, None] & (attention_mask[:, None, None, :] > 0)
        zero = torch.zeros((), dtype=states.dtype)
        bias = torch.where(sees, zero, torch.full((), torch.finfo(states.dtype).min, dtype=states.dtype))
        positions = places[None] if self.sections == 1 else places[None, None].expand(self.sections, 1, -1)
        rotation = self.rotary_emb(states, positions)
        found = {0: states}
        for index, layer in enumerate(self.layers):
            given = layer(states, attention_mask=bias, position_embeddings=rotation)
            states = given[0] if isinstance(given, tuple) else given
            found[index + 1] = states
        if self.norm is not None:
            found[len(self.layers)] = self.norm(states)
        return tuple(found[each] for each in self.wanted)


def decoder_of(model: nn.Module) -> nn.Module:
    core = getattr(model, "model", model)
    return getattr(core, "language_model", core)


def causal(wanted: list[int], outputs: list[str], sections: int = 1) -> Component:
    """@param wanted hidden states, as transformers counts them. @param sections of the positions: 3 for Qwen2.5-VL."""

    def reference(model: nn.Module, input_ids: torch.Tensor, attention_mask: torch.Tensor):
        given = model(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True, use_cache=False
        )
        return tuple(given.hidden_states[each] for each in wanted)

    return Component(
        name="text_encoder", part="text_encoder", outputs=outputs, axes=AXES, example=example,
        graph=lambda model: CausalStates(decoder_of(model), wanted, sections), reference=reference,
        export_size=(2, 9, 3), check_sizes=CHECKS, real_rows="attention_mask",
    )


class T5States(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor):
        return self.model(input_ids=input_ids, attention_mask=attention_mask)[0]


def t5() -> Component:
    return Component(
        name="text_encoder", part="text_encoder", outputs=["last_hidden_state"], axes=AXES, example=example,
        graph=T5States, reference=lambda model, **inputs: model(**inputs)[0],
        export_size=(2, 9, 3), check_sizes=CHECKS,
    )
