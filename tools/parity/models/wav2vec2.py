"""Makes tiny wav2vec 2.0 and HuBERT checkpoints with random weights, inputs, and every layer's output.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/wav2vec2.py

Each case becomes a folder under crates/sensorium-models/tests/fixtures: `config.json` and `model.safetensors` as
`save_pretrained` writes them, and `reference.safetensors` with `input.samples` `[batch, samples]`, `features` (what the
convolutions give), `hidden.0` (what the blocks take) to `hidden.N`, `last_hidden_state`, and `logits`. Seed 7. Where the
model is told what is padding, `input.mask` is there. Where it cannot be told, as the norm of its first convolution hears
all there is, `input.lengths` and `alone.I` are: the last hidden state of each sound without its padding. `input.hidden`
`[batch, tokens]` and `hiding.last_hidden_state` are there where tokens are hidden.

Models of characters have losses as well. `labels.fits` and `labels.many` are texts, of which the second's last is longer
than its sound, filled with -100 and with a blank among them; `loss.WHICH.REDUCTION` and `loss.WHICH.REDUCTION.zeroed` (where
`ctc_zero_infinity` is set) what is computed of them, `loss.asked` what the model's own configuration asks for, and
`gradient.WHICH.PARAMETER` gradients of the mean, zeroed.

`ready-wav2vec2` holds a checkpoint with its processor, files of sound, and in `recordings.json` what Transformers'
pipeline writes down of them, whole and in windows. Its `reference.safetensors` has `audio_embeds`, the mean of the last
hidden state over a recording's tokens, and `probabilities` as `wav2vec2-classification` classifies them. Seed 13.
"""

import json
import wave
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import (
    AutomaticSpeechRecognitionPipeline,
    HubertConfig,
    HubertForCTC,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2Model,
)

from vision_towers import FIXTURES

