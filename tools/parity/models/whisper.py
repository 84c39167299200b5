"""Makes tiny Whisper checkpoints with random weights, inputs, and every layer's output.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/whisper.py

Each case becomes a folder under crates/sensorium-models/tests/fixtures: `config.json`, `model.safetensors`
as `save_pretrained` writes them, and `reference.safetensors` with `input.features`
`[batch, frames, mels]`, `input.ids`, `encoder.hidden.0` (what the blocks take) to `encoder.hidden.N`,
`encoder.last_hidden_state` (after the norm), the same of `decoder.`, and `logits`. Seed 7.

`ready-whisper` holds a checkpoint with a `generation_config.json`, files of sound, and in `recordings.json` what `generate`
makes of them: the ids, and the texts. Seed 11. `whisper-transcripts` holds features of several lengths, what the same model makes of
them in several ways, in `transcripts.json`, and by beam search, in `beams.json`: `[start_s, end_s, ids]` of each segment, and with
beams the mean of the logarithms of its half minute's probabilities.
"""

import json
import wave
from itertools import product
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperModel,
)

from vision_towers import FIXTURES

TINY = {
    "vocab_size": 40,
    "num_mel_bins": 6,
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 24,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 20,
    "max_source_positions": 12,
    "max_target_positions": 14,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "decoder_start_token_id": 1,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
}
ODD = TINY | {
    "num_mel_bins": 5,
    "d_model": 18,
    "encoder_layers": 1,
    "encoder_attention_heads": 3,
    "decoder_layers": 3,
    "decoder_attention_heads": 1,
    "activation_function": "relu",
    "max_source_positions": 9,
    "tie_word_embeddings": False,
}

CASES = {
    "whisper": (WhisperForConditionalGeneration, TINY),
    "whisper-odd": (WhisperForConditionalGeneration, ODD),
    "whisper-headless": (WhisperModel, TINY),
}
IDS = [[1, 5, 9, 30, 2], [1, 39, 39, 0, 7]]


