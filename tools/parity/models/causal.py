"""Makes tiny causal language models with random weights, inputs, every layer's output, and texts that they go on with.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/causal.py

Each case becomes a folder under crates/sensorium-models/tests/fixtures: `config.json` and `model.safetensors` as
`save_pretrained` writes them, and `reference.safetensors` with `input.ids` and `input.mask` (padding behind the second text),
`hidden.0` (what the blocks take) to `hidden.N`, `last_hidden_state` (after the norm), `logits`, and for three prompts of
several lengths `prompt.I` and what greedy generation makes of it alone, `greedy.I`. Seed 7.

`ready-causal-bf16` and `ready-causal-f16` hold weights in half precision; what they gave was computed with these weights in single
precision. `ready-causal-older` is a GPT-2 in the layout of its first checkpoints: no prefix, and the masks as tensors.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from vision_towers import FIXTURES

IDS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
LLAMA = IDS | {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
GPT2 = IDS | {"vocab_size": 40, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 32}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 50.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
YARN = {"rope_type": "yarn", "rope_theta": 30.0, "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 3}

CASES = {
    "llama": (LlamaForCausalLM, LlamaConfig(**LLAMA)),
    "llama-headless": (LlamaModel, LlamaConfig(**LLAMA)),
    # Three heads of keys and one, widths of their own, biases, texts that are four times as long.
    "llama-odd": (
        LlamaForCausalLM,
        LlamaConfig(
            **LLAMA
            | {
                "hidden_size": 12,
                "num_attention_heads": 3,
                "num_key_value_heads": 1,
                "head_dim": 6,
                "num_hidden_layers": 3,
                "attention_bias": True,
                "mlp_bias": True,
                "rms_norm_eps": 1e-3,
                "tie_word_embeddings": True,
                "rope_parameters": {"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0},
            }
        ),
    ),
    "llama3": (LlamaForCausalLM, LlamaConfig(**LLAMA | {"head_dim": 16, "rope_parameters": LLAMA3})),
    "llama-yarn": (LlamaForCausalLM, LlamaConfig(**LLAMA | {"head_dim": 16, "rope_parameters": YARN})),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**LLAMA | {"tie_word_embeddings": True})),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**LLAMA | {"head_dim": 10})),
    "gpt2": (GPT2LMHeadModel, GPT2Config(**GPT2)),
    "gpt2-odd": (
        GPT2LMHeadModel,
        GPT2Config(**GPT2 | {"n_inner": 20, "activation_function": "relu", "tie_word_embeddings": False, "n_head": 2}),
    ),
    "gpt2-headless": (GPT2Model, GPT2Config(**GPT2)),
}
INPUT = torch.tensor([[1, 5, 9, 30, 2, 17, 4], [3, 39, 39, 0, 7, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0]])
PROMPTS = [[4], [8, 31, 2, 25, 25, 11], [39, 0, 6]]
NEW = 12


def spread(model: torch.nn.Module) -> torch.nn.Module:
    """Weights as large as those of a trained model; norms around one, so that no text falls into a loop at once."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            noise = torch.randn_like(value)
            if value.dim() == 1:
                value.copy_((1 + 0.3 * noise) if name.endswith("weight") else 0.2 * noise)
            elif "embed" in name or "wte" in name or "wpe" in name:
                value.copy_(noise)
            else:
                # GPT-2's weights are [in, out].
                inputs = value.shape[0] if ".c_" in name else value.shape[1]
                value.copy_(1.5 * noise * inputs**-0.5)
    return model.eval()


def results(model: torch.nn.Module) -> dict:
    has_logits = hasattr(model, "lm_head")
    whole = getattr(model, "model", getattr(model, "transformer", model)) if has_logits else model
    layers, norm = (whole.layers, whole.norm) if hasattr(whole, "layers") else (whole.h, whole.ln_f)
    seen = {}

    def before(_, args, kwargs):
        seen["hidden.0"] = (args[0] if args else kwargs["hidden_states"]).clone()

    def after(name):
        return lambda _, __, out: seen.__setitem__(name, (out[0] if isinstance(out, tuple) else out).clone())

    hooks = [layers[0].register_forward_pre_hook(before, with_kwargs=True)]
    hooks += [layer.register_forward_hook(after(f"hidden.{i + 1}")) for i, layer in enumerate(layers)]
    hooks += [norm.register_forward_hook(after("last_hidden_state"))]
    with torch.no_grad():
        out = model(input_ids=INPUT, attention_mask=MASK)
    for hook in hooks:
        hook.remove()
    seen |= {"input.ids": INPUT, "input.mask": MASK}
    if not has_logits:
        return seen
    for i, prompt in enumerate(PROMPTS):
        ids = torch.tensor([prompt])
        made = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False, pad_token_id=0)
        seen |= {f"prompt.{i}": ids[0], f"greedy.{i}": made[0, len(prompt) :]}
    return seen | {"logits": out.logits}


def make(name: str, kind: type, config) -> torch.nn.Module:
    torch.manual_seed(7)
    config._attn_implementation = "eager"
    model = spread(kind(config))
    folder = FIXTURES / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    save(folder, results(model))
    return model


def save(folder: Path, tensors: dict) -> None:
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "reference.safetensors")
    print(f"{folder.name}: {sum(file.stat().st_size for file in folder.iterdir()) // 1024} KiB")


def halves() -> None:
    for name, dtype in [("bf16", torch.bfloat16), ("f16", torch.float16)]:
        torch.manual_seed(7)
        config = LlamaConfig(**LLAMA | {"num_hidden_layers": 1})
        config._attn_implementation = "eager"
        half = spread(LlamaForCausalLM(config)).to(dtype)
        folder = FIXTURES / f"ready-causal-{name}"
        half.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        # Read anew: what rotary positions turn by is no weight, and was rounded with them.
        single = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        save(folder, results(single))


def older(model: GPT2LMHeadModel) -> None:
    folder = FIXTURES / "ready-causal-older"
    folder.mkdir(exist_ok=True)
    named = load_file(FIXTURES / "gpt2/model.safetensors")
    tensors = {name.removeprefix("transformer."): value for name, value in named.items()}
    size = GPT2["n_positions"]
    for layer in range(GPT2["n_layer"]):
        tensors[f"h.{layer}.attn.bias"] = torch.ones(1, 1, size, size).tril().to(torch.uint8)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((FIXTURES / "gpt2/config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save(folder, results(model))


def main() -> None:
    torch.set_num_threads(1)
    for name, (kind, config) in CASES.items():
        model = make(name, kind, config)
        if name == "gpt2":
            older(model)
    halves()


if __name__ == "__main__":
    main()
