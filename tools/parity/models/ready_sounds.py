"""Small whole checkpoints that hear, files in, as published ones come: weights and preparation.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/ready_sounds.py

Into crates/sensorium-models/tests/fixtures go `ready-sounds`, three recordings, and with what Transformers makes of the first
two

- ready-ast: `audio_embeds`, the pooled output, and `probabilities` of its classes;
- ready-hears: a Whisper's encoder, and `audio_embeds`, the mean over those of its last hidden states that hold sound;
- ready-clap: `audio_embeds`, `text_embeds`, and `probabilities` of the texts for each recording;
- ready-clap-fused: the same of all three, the last of which is too long, by so little that its crops begin where they must.

Seed 7, float32.
"""

import wave
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

from ready import FIXTURES, TEXTS, WORDS, spread, write, write_texts

RATE_HZ = 16_000
SOUNDS = FIXTURES / "ready-sounds"
# Of CLAP's frames.
HOP = 320
BLOCKS = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}


def recordings() -> list[np.ndarray]:
    """A tone that rises, longer than what AST hears here, a short burst of noise, and a second of both and two hops of CLAP's;
    made, and written, once."""
    SOUNDS.mkdir(exist_ok=True)
    time = np.arange(RATE_HZ // 2) / RATE_HZ
    rising = 0.4 * np.sin(2 * np.pi * (200 * time + 1500 * time**2)) + 0.01 * np.sin(2 * np.pi * 3100 * time)
    noise = 0.2 * np.random.default_rng(7).standard_normal(RATE_HZ * 3 // 20).clip(-3, 3)
    both = np.concatenate([rising, np.tile(noise, 4)])[: RATE_HZ + 2 * HOP]
    found = []
    for name, samples in (("rising.wav", rising), ("noise.wav", noise), ("both.wav", both)):
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


def roberta_tokenizer() -> Tokenizer:
    """As RoBERTa's: pairs of bytes, and marks around a text."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=290, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return made


def clap(out: Path, sounds: list[np.ndarray], truncation: str) -> None:
    length = 12
    words = roberta_tokenizer()
    settings = {
        "tokenizer_class": "RobertaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "model_max_length": length,
    }
    tokenizer = write_texts(out, words, settings)
    text = BLOCKS | {"vocab_size": words.get_vocab_size(), "max_position_embeddings": length + 2}
    # Transformers fuses spectrograms of 64 bands alone.
    size = {"num_mel_bins": 64, "spec_size": 128, "patch_size": 8, "patch_stride": [8, 8], "window_size": 4}
    stages = {"patch_embeds_hidden_size": 8, "hidden_size": 16, "depths": [2, 1], "num_attention_heads": [2, 4]}
    audio = size | stages | {"mlp_ratio": 1.5, "enable_fusion": truncation == "fusion", "fusion_type": "aff_2d"}
    model = spread(ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=12)))
    learned = model.audio_model.audio_encoder.batch_norm
    with torch.no_grad():
        # As loud as recordings are, in decibels.
        learned.running_mean.fill_(-30.0)
        learned.running_var.fill_(300.0)
        model.logit_scale_a.fill_(2.0)
    prepare = ClapFeatureExtractor(
        sampling_rate=RATE_HZ,
        hop_length=HOP,
        max_length_s=1,
        fft_window_size=512,
        frequency_max=7600,
        truncation=truncation,
    )
    prepare.save_pretrained(out)
    read = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    read = {name: read[name] for name in ("input_ids", "attention_mask")}
    embeds, found = [], []
    for sound in sounds:
        # Alone, for in a batch Transformers takes others for too long.
        heard = prepare(sound, sampling_rate=RATE_HZ, return_tensors="pt")
        heard["input_features"] = heard["input_features"].float()
        with torch.no_grad():
            embeds.append(model.get_audio_features(**heard).pooler_output)
            found.append(model(**heard, **read).logits_per_audio.softmax(1))
    with torch.no_grad():
        texts = model.get_text_features(**read).pooler_output
    write(out, model, {"audio_embeds": torch.cat(embeds), "text_embeds": texts, "probabilities": torch.cat(found)})


if __name__ == "__main__":
    sounds = recordings()
    ast(FIXTURES / "ready-ast", sounds[:2])
    whisper(FIXTURES / "ready-hears", sounds[:2])
    clap(FIXTURES / "ready-clap", sounds[:2], "rand_trunc")
    clap(FIXTURES / "ready-clap-fused", sounds, "fusion")
