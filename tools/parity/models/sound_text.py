"""Makes tiny CLAP checkpoints with random weights, inputs, and every layer's output.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/sound_text.py

Each case becomes a folder under crates/sensorium-models/tests/fixtures: `config.json` and `model.safetensors` as
`save_pretrained` writes them, and `reference.safetensors` with `input.features` `[batch, views, frames, bands]`,
`input.longer` (1 = too long), `input.ids` and `input.mask` (1 = not padding). Of the text tower there are `hidden.0` (the
embeddings) to `hidden.N`, `last_hidden_state` and `pooler_output`; of the audio tower `embeds`, `blocks.S.B` (stage and
block) and `stages.S`, each `[batch, rows, columns, width]`, `last_hidden_state` `[batch, places, width]`, and
`pooler_output`; of a whole model these stand under `text.` and `audio.`, beside `text_embeds`, `audio_embeds` (of length
one), `logits_per_audio` and `logits_per_text`. Of an audio tower alone there is also what a step of training sees:
`train.pooler_output`, and `train.mean` and `train.variance`, which its batch norm has learned after it. Seed 7.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    ClapAudioConfig,
    ClapAudioModel,
    ClapAudioModelWithProjection,
    ClapConfig,
    ClapModel,
    ClapTextConfig,
    ClapTextModel,
    ClapTextModelWithProjection,
)

from vision_towers import FIXTURES, randomize

TEXT = {
    "hidden_size": 12,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "vocab_size": 24,
    "max_position_embeddings": 10,
}
ODD_TEXT = TEXT | {
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "hidden_act": "relu",
    "layer_norm_eps": 1e-3,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
    "pad_token_id": 3,
}
AUDIO = {
    "num_mel_bins": 8,
    "spec_size": 32,
    "window_size": 3,
    "patch_embeds_hidden_size": 8,
    "hidden_size": 16,
    "depths": [2, 1],
    "num_attention_heads": [2, 4],
    "mlp_ratio": 1.5,
    "hidden_dropout_prob": 0.0,
}
FUSED = AUDIO | {"enable_fusion": True, "fusion_type": "aff_2d", "aff_block_r": 3}
# Bands and frames do not fill the square, patches overlap, the grid is no square and fills no windows.
ODD_AUDIO = AUDIO | {
    "num_mel_bins": 10,
    "spec_size": 48,
    "patch_size": [5, 6],
    "patch_stride": [3, 4],
    "window_size": 4,
    "depths": [3, 2],
    "num_attention_heads": [1, 2],
    "hidden_act": "gelu_new",
    "qkv_bias": False,
    "layer_norm_eps": 1e-3,
    "enable_patch_layer_norm": False,
}
PROJECTION = {"projection_dim": 6}
IDS = [[0, 9, 4, 7, 2, 1, 1], [0, 2, 1, 1, 1, 1, 1], [0, 5, 6, 7, 8, 9, 2]]
ODD_IDS = [[0, 9, 4, 7, 2, 3, 3], [0, 2, 3, 3, 3, 3, 3], [0, 5, 6, 7, 8, 9, 2]]
MASK = [[1, 1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]]


def clap(text: dict, audio: dict, **rest) -> ClapConfig:
    return ClapConfig(text_config=text, audio_config=audio, **PROJECTION, **rest)


# name: (model, config, ids, frames, which sounds are too long)
CASES = {
    "clap": (ClapModel, clap(TEXT, AUDIO), IDS, 121, [0, 0]),
    "clap-fused": (ClapModel, clap(TEXT, FUSED, projection_hidden_act="gelu"), IDS, 90, [1, 0, 1]),
    "clap-odd": (
        ClapModel,
        clap(ODD_TEXT, ODD_AUDIO, projection_hidden_act="silu", logit_scale_init_value=3.5),
        ODD_IDS,
        # What has too few bands is not stretched in time as well.
        192,
        [0, 0],
    ),
    "clap-text": (ClapTextModel, ClapTextConfig(**TEXT), IDS, None, None),
    "clap-text-projection": (ClapTextModelWithProjection, ClapTextConfig(**TEXT, **PROJECTION), IDS, None, None),
    "clap-audio": (ClapAudioModel, ClapAudioConfig(**AUDIO), None, 128, [0, 0]),
    "clap-audio-fused": (ClapAudioModel, ClapAudioConfig(**FUSED | {"depths": [1, 1]}), None, 121, [0, 1, 1]),
    "clap-audio-projection": (
        ClapAudioModelWithProjection,
        ClapAudioConfig(**AUDIO, **PROJECTION),
        None,
        64,
        [0, 0],
    ),
}


def given(config: ClapConfig) -> dict:
    """Ten seconds of two sounds, in decibels; where views are fused, the first is too long."""
    views = 4 if config.audio_config.enable_fusion else 1
    features = 15 * torch.randn(2, views, 1001, config.audio_config.num_mel_bins) - 40
    return {"input.features": features, "input.longer": torch.tensor([int(views > 1), 0])}


def learn_something(model: torch.nn.Module) -> None:
    """Batch norms begin with means of zero and variances of one, which would hide a mistake."""
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn(buffer.shape))
        elif name.endswith("running_var"):
            buffer.copy_(0.5 + torch.rand(buffer.shape))


def square(hidden: torch.Tensor, grid: tuple) -> torch.Tensor:
    return hidden.reshape(hidden.shape[0], *grid, hidden.shape[-1])


def text_tower(tower, texts: dict, prefix: str) -> dict:
    out = tower(**texts, output_hidden_states=True)
    tensors = {f"{prefix}hidden.{i}": hidden for i, hidden in enumerate(out.hidden_states)}
    return tensors | {f"{prefix}{name}": out[name] for name in ("last_hidden_state", "pooler_output")}


def audio_tower(tower, sounds: dict, prefix: str) -> dict:
    encoder, tensors, handles = tower.audio_encoder, {}, []

    def keep(name: str, grid: tuple):
        def hook(_module, _inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            tensors[prefix + name] = square(output, grid)

        return hook

    handles.append(encoder.patch_embed.register_forward_hook(keep("embeds", encoder.input_resolutions[0])))
    for s, stage in enumerate(encoder.layers):
        grid = encoder.input_resolutions[s]
        for b, block in enumerate(stage.blocks):
            handles.append(block.register_forward_hook(keep(f"blocks.{s}.{b}", grid)))
        after = encoder.input_resolutions[s + 1] if stage.downsample else grid
        handles.append(stage.register_forward_hook(keep(f"stages.{s}", after)))
    out = tower(**sounds)
    for handle in handles:
        handle.remove()
    tensors[f"{prefix}last_hidden_state"] = out.last_hidden_state.flatten(2).transpose(1, 2)
    tensors[f"{prefix}pooler_output"] = out.pooler_output
    return tensors


def trained(tower, sounds: dict) -> dict:
    """A step of training, after which the tower is as it was."""
    before = {name: buffer.clone() for name, buffer in tower.named_buffers()}
    pooled = tower.train()(**sounds).pooler_output
    norm = tower.audio_encoder.batch_norm
    tensors = {"train.pooler_output": pooled, "train.mean": norm.running_mean, "train.variance": norm.running_var}
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    tower.eval()
    for name, buffer in tower.named_buffers():
        buffer.copy_(before[name])
    return tensors


@torch.no_grad()
def results(model, given: dict) -> dict:
    """What each layer gives, and the outputs."""
    texts, sounds = {}, {}
    if "input.ids" in given:
        texts = {"input_ids": given["input.ids"], "attention_mask": given["input.mask"]}
    if "input.features" in given:
        sounds = {"input_features": given["input.features"], "is_longer": given["input.longer"].bool()[:, None]}
    if isinstance(model, ClapTextModel):
        return text_tower(model, texts, "")
    if isinstance(model, ClapAudioModel):
        return audio_tower(model, sounds, "") | trained(model, sounds)
    if isinstance(model, ClapTextModelWithProjection):
        return text_tower(model.text_model, texts, "") | {"text_embeds": model(**texts).text_embeds}
    if isinstance(model, ClapAudioModelWithProjection):
        return audio_tower(model.audio_model, sounds, "") | {"audio_embeds": model(**sounds).audio_embeds}
    tensors = text_tower(model.text_model, texts, "text.") | audio_tower(model.audio_model, sounds, "audio.")
    tensors["text_embeds"] = model.get_text_features(**texts).pooler_output
    tensors["audio_embeds"] = model.get_audio_features(**sounds).pooler_output
    out = model(**texts, **sounds)
    return tensors | {name: out[name] for name in ("logits_per_audio", "logits_per_text")}


def checkpoint(folder: Path, model, given: dict) -> None:
    model.save_pretrained(folder)
    tensors = given | results(model, given)
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, folder / "reference.safetensors")


def main() -> None:
    for name, (kind, config, ids, frames, longer) in CASES.items():
        torch.manual_seed(7)
        model = kind._from_config(config, attn_implementation="eager").eval()
        randomize(model)
        learn_something(model)
        given = {}
        if ids is not None:
            given |= {"input.ids": torch.tensor(ids), "input.mask": torch.tensor(MASK)}
        if frames is not None:
            audio = getattr(config, "audio_config", config)
            views = 4 if audio.enable_fusion else 1
            given["input.features"] = torch.randn(len(longer), views, frames, audio.num_mel_bins)
            given["input.longer"] = torch.tensor(longer)
        checkpoint(FIXTURES / name, model, given)


if __name__ == "__main__":
    main()