TINY = {
    "vocab_size": 9,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "conv_dim": [8, 6, 10],
    "conv_stride": [4, 2, 2],
    "conv_kernel": [6, 3, 2],
    "num_conv_pos_embeddings": 6,
    "num_conv_pos_embedding_groups": 4,
    "classifier_proj_size": 7,
}
LARGE = TINY | {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
ODD = TINY | {
    "hidden_size": 18,
    "num_attention_heads": 1,
    "num_hidden_layers": 3,
    "hidden_act": "gelu_new",
    "feat_extract_activation": "relu",
    "conv_dim": [5],
    "conv_stride": [7],
    "conv_kernel": [9],
    "conv_bias": True,
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 5,
    "num_conv_pos_embedding_groups": 3,
    "layer_norm_eps": 1e-4,
    "mask_time_prob": 0.0,
    "pad_token_id": 4,
    "ctc_loss_reduction": "mean",
    "ctc_zero_infinity": True,
}
# So that gradients are those of what is computed without training.
STILL = {"hidden_dropout": 0.0, "attention_dropout": 0.0, "final_dropout": 0.0}
LABELS = {"id2label": {0: "rain", 1: "wind", 2: "birds"}}
CASES = {
    "wav2vec2": (Wav2Vec2Model, Wav2Vec2Config(**TINY)),
    "wav2vec2-ctc": (Wav2Vec2ForCTC, Wav2Vec2Config(**LARGE | STILL)),
    "wav2vec2-odd": (Wav2Vec2ForCTC, Wav2Vec2Config(**ODD | STILL)),
    "wav2vec2-classification": (
        Wav2Vec2ForSequenceClassification,
        Wav2Vec2Config(**TINY | LABELS | {"feat_extract_norm": "layer", "use_weighted_layer_sum": True}),
    ),
    "hubert": (HubertModel, HubertConfig(**LARGE | {"feat_proj_layer_norm": False})),
    "hubert-ctc": (HubertForCTC, HubertConfig(**TINY | STILL)),
}
LENGTHS = [150, 97]


def spread(model: torch.nn.Module) -> torch.nn.Module:
    """Weights as large as those of a trained model; the lengths of the positions' kernel stay what they are, unevenly."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("original0"):
                value.mul_(torch.empty_like(value).uniform_(0.5, 1.5))
            elif value.dim() >= 2:
                torch.nn.init.normal_(value, std=value[0].numel() ** -0.5)
            else:
                value.add_(torch.randn_like(value) * 0.1)
    return model.eval()


def layers(tower: torch.nn.Module, seen: dict) -> None:
    """Records what the convolutions give, what the blocks take and give, and what comes last."""

    def before(_, args, kwargs):
        seen["hidden.0"] = (args[0] if args else kwargs["hidden_states"]).clone()

    def keep(name, get):
        return lambda _, __, out: seen.__setitem__(name, get(out).clone())

    tower.feature_extractor.register_forward_hook(keep("features", lambda out: out.transpose(1, 2)))
    tower.encoder.layers[0].register_forward_pre_hook(before, with_kwargs=True)
    for i, layer in enumerate(tower.encoder.layers):
        layer.register_forward_hook(keep(f"hidden.{i + 1}", lambda out: out[0] if isinstance(out, tuple) else out))
    tower.encoder.register_forward_hook(keep("last_hidden_state", lambda out: out[0]))


def results(model: torch.nn.Module, inputs: dict) -> dict:
    tower = getattr(model, model.base_model_prefix, model)
    seen: dict[str, torch.Tensor] = {}
    samples, mask = inputs["input.samples"], inputs.get("input.mask")
    with torch.no_grad():
        if "input.hidden" in inputs:
            hidden = inputs["input.hidden"].bool()
            out = tower(samples, attention_mask=mask, mask_time_indices=hidden)
            seen["hiding.last_hidden_state"] = out.last_hidden_state
        for i, length in enumerate(inputs.get("input.lengths", [])):
            seen[f"alone.{i}"] = tower(samples[i : i + 1, :length]).last_hidden_state
        layers(tower, seen)
        out = model(samples, attention_mask=mask)
    if hasattr(out, "logits"):
        seen["logits"] = out.logits
    return seen


LEARNED = [
    "lm_head.weight",
    "lm_head.bias",
    "encoder.layers.1.attention.q_proj.weight",
    "encoder.pos_conv_embed.conv.bias",
    "feature_projection.projection.weight",
    "feature_extractor.conv_layers.0.conv.weight",
]


def losses(model: torch.nn.Module, inputs: dict) -> dict:
    """Losses of texts that fit into their sounds and of one that does not, and gradients of some parameters."""
    samples, mask = inputs["input.samples"], inputs.get("input.mask")
    blank = model.config.pad_token_id
    tokens = model(samples).logits.shape[1]
    many = torch.full((2, tokens + 1), -100)
    many[0, :3] = torch.tensor([5, 3, 1])
    many[1] = torch.arange(tokens + 1) % 3 + 5
    texts = {"fits": torch.tensor([[3, 3, 5, 1, 2], [7, blank, 6, -100, -100]]), "many": many}
    seen = {f"labels.{which}": labels for which, labels in texts.items()}
    asked = model.config.ctc_loss_reduction, model.config.ctc_zero_infinity
    seen["loss.asked"] = model(samples, attention_mask=mask, labels=texts["fits"]).loss.detach()
    for which, labels in texts.items():
        for zeroed in [False, True]:
            for reduction in ["sum", "mean"]:
                model.config.ctc_loss_reduction, model.config.ctc_zero_infinity = reduction, zeroed
                loss = model(samples, attention_mask=mask, labels=labels).loss
                seen[f"loss.{which}.{reduction}{'.zeroed' if zeroed else ''}"] = loss.detach()
        model.zero_grad()
        loss.backward()
        for name, value in model.named_parameters():
            short = name.removeprefix(model.base_model_prefix + ".")
            if short in LEARNED:
                seen[f"gradient.{which}.{short}"] = value.grad.clone()
    model.config.ctc_loss_reduction, model.config.ctc_zero_infinity = asked
    model.zero_grad()
    return {key: value.reshape(1) if value.dim() == 0 else value for key, value in seen.items()}


def checkpoint(folder: Path, model: torch.nn.Module, inputs: dict) -> None:
    tensors = inputs | results(model, inputs)
    if hasattr(model, "lm_head"):
        tensors |= losses(model, inputs)
    model.save_pretrained(folder)
    tensors = {key: value.contiguous().clone() for key, value in tensors.items()}
    save_file(tensors, folder / "reference.safetensors")


def given(config, lengths: list[int]) -> dict:
    samples = torch.randn(len(lengths), max(lengths))
    mask = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for i, length in enumerate(lengths):
        samples[i, length:] = 0
        mask[i, :length] = 1
    inputs = {"input.samples": samples}
    if config.feat_extract_norm == "layer":
        inputs["input.mask"] = mask
    else:
        inputs["input.lengths"] = torch.tensor(lengths)
    return inputs


def make(name: str, kind: type, config) -> None:
    torch.manual_seed(7)
    config._attn_implementation = "eager"
    model = spread(kind(config))
    inputs = given(config, LENGTHS)
    if config.mask_time_prob > 0:
        tokens = model._get_feat_extract_output_lengths(max(LENGTHS))
        inputs["input.hidden"] = (torch.rand(len(LENGTHS), tokens) < 0.3).long()
    folder = FIXTURES / name
    checkpoint(folder, model, inputs)
    print(f"{name}: {sum(file.stat().st_size for file in folder.iterdir()) // 1024} KiB")


CHARACTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"EATONI'"]
RATE_HZ = 2000
SPEAKING = LARGE | {
    "vocab_size": len(CHARACTERS),
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "conv_stride": [5, 2, 2],
    "conv_kernel": [10, 3, 2],
}
# Seconds of a window, and of what it shares with those before and after.
WINDOWS = [(0.5, 0.1), (0.6, [0.15, 0.05]), (1.0, None)]


def sound(seconds: float) -> np.ndarray:
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    tone = np.sin(2 * np.pi * (90 + 120 * np.sin(3 * at)) * at) * (0.3 + 0.3 * np.sin(17 * at))
    noise = np.random.default_rng(13).normal(size=len(at)) * 0.1 * (1 + np.sin(5 * at))
    return np.clip(np.round((tone + noise) * 20000), -32768, 32767).astype("<i2")


def recordings() -> None:
    """Files of sound, and what Transformers' pipeline makes of them."""
    torch.manual_seed(13)
    folder = FIXTURES / "ready-wav2vec2"
    folder.mkdir(exist_ok=True)
    config = Wav2Vec2Config(**SPEAKING)
    config._attn_implementation = "eager"
    model = spread(Wav2Vec2ForCTC(config))
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=RATE_HZ, return_attention_mask=True)
    (folder / "vocab.json").write_text(json.dumps({c: i for i, c in enumerate(CHARACTERS)}) + "\n")
    tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    sounds = {"short.wav": sound(0.4), "long.wav": sound(2.7)}
    with torch.no_grad():
        whole = sounds["long.wav"].astype(np.float32) / 32768
        values = extractor(whole, sampling_rate=RATE_HZ, return_tensors="pt").input_values
        logits = model(values).logits[0]
        # So that all characters are said, and some are likelier than others by little.
        model.lm_head.weight.mul_(3.0)
        model.lm_head.bias.mul_(3.0).sub_(3.0 * logits.mean(0))
        model.lm_head.bias[[1, 2, 3]] -= 4.0
        model.lm_head.bias[0] += 1.0
    extractor.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    pipeline = AutomaticSpeechRecognitionPipeline(model, feature_extractor=extractor, tokenizer=tokenizer)
    found = {}
    for name, samples in sounds.items():
        with wave.open(str(folder / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(samples.tobytes())
        samples = samples.astype(np.float32) / 32768
        cases = []
        for window, stride in [(0, None), *WINDOWS]:
            spoken = pipeline(samples.copy(), return_timestamps="word", chunk_length_s=window, stride_length_s=stride)
            words = [[word["text"], *word["timestamp"]] for word in spoken["chunks"]]
            shares = [window / 6] * 2 if stride is None else stride if isinstance(stride, list) else [stride] * 2
            cases.append({"window_s": window, "shares_s": shares, "text": spoken["text"], "words": words})
        found[name] = cases
        print(name, [case["text"] for case in cases])
    (folder / "recordings.json").write_text(json.dumps(found, indent=1) + "\n")
    classifier = Wav2Vec2ForSequenceClassification.from_pretrained(FIXTURES / "wav2vec2-classification").eval()
    tensors: dict[str, list] = {"audio_embeds": [], "probabilities": []}
    for samples in sounds.values():
        samples = samples.astype(np.float32) / 32768
        values = extractor(samples, sampling_rate=RATE_HZ, return_tensors="pt").input_values
        with torch.no_grad():
            tensors["audio_embeds"].append(model.wav2vec2(values).last_hidden_state.mean(1))
            tensors["probabilities"].append(classifier(values).logits.softmax(-1))
    save_file({key: torch.cat(rows) for key, rows in tensors.items()}, folder / "reference.safetensors")


if __name__ == "__main__":
    for case, (kind, settings) in CASES.items():
        make(case, kind, settings)
    recordings()