def spread(model: torch.nn.Module) -> torch.nn.Module:
    """Weights as large as those of a trained model; the encoder's positions stay what they are."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("encoder.embed_positions.weight"):
                continue
            if value.dim() >= 2:
                torch.nn.init.normal_(value, std=value[0].numel() ** -0.5)
            else:
                value.add_(torch.randn_like(value) * 0.1)
    return model.eval()


def layers(part: torch.nn.Module, prefix: str, seen: dict) -> list:
    """Records what the blocks take and give, and what comes after the norm."""

    def before(_, args, kwargs):
        seen[f"{prefix}hidden.0"] = (args[0] if args else kwargs["hidden_states"]).clone()

    def after(name):
        return lambda _, __, out: seen.__setitem__(f"{prefix}{name}", out.clone())

    hooks = [part.layers[0].register_forward_pre_hook(before, with_kwargs=True)]
    hooks += [layer.register_forward_hook(after(f"hidden.{i + 1}")) for i, layer in enumerate(part.layers)]
    return [*hooks, part.layer_norm.register_forward_hook(after("last_hidden_state"))]


def given(config: WhisperConfig, ids: torch.Tensor) -> dict:
    features = torch.randn(2, config.num_mel_bins, 2 * config.max_source_positions)
    return {"input.features": features.transpose(1, 2), "input.ids": ids}


def results(model: torch.nn.Module, inputs: dict) -> dict:
    has_logits = isinstance(model, WhisperForConditionalGeneration)
    whole = model.model if has_logits else model
    seen: dict[str, torch.Tensor] = {}
    hooks = [*layers(whole.encoder, "encoder.", seen), *layers(whole.decoder, "decoder.", seen)]
    with torch.no_grad():
        out = model(input_features=inputs["input.features"].transpose(1, 2), decoder_input_ids=inputs["input.ids"])
    for hook in hooks:
        hook.remove()
    return seen | ({"logits": out.logits} if has_logits else {})


def checkpoint(folder: Path, model: torch.nn.Module, inputs: dict) -> None:
    model.save_pretrained(folder)
    tensors = results(model, inputs) | inputs
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "reference.safetensors")


def make(name: str, kind: type, settings: dict) -> None:
    torch.manual_seed(7)
    config = WhisperConfig(**settings)
    config._attn_implementation = "eager"
    model = spread(kind(config))
    folder = FIXTURES / name
    checkpoint(folder, model, given(config, torch.tensor(IDS)))
    print(f"{name}: {sum(file.stat().st_size for file in Path(folder).iterdir()) // 1024} KiB")


# Ids of the cases of whole transcripts: words are 0 to 19.
END, START, ENGLISH, GERMAN, TRANSLATE, TRANSCRIBE, PREVIOUS, SILENCE, NO_TIMES = range(20, 29)
SPEAKING = TINY | {
    "vocab_size": 44,  # times from 29 on: 0 to 0.28 s
    "max_target_positions": 24,
    "pad_token_id": END,
    "bos_token_id": END,
    "eos_token_id": END,
    "decoder_start_token_id": START,
}
SETTINGS = {
    "decoder_start_token_id": START,
    "eos_token_id": END,
    "pad_token_id": END,
    "bos_token_id": END,
    "suppress_tokens": [3, ENGLISH, GERMAN, TRANSLATE, TRANSCRIBE, START, PREVIOUS, SILENCE],
    "begin_suppress_tokens": [5, END],
    "no_timestamps_token_id": NO_TIMES,
    "is_multilingual": True,
    "lang_to_id": {"<|en|>": ENGLISH, "<|de|>": GERMAN},
    "task_to_id": {"translate": TRANSLATE, "transcribe": TRANSCRIBE},
    "prev_sot_token_id": PREVIOUS,
    "max_initial_timestamp_index": 4,
    "max_length": 24,
}
FULL = 2 * SPEAKING["max_source_positions"]


def transcripts() -> None:
    """What `generate` makes of sounds of several lengths, in several ways."""
    torch.set_num_threads(1)  # of tensors as small as these, more are slower
    torch.manual_seed(11)
    config = WhisperConfig(**SPEAKING)
    config._attn_implementation = "eager"
    model = spread(WhisperForConditionalGeneration(config))
    with torch.no_grad():
        # So that texts differ, end now and then, and times are said.
        model.model.decoder.embed_tokens.weight.mul_(1.6)
        model.model.encoder.layer_norm.weight.mul_(3.0)
    model.generation_config = GenerationConfig(**SETTINGS)
    folder = FIXTURES / "ready-whisper"
    heard = FIXTURES / "whisper-transcripts"
    heard.mkdir(exist_ok=True)
    tensors, cases = {}, []
    for i, frames in enumerate([FULL, FULL, 2 * FULL + 7, 3 * FULL]):
        features = 2 * torch.randn(1, config.num_mel_bins, frames)
        tensors[f"features.{i}"] = features[0].T.contiguous()
        languages = [(None, "transcribe"), ("de", "translate")]
        times = [False, True] if frames == FULL else [True]
        thresholds = [(-1e9, None), (-1.2, 0.025)]
        for (language, task), timed, previous, (likely, silent) in product(languages, times, [False, True], thresholds):
            out = model.generate(
                features,
                language=language,
                task=task,
                return_timestamps=timed,
                condition_on_prev_tokens=previous,
                temperature=(0.0,),
                logprob_threshold=likely,
                no_speech_threshold=silent,
                return_segments=True,
            )
            segments = [[float(s["start"]), float(s["end"]), s["tokens"].tolist()] for s in out["segments"][0]]
            case = {"features": f"features.{i}", "language": language, "task": task, "timestamps": timed}
            case |= {"on_previous": previous, "log_probability": likely, "no_speech": silent}
            cases.append(case | {"segments": segments})
    model.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps(SETTINGS, indent=1) + "\n")
    (heard / "transcripts.json").write_text(json.dumps(cases) + "\n")
    save_file(tensors, heard / "reference.safetensors")
    (heard / "beams.json").write_text(json.dumps(beams(model, tensors)) + "\n")
    said = {tuple(token for segment in case["segments"] for token in segment[2]) for case in cases}
    print(f"{len(cases)} transcripts, {len(said)} of which differ; {sum(len(c['segments']) for c in cases)} segments")
    recordings(model, folder)


# Width, length penalty, early stopping: as they are set where nothing is said, and each other way.
SEARCHES = [(2, 1.0, False), (5, 1.0, False), (3, 2.0, "never"), (4, 0.0, "never"), (5, -1.0, True), (3, 0.6, True)]


def beams(model: WhisperForConditionalGeneration, tensors: dict[str, torch.Tensor]) -> list[dict]:
    """What beam search makes of the same sounds."""
    cases, greedy = [], 0
    for name, features in tensors.items():
        timings = [False, True] if len(features) == FULL else [True]
        for i, (search, timed) in enumerate(product(SEARCHES, timings)):
            width, penalty, early = search
            previous = i % 2 == 1 and len(features) > FULL
            likely, silent = [(-1e9, None), (-1.2, 0.025)][i % 3 == 2]
            how = {"return_timestamps": timed, "condition_on_prev_tokens": previous, "temperature": (0.0,)}
            how |= {"logprob_threshold": likely, "no_speech_threshold": silent, "return_segments": True}
            how |= {"task": "transcribe", "language": [None, "de"][i % 2]}
            found = lambda **search: model.generate(features.T[None], **how, **search)["segments"][0]  # noqa: B023, E731
            segments = found(num_beams=width, length_penalty=penalty, early_stopping=early)
            case = {"features": name, "language": how["language"], "task": "transcribe", "timestamps": timed}
            case |= {"on_previous": previous, "log_probability": likely, "no_speech": silent}
            case |= {"beams": width, "length_penalty": penalty, "early_stopping": early}
            times = [[round(float(s[key]), 6) for key in ("start", "end")] for s in segments]
            case["segments"] = [[*time, s["tokens"].tolist()] for time, s in zip(times, segments)]
            case["means"] = [round(mean(s["result"]), 6) for s in segments]
            cases.append(case)
            greedy += [s["tokens"].tolist() for s in segments] == [s["tokens"].tolist() for s in found()]
    print(f"{len(cases)} transcripts by beams, {greedy} of which are the greedy ones")
    return cases


def mean(result: dict) -> float:
    """Of the logarithms of the words' probabilities, as the reference compares it with its threshold."""
    tokens = result["sequences"][-len(result["scores"]) :]
    return float(WhisperForConditionalGeneration._retrieve_avg_logprobs(result["scores"], tokens, 0.0))


