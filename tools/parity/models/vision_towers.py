"""Makes tiny ViT and DINOv2 checkpoints with random weights, inputs, and every layer's output.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/vision_towers.py

Each case becomes a folder under crates/sensorium-models/tests/fixtures: `config.json` and `model.safetensors` as `save_pretrained` writes them, and
`reference.safetensors` with `input.pixels`, `hidden.0` (the embeddings) to `hidden.N`, `last_hidden_state`,
and `pooler_output` or `logits`. Seed 7. Weights are larger than a fresh model's, so that no layer is near
the identity.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    Dinov2Config,
    Dinov2ForImageClassification,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersForImageClassification,
    Dinov2WithRegistersModel,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

FIXTURES = Path(__file__).parents[3] / "crates/sensorium-models/tests/fixtures"
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 8, "patch_size": 4}
VIT = SMALL | {"intermediate_size": 24}
DINO = SMALL | {"mlp_ratio": 2}
LABELS = {"id2label": {0: "cat", 1: "dog", 2: "bird"}}

# name: (model, config, [height, width] of the input, further arguments of forward)
CASES = {
    "vit": (ViTModel, ViTConfig(**VIT), [8, 8], {}),
    "vit-odd": (
        ViTModel,
        ViTConfig(
            **VIT
            | {
                "num_attention_heads": 1,
                "image_size": [9, 14],
                "patch_size": [3, 5],
                "num_channels": 1,
                "hidden_act": "gelu_new",
                "qkv_bias": False,
                "layer_norm_eps": 1e-5,
                "pooler_output_size": 5,
                "pooler_act": "relu",
            }
        ),
        [9, 14],
        {},
    ),
    "vit-classification": (ViTForImageClassification, ViTConfig(**VIT | LABELS), [8, 8], {}),
    "vit-resized": (
        ViTForImageClassification,
        ViTConfig(**VIT | LABELS | {"image_size": 12}),
        [20, 8],
        {"interpolate_pos_encoding": True},
    ),
    "dinov2": (Dinov2Model, Dinov2Config(**DINO), [8, 8], {}),
    "dinov2-odd": (
        Dinov2Model,
        Dinov2Config(
            **DINO
            | {
                "num_attention_heads": 2,
                "patch_size": 3,
                "num_channels": 1,
                "hidden_act": "quick_gelu",
                "qkv_bias": False,
                "use_mask_token": False,
                "mlp_ratio": 1,
            }
        ),
        [7, 6],
        {},
    ),
    "dinov2-swiglu": (
        Dinov2ForImageClassification,
        Dinov2Config(**DINO | LABELS | {"use_swiglu_ffn": True}),
        [8, 8],
        {},
    ),
    "dinov2-resized": (
        Dinov2ForImageClassification,
        Dinov2Config(**DINO | LABELS | {"image_size": 20}),
        [30, 11],
        {},
    ),
    "dinov2-registers": (
        Dinov2WithRegistersModel,
        Dinov2WithRegistersConfig(**DINO | {"num_register_tokens": 3}),
        [8, 8],
        {},
    ),
    "dinov2-registers-resized": (
        Dinov2WithRegistersForImageClassification,
        Dinov2WithRegistersConfig(**DINO | LABELS | {"num_register_tokens": 2, "image_size": 20}),
        [30, 11],
        {},
    ),
}


def randomize(model: torch.nn.Module) -> None:
    """Weights by fan-in, norms and factors around one, all else around zero."""
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape)
        if "norm" in name and name.endswith("weight"):
            noise = 1 + 0.3 * noise
        elif "lambda" in name:
            noise = 0.5 + 0.3 * noise
        elif value.dim() in (2, 4) and name.endswith("weight"):
            noise = noise * 1.5 / (value[0].numel() ** 0.5)
        else:
            noise = noise * 0.5
        value.data.copy_(noise)


def results(model, given: dict, **arguments) -> dict:
    """Hidden states and the outputs of a tower or classifier."""
    pixels = given["input.pixels"]
    with torch.no_grad():
        out = model(pixels, output_hidden_states=True, **arguments)
        tensors = {f"hidden.{i}": hidden for i, hidden in enumerate(out.hidden_states)}
        tower = getattr(model, model.base_model_prefix, model)
        tensors["last_hidden_state"] = tower(pixels, **arguments).last_hidden_state
    for output in ("pooler_output", "logits"):
        if getattr(out, output, None) is not None:
            tensors[output] = getattr(out, output)
    return tensors


def checkpoint(folder: Path, model, given: dict, **arguments) -> None:
    model.save_pretrained(folder)
    tensors = given | results(model, given, **arguments)
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, folder / "reference.safetensors")


def main() -> None:
    for name, (kind, config, size, arguments) in CASES.items():
        torch.manual_seed(7)
        model = kind._from_config(config, attn_implementation="eager").eval()
        randomize(model)
        pixels = torch.randn(2, config.num_channels, *size)
        checkpoint(FIXTURES / name, model, {"input.pixels": pixels}, **arguments)


if __name__ == "__main__":
    main()
