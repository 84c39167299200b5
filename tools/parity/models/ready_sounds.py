"""Small whole checkpoints that hear, files in, as published ones come: weights and preparation.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/ready_sounds.py

Into crates/sensorium-models/tests/fixtures go `ready-sounds`, two recordings, and with what Transformers makes of them

- ready-ast: `audio_embeds`, the pooled output, and `probabilities` of its classes;
- ready-hears: a Whisper's encoder, and `audio_embeds`, the mean over those of its last hidden states that hold sound.

Seed 7, float32.
"""

import wave
from pathlib import Path

import numpy as np
import torch
from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification, WhisperConfig, WhisperFeatureExtractor, WhisperModel

from ready import FIXTURES, spread, write

RATE_HZ = 16_000
SOUNDS = FIXTURES / "ready-sounds"
BLOCKS = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}


def recordings() -> list[np.ndarray]:
    """A tone that rises, longer than what AST hears here, and a short burst of noise; made, and written, once."""
    SOUNDS.mkdir(exist_ok=True)
    time = np.arange(RATE_HZ // 2) / RATE_HZ
    rising = 0.4 * np.sin(2 * np.pi * (200 * time + 1500 * time**2)) + 0.01 * np.sin(2 * np.pi * 3100 * time)
    noise = 0.2 * np.random.default_rng(7).standard_normal(RATE_HZ * 3 // 20).clip(-3, 3)
    found = []
    for name, samples in (("rising.wav", rising), ("noise.wav", noise)):
        steps = (samples * 32767).astype("<i2")
        with wave.open(str(SOUNDS / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(steps.tobytes())
        found.append(steps.astype(np.float32) / 32768)
    return found


def ast(out: Path, sounds: list[np.ndarray]) -> None:
    labels = {"id2label": {0: "rain", 1: "wind", 2: "birds"}, "label2id": {"rain": 0, "wind": 1, "birds": 2}}
    size = {"patch_size": 8, "frequency_stride": 6, "time_stride": 5, "max_length": 40, "num_mel_bins": 24}
    model = spread(ASTForAudioClassification(ASTConfig(**BLOCKS, **size, **labels)))
    prepare = ASTFeatureExtractor(num_mel_bins=24, max_length=40)
    prepare.save_pretrained(out)
    heard = torch.cat([prepare(sound, sampling_rate=RATE_HZ, return_tensors="pt")["input_values"] for sound in sounds])
    with torch.no_grad():
        embeds = model.audio_spectrogram_transformer(heard).pooler_output
        found = model(heard).logits.softmax(1)
    write(out, model, {"audio_embeds": embeds, "probabilities": found})


def whisper(out: Path, sounds: list[np.ndarray]) -> None:
    blocks = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 24}
    words = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 16, "vocab_size": 40, "max_target_positions": 8}
    special = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 1}
    config = WhisperConfig(**blocks, **words, **special, num_mel_bins=12, max_source_positions=50)
    model = spread(WhisperModel(config))
    prepare = WhisperFeatureExtractor(feature_size=12, chunk_length=1)
    prepare.save_pretrained(out)
    embeds = []
    for sound in sounds:
        heard = prepare(sound, sampling_rate=RATE_HZ, return_tensors="pt", return_attention_mask=True)
        with torch.no_grad():
            hidden = model.encoder(heard["input_features"]).last_hidden_state
        # A token of each two frames.
        kept = heard["attention_mask"][0, ::2].bool()
        embeds.append(hidden[0, kept].mean(0))
    write(out, model, {"audio_embeds": torch.stack(embeds)})


if __name__ == "__main__":
    sounds = recordings()
    ast(FIXTURES / "ready-ast", sounds)
    whisper(FIXTURES / "ready-hears", sounds)
