"""Checkpoints of published size with random weights: made with inputs and results, and read back once they were saved.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/full.py make FOLDER [CASE ...]
    python tools/parity/models/full.py check FOLDER [CASE ...]

`cargo xtask parity --full` runs both. `make` writes a folder a case, as the scripts beside this one do for tiny ones;
`check` loads what was saved in `FOLDER/CASE/saved` with `from_pretrained`, and compares its weights and results with what
was made: the weights to the bit. Seed 7. Weights are as a fresh model has them, but that norms and biases, which begin as
ones and zeros, are random.
"""

import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformers import (
    ASTConfig,
    BertConfig,
    ClapConfig,
    CLIPConfig,
    Dinov2Config,
    Dinov2WithRegistersConfig,
    RobertaConfig,
    SiglipConfig,
    ViTConfig,
    Wav2Vec2Config,
    WhisperConfig,
)

import ast_towers
import bert
import image_text
import sound_text
import vision_towers
import wav2vec2
import whisper

# As the models of these names on the hub.
LAION = {"hidden_act": "gelu"}
CASES = {
    "bert-base-uncased": ("BertForMaskedLM", BertConfig()),
    "roberta-base": (
        "RobertaForSequenceClassification",
        RobertaConfig(
            vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1
        ),
    ),
    "vit-base-patch16-224": ("ViTForImageClassification", ViTConfig(num_labels=1000)),
    "dinov2-base": ("Dinov2Model", Dinov2Config(image_size=518, patch_size=14)),
    "dinov2-with-registers-small": (
        "Dinov2WithRegistersForImageClassification",
        Dinov2WithRegistersConfig(
            hidden_size=384, num_attention_heads=6, image_size=518, patch_size=14, num_register_tokens=4, num_labels=1000
        ),
    ),
    "clip-vit-base-patch32": ("CLIPModel", CLIPConfig()),
    "clip-vit-b-16-laion": (
        "CLIPModel",
        CLIPConfig(text_config=LAION | {"eos_token_id": 2}, vision_config=LAION | {"patch_size": 16}),
    ),
    "siglip-base-patch16-224": ("SiglipModel", SiglipConfig()),
    "ast-finetuned-audioset": ("ASTForAudioClassification", ASTConfig(num_labels=527)),
    "whisper-tiny": ("WhisperForConditionalGeneration", WhisperConfig()),
    "siglip2-base-patch16-224": ("SiglipModel", SiglipConfig(text_config={"vocab_size": 256000})),
    "clap-htsat-unfused": ("ClapModel", ClapConfig()),
    "clap-htsat-fused": ("ClapModel", ClapConfig(audio_config={"enable_fusion": True})),
    "wav2vec2-base-960h": ("Wav2Vec2ForCTC", Wav2Vec2Config()),
}
# Samples of the sounds: two seconds and one.
LENGTHS = [32000, 16000]
SIDE = 224
CHANNELS = 3
# Layers of this many numbers add up to more rounding than the weights themselves have.
TOLERANCE = 1e-5


def texts(config) -> dict:
    """One text of full length, and a short one. The end has the largest id, as in CLIP's vocabulary."""
    config = getattr(config, "text_config", config)
    is_siglip = "siglip" in config.model_type
    length = config.max_position_embeddings - (2 if config.model_type in ("roberta", "clap_text_model") else 0)
    end = config.vocab_size - 1
    ids = torch.randint(3, end, (2, length))
    mask = torch.ones_like(ids)
    ids[0, -1] = ids[1, 7] = end
    mask[1, 8:] = 0
    ids[mask == 0] = config.pad_token_id or 0
    given = {"input.ids": ids, "input.mask": mask}
    if config.model_type in ("bert", "roberta"):
        given["input.types"] = torch.zeros_like(ids)
        if config.type_vocab_size > 1:
            given["input.types"][0, length // 2 :] = 1
    assert not is_siglip or length == 64
    return given


def randomize(model: torch.nn.Module) -> None:
    for name, value in model.named_parameters():
        if (value.dim() == 1 and value.numel() > 1) or name.endswith("bias_table"):
            value.data.add_(0.05 * torch.randn(value.shape))


def given(config) -> dict:
    tensors = {}
    kind = config.model_type
    if kind == "audio-spectrogram-transformer":
        return ast_towers.given(config)
    if kind == "whisper":
        return whisper.given(config, torch.randint(0, config.vocab_size, (2, config.max_target_positions)))
    if kind == "clap":
        return texts(config) | sound_text.given(config)
    if kind == "wav2vec2":
        return wav2vec2.given(config, LENGTHS)
    if kind in ("bert", "roberta", "clip", "siglip"):
        tensors |= texts(config)
    if kind not in ("bert", "roberta"):
        tensors["input.pixels"] = torch.randn(2, CHANNELS, SIDE, SIDE)
    return tensors


def family(config):
    """The script that knows the family's results."""
    scripts = {"audio-spectrogram-transformer": ast_towers, "whisper": whisper}
    scripts |= {"bert": bert, "roberta": bert, "clip": image_text, "siglip": image_text, "clap": sound_text}
    scripts = {"audio-spectrogram-transformer": ast_towers, "wav2vec2": wav2vec2, "whisper": whisper}
    scripts |= {"bert": bert, "roberta": bert, "clip": image_text, "siglip": image_text}
    return scripts.get(config.model_type, vision_towers)


def make(folder: Path, name: str) -> None:
    kind, config = CASES[name]
    torch.manual_seed(7)
    model = getattr(transformers, kind)._from_config(config, attn_implementation="eager").eval()
    randomize(model)
    sound_text.learn_something(model)
    family(config).checkpoint(folder, model, given(config))
    count = sum(value.numel() for value in model.parameters())
    print(f"{name}: {count / 1e6:.0f} M parameters", flush=True)


def check(folder: Path, name: str) -> None:
    kind = getattr(transformers, CASES[name][0])
    saved = kind.from_pretrained(folder / "saved", attn_implementation="eager").eval()
    made = kind.from_pretrained(folder, attn_implementation="eager").state_dict()
    for key, value in saved.state_dict().items():
        assert torch.equal(value, made.pop(key)), f"{name}: {key} has other numbers"
    assert not made, f"{name}: {list(made)} were not saved"
    reference = load_file(folder / "reference.safetensors")
    inputs = {key: value for key, value in reference.items() if key.startswith("input.")}
    found = family(saved.config).results(saved, inputs)
    assert len(found) == len(reference) - len(inputs), f"{name}: other results: {sorted(found)}"
    worst = max((found[key] - reference[key]).abs().max().item() for key in found)
    assert worst <= TOLERANCE, f"{name}: results differ by {worst}"
    print(f"{name}: read back by Python, weights equal, results within {worst:.1e}", flush=True)


def main(step: str, folder: str, *names: str) -> None:
    unknown = [name for name in names if name not in CASES]
    if unknown:
        sys.exit(f"error: there is no case {', '.join(unknown)}; there are minilm, {', '.join(CASES)}")
    do = {"make": make, "check": check}[step]
    for name in names or CASES:
        do(Path(folder) / name, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
