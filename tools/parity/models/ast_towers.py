"""Makes tiny audio spectrogram transformers with random weights, inputs, and every layer's output.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/ast_towers.py

Each case becomes a folder under crates/sensorium-models/tests/fixtures: `config.json` and `model.safetensors` as
`save_pretrained` writes them, and `reference.safetensors` with `input.features` `[batch, frames, bands]`, `hidden.0` (the
embeddings) to `hidden.N`, `last_hidden_state`, and `pooler_output` or `logits`. Seed 7.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import ASTConfig, ASTForAudioClassification, ASTModel

from vision_towers import FIXTURES, randomize

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "patch_size": 4,
    "frequency_stride": 3,
    "time_stride": 2,
    "max_length": 13,
    "num_mel_bins": 10,
}
ODD = {"num_attention_heads": 1, "hidden_act": "gelu_new", "qkv_bias": False, "layer_norm_eps": 1e-5, "time_stride": 5}
LABELS = {"id2label": {0: "rain", 1: "wind", 2: "birds"}}
CASES = {
    "ast": (ASTModel, ASTConfig(**SMALL)),
    "ast-odd": (ASTModel, ASTConfig(**SMALL | ODD)),
    "ast-classification": (ASTForAudioClassification, ASTConfig(**SMALL | LABELS)),
}


def given(config: ASTConfig) -> dict:
    return {"input.features": torch.randn(2, config.max_length, config.num_mel_bins)}


def results(model: torch.nn.Module, inputs: dict) -> dict:
    features = inputs["input.features"]
    with torch.no_grad():
        out = model(features, output_hidden_states=True)
        tower = getattr(model, model.base_model_prefix, model)
        last = tower(features).last_hidden_state
    tensors = {f"hidden.{i}": hidden for i, hidden in enumerate(out.hidden_states)}
    tensors["last_hidden_state"] = last
    for output in ("pooler_output", "logits"):
        if getattr(out, output, None) is not None:
            tensors[output] = getattr(out, output)
    return tensors


def checkpoint(folder: Path, model: torch.nn.Module, inputs: dict) -> None:
    model.save_pretrained(folder)
    tensors = results(model, inputs) | inputs
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, folder / "reference.safetensors")


def make(name: str, kind: type, config: ASTConfig) -> None:
    torch.manual_seed(7)
    model = kind._from_config(config, attn_implementation="eager").eval()
    randomize(model)
    checkpoint(FIXTURES / name, model, given(config))


if __name__ == "__main__":
    for name, (kind, config) in CASES.items():
        make(name, kind, config)
