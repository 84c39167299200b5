"""Whisper tiny beside PyTorch and Transformers: the same weights and the same recording, side by side, as a Markdown table.

    cargo build --release -p sensorium-cli
    cargo bench -p sensorium-models --bench whisper --no-run          # prints where it puts the program
    pip install -r tools/peer/requirements.txt
    python tools/peer/whisper.py --bench PROGRAM --sensorium target/release/sensorium --sound speech.flac --work WORK

The checkpoint has the published size and layout, with random weights that are written into WORK; half a minute or less
of speech is heard. As nothing makes such a model stop, it fills all the places that it has with words. First, both must
write down the same words, or nothing is measured. Then, processes taking turns, medians of the rounds and their spread of

- the features of eleven seconds, which are those of half a minute, silence after them;
- the encoder on them;
- words a second: of a whole greedy transcript, rules included, without the encoder's time;
- the first result of a process: from its start until the whole transcript has been printed, of as many words in both.

Written as one would for speed on a CPU: inference mode, fused attention, all cores. Each part is timed in a process that
is warmed up, five times, of which the median counts. Nothing is run in less than float32, or compiled.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
import wave
from pathlib import Path

from side import apart, clean, run

WORDS = 50257
# As OpenAI's checkpoint has them.
SETTINGS = {
    "decoder_start_token_id": 50258,
    "eos_token_id": 50257,
    "pad_token_id": 50257,
    "bos_token_id": 50257,
    "suppress_tokens": [],
    "begin_suppress_tokens": [220, 50257],
    "no_timestamps_token_id": 50363,
    "is_multilingual": True,
    "task_to_id": {"transcribe": 50359, "translate": 50358},
    "prev_sot_token_id": 50361,
    "max_initial_timestamp_index": 50,
    "max_length": 448,
}


def write(folder):
    """WhisperConfig's own sizes are those of tiny."""
    import torch
    from tokenizers import Tokenizer, decoders, models
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    torch.manual_seed(7)
    config = WhisperConfig(suppress_tokens=None, begin_suppress_tokens=None)
    WhisperForConditionalGeneration(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    languages = [f"<|{name}|>" for name in list(LANGUAGES)[:99]]
    settings = SETTINGS | {"lang_to_id": {name: 50259 + i for i, name in enumerate(languages)}}
    (folder / "generation_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    words = Tokenizer(models.BPE({f"Ġw{i}": i for i in range(WORDS)}, []))
    words.decoder = decoders.ByteLevel()
    others = [f"<|other {i}|>" for i in range(50358, 51865)]
    words.add_special_tokens(["<|endoftext|>", "<|startoftranscript|>", *languages, *others])
    words.save(str(folder / "tokenizer.json"))


# --- the peer ------------------------------------------------------------------------------------------------------


def samples(path):
    import numpy as np

    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype("float32") / 32768


def peer_model(folder):
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

    model = WhisperForConditionalGeneration.from_pretrained(folder, attn_implementation="sdpa").eval()
    return model, WhisperFeatureExtractor.from_pretrained(folder)


def generate(model, features, **how):
    ids = model.generate(features, language="en", task="transcribe", return_timestamps=False, do_sample=False, num_beams=1, **how)
    return [int(i) for i in ids[0]]


def median(job):
    job()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peer(folder, sound):
    """Prints what benches/whisper.rs does."""
    import torch

    model, extractor = peer_model(folder)
    heard = samples(sound)
    hear = lambda: extractor(heard, sampling_rate=16_000, return_tensors="pt")["input_features"]
    with torch.inference_mode():
        features = hear()
        ids = []

        def whole():
            ids[:] = generate(model, features)

        found = {"features_s": median(hear), "encode_s": median(lambda: model.model.encoder(features))}
        found |= {"transcribe_s": median(whole), "ids": ids}
    print(json.dumps(found))


def peer_first(folder, sound, count):
    import torch

    model, extractor = peer_model(folder)
    with torch.inference_mode():
        features = extractor(samples(sound), sampling_rate=16_000, return_tensors="pt")["input_features"]
        print(json.dumps(generate(model, features, max_new_tokens=count)), flush=True)


# --- side by side --------------------------------------------------------------------------------------------------


def words(found):
    """Ids of words, without the peer's prompt and end."""
    return [i for i in found["ids"] if i < WORDS]


def rates(found):
    count = len(words(found))
    return {
        "features": found["features_s"],
        "encoder": found["encode_s"],
        "words a second": count / (found["transcribe_s"] - found["encode_s"]),
    }


def main(args):
    args.work.mkdir(parents=True, exist_ok=True)
    folder = args.work / "whisper-tiny"
    if not (folder / "tokenizer.json").exists():
        folder.mkdir(exist_ok=True)
        apart(write, folder)
    # The same samples for both: as 16-bit WAV at 16 kHz.
    sound = args.work / "sound.wav"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", args.sound, "-ac", "1", "-ar", "16000", "-t", "30", sound], check=True)

    me, python = str(Path(__file__).resolve()), [sys.executable, "-W", "ignore"]
    ours = lambda: json.loads(run([args.bench, folder, sound])[0])
    theirs = lambda: json.loads(run([*python, me, "--peer", folder, sound], clean())[0])
    a, b = words(ours()), words(theirs())
    count = min(len(a), len(b))
    if count < 400 or abs(len(a) - len(b)) > 1 or a[:count] != b[:count]:
        sys.exit(f"the words differ: {len(a)} and {len(b)}, {sum(x == y for x, y in zip(a, b))} alike")
    print(f"both write down the same {count} words", file=sys.stderr)

    found = {"Sensorium": [], "PyTorch": []}
    for _ in range(args.rounds):
        for name, job in (("Sensorium", ours), ("PyTorch", theirs)):
            row = rates(job())
            found[name].append(row)
        whole = ["transcribe", "--model", folder, "--language", "en", "--greedy", "--quiet", sound]
        found["Sensorium"][-1]["first result"] = run([args.sensorium, *whole])[1]
        found["PyTorch"][-1]["first result"] = run([*python, me, "--peer-first", folder, sound, str(count)], clean())[1]

    print("| | Sensorium | PyTorch |\n|---|---|---|")
    for what, unit in (("features", "ms"), ("encoder", "ms"), ("words a second", ""), ("first result", "s")):
        cells = []
        for rows in found.values():
            scale = 1e3 if unit == "ms" else 1
            values = sorted(row[what] * scale for row in rows)
            cells.append(f"{statistics.median(values):.3g} ({values[0]:.3g} to {values[-1]:.3g}) {unit}".rstrip())
        print(f"| {what} | {' | '.join(cells)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", help="the program of benches/whisper.rs")
    parser.add_argument("--sensorium", help="the sensorium command, built for release")
    parser.add_argument("--sound", type=Path, help="speech, at most half a minute of which is heard")
    parser.add_argument("--work", type=Path, help="a folder for the checkpoint")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", nargs=2, metavar=("FOLDER", "SOUND"), help=argparse.SUPPRESS)
    parser.add_argument("--peer-first", nargs=3, metavar=("FOLDER", "SOUND", "COUNT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        peer(*args.peer)
    elif args.peer_first:
        peer_first(args.peer_first[0], args.peer_first[1], int(args.peer_first[2]))
    else:
        main(args)