WORDS = "one two three four five six seven eight nine ten red green blue grey pink north south east west up".split()
RATE_HZ = 2400


def recordings(model: WhisperForConditionalGeneration, folder: Path) -> None:
    """Files of sound, and the texts that Transformers makes of them: of a chunk's length, and longer."""
    words = Tokenizer(models.BPE({f"Ġ{word}": i for i, word in enumerate(WORDS)}, []))
    words.decoder = decoders.ByteLevel()
    names = ["endoftext", "startoftranscript", "en", "de", "translate", "transcribe", "startofprev", "nospeech", "notimestamps"]
    times = [f"{0.02 * i:.2f}" for i in range(SPEAKING["vocab_size"] - NO_TIMES - 1)]
    words.add_special_tokens([f"<|{name}|>" for name in names + times])
    words.save(str(folder / "tokenizer.json"))
    extractor = WhisperFeatureExtractor(
        feature_size=SPEAKING["num_mel_bins"], sampling_rate=RATE_HZ, hop_length=100, chunk_length=1, n_fft=400
    )
    extractor.save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words)
    found = {}
    for name, seconds in (("chunk.wav", 1.0), ("long.wav", 2.5)):
        at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
        sound = np.sin(2 * np.pi * (200 + 150 * at) * at) * (0.3 + 0.3 * np.sin(9 * at))
        whole = np.round(sound * 32767).astype("<i2")
        with wave.open(str(folder / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(whole.tobytes())
        given = extractor(
            whole.astype(np.float32) / 32768, sampling_rate=RATE_HZ, return_tensors="pt", truncation=False, padding="longest"
        )
        out = model.generate(
            given.input_features,
            task="transcribe",
            return_timestamps=True,
            condition_on_prev_tokens=False,
            temperature=(0.0,),
            logprob_threshold=-1e9,
            return_segments=True,
        )
        segments = out["segments"][0]
        ids = [token for segment in segments for token in segment["tokens"].tolist()]
        found[name] = {
            "ids": ids,
            "text": tokenizer.decode(ids, skip_special_tokens=True),
            "segments": [tokenizer.decode(segment["tokens"], skip_special_tokens=True) for segment in segments],
        }
    (folder / "recordings.json").write_text(json.dumps(found, indent=1) + "\n")
    print(found)


if __name__ == "__main__":
    for case, (kind, settings) in CASES.items():
        make(case, kind, settings)
    transcripts()
