"""A training loop that decodes as it goes, beside PyTorch's: the same recipe on the same shards, as a Markdown table.

    cargo build --release -p sensorium-cli
    pip install -r tools/peer/requirements.txt
    python tools/peer/loop.py --sensorium target/release/sensorium --work WORK

WORK gets tar shards of JPEG pictures (256 by 256), FLAC sounds (two seconds) and hints in words. The recipe is av-digits,
wider, with pictures of 96 and sounds of 16 kHz; nothing is kept from one step to the next (`data.prepare = "lazily"`,
`batch.cache_mib = 0`). The peer is tools/peer/av_digits.py's model and step, fed by a DataLoader whose workers read the same
shards where they stand.

First, the run's weights are read into the peer's model: its Brier score on the test rows must be the run's, so both are the same model
on the same inputs. Then, processes taking turns, over all steps but the first ten:

- samples a second, everything between two steps included;
- the share of that time in which the loop waits for data;
- the peak of memory, of all processes of the loop together, pages that they share counted once.
"""

import argparse
import io
import json
import math
import os
import statistics
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import numpy as np

PARTS = {"train": 2560, "valid": 64, "test": 192}
PER_SHARD, STEPS, WARM, BATCH = 320, 70, 10, 32
SIDE, RATE, SECONDS = 96, 16000, 2.0
SETS = {
    "data.path": "shards", "data.set": None, "data.prepare": "lazily", "batch.cache_mib": 0, "batch.size": BATCH,
    "train.steps": STEPS, "train.lr": 5e-4, "encoders.image.image_size": SIDE, "encoders.image.patch_size": 12,
    "encoders.audio.sample_rate_hz": RATE, "encoders.audio.max_seconds": SECONDS, "encoders.audio.n_fft": 512,
    "encoders.audio.hop": 160, "encoders.audio.n_mels": 64,
} | {f"encoders.{name}.{key}": value for name in ("image", "audio", "text") for key, value in (("d_model", 192), ("d_ff", 384))}  # fmt: skip


# --- the data ------------------------------------------------------------------------------------------------------


def picture(digit, random):
    """Something like a photograph: soft colours, a bright bar that leans with the digit, and grain."""
    from PIL import Image

    soft = Image.fromarray(random.integers(0, 255, (6, 6, 3), np.uint8)).resize((256, 256), Image.Resampling.BICUBIC)
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    angle = math.pi * digit / 10
    bar = np.abs(x * math.cos(angle) + y * math.sin(angle) - random.uniform(-0.2, 0.2)) < 0.12
    pixels = np.asarray(soft, np.float32) * 0.5 + bar[..., None] * 110 + random.normal(0, 6, (256, 256, 3))
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def sound(digit, random):
    """A tone of the digit's pitch in noise."""
    import soundfile

    seconds = np.arange(int(RATE * SECONDS)) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 300 * 1.2**digit * seconds + random.uniform(0, 6))
    file = io.BytesIO()
    soundfile.write(file, tone + random.normal(0, 0.1, len(seconds)), RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def make(folder):
    """Writes the shards, unless they are there."""
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    for part, count in PARTS.items():
        for first in range(0, count, PER_SHARD):
            with tarfile.open(folder / f"{part}-{first // PER_SHARD:06}.tar", "w") as shard:
                for at in range(first, min(first + PER_SHARD, count)):
                    digit = int(random.integers(10))
                    hint = f"{'an even' if digit % 2 == 0 else 'an odd'} digit, {'small' if digit < 5 else 'large'}"
                    row = {"label": str(digit), "text": hint, "split": part}
                    contents = {"jpg": picture(digit, random), "flac": sound(digit, random), "json": json.dumps(row).encode()}
                    for ending, content in contents.items():
                        member = tarfile.TarInfo(f"{part}{at:06}.{ending}")
                        member.size = len(content)
                        shard.addfile(member, io.BytesIO(content))
    (folder / "done").touch()


# --- the peer ------------------------------------------------------------------------------------------------------


class Shards:
    """Rows of tar shards by number; a content is read when it is asked for."""

    def __init__(self, folder, part, tokenizer):
        rows = {}
        for shard in sorted(folder.glob(f"{part}-*.tar")):
            with tarfile.open(shard) as file:
                for member in file:
                    key, ending = member.name.split(".")
                    rows.setdefault(key, {})[ending] = (str(shard), member.offset_data, member.size)
        self.rows, self.tokenizer, self.open = list(rows.values()), tokenizer, {}

    def __len__(self):
        return len(self.rows)

    def read(self, row, ending):
        path, offset, size = row[ending]
        if path not in self.open:
            self.open[path] = open(path, "rb")
        self.open[path].seek(offset)
        return self.open[path].read(size)

    def __getitem__(self, at):
        import av_digits
        import soundfile

        row = self.rows[at]
        told = json.loads(self.read(row, "json"))
        samples, _ = soundfile.read(io.BytesIO(self.read(row, "flac")), dtype="float64")
        ids = self.tokenizer.encode(told["text"]).ids[: av_digits.MAX_TOKENS]
        image = av_digits.picture(io.BytesIO(self.read(row, "jpg")))
        return av_digits.features(samples), image, ids, int(told["label"])


def collate(rows):
    import av_digits
    import torch

    sounds, images, ids, labels = zip(*rows)
    longest = max(map(len, sounds))
    longest += -longest % av_digits.PATCH_FRAMES
    audio = torch.zeros(len(rows), longest, av_digits.N_MELS)
    text = torch.zeros(len(rows), max(map(len, ids)), dtype=torch.long)
    for i, (heard, read) in enumerate(zip(sounds, ids)):
        audio[i, : len(heard)] = torch.from_numpy(heard)
        text[i, : len(read)] = torch.tensor(read)
    batch = {
        "audio": audio,
        "frames": torch.tensor([len(heard) for heard in sounds]),
        "image": torch.from_numpy(np.stack(images)),
        "text": text,
        "tokens": torch.tensor([len(read) for read in ids]),
        "present": torch.ones(len(rows), 3, dtype=torch.bool),
    }
    return batch, torch.tensor(labels)


def peer(args):
    """The loop in PyTorch: prints the Brier score on the test rows with the run's weights, and what its own training took."""
    import av_digits as av
    import torch
    import torch.nn.functional as F
    from tokenizers import Tokenizer
    from torch.utils.data import DataLoader, RandomSampler

    av.SIDE, av.PATCH, av.D, av.LR, av.BATCH = SIDE, 12, 192, SETS["train.lr"], BATCH
    av.RATE, av.SECONDS, av.N_FFT, av.HOP, av.N_MELS = RATE, SECONDS, 512, 160, 64
    av.BANK, av.WINDOW = av.mel_bank(), 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    torch.manual_seed(7)
    tokenizer = Tokenizer.from_file(str(args.run / "model" / "tokenizer.json"))
    model = av.Model(tokenizer.get_vocab_size())
    model.load(args.run / "model" / "model.safetensors")
    told = {}
    if args.check:
        errors = []
        with torch.inference_mode():
            for batch, labels in DataLoader(Shards(args.shards, "test", tokenizer), batch_size=64, collate_fn=collate):
                errors += (model(batch).softmax(1) - F.one_hot(labels, 10)).square().sum(1).tolist()
        told["brier"] = statistics.fmean(errors)
    else:
        rows = Shards(args.shards, "train", tokenizer)
        learning = av.Learning(av.Model(tokenizer.get_vocab_size()), STEPS)
        sampler = RandomSampler(rows, num_samples=STEPS * BATCH)
        loader = DataLoader(rows, BATCH, sampler=sampler, collate_fn=collate, num_workers=args.workers, prefetch_factor=4)
        batches, waits, ends = iter(loader), [], []
        for _ in range(STEPS):
            clock = time.perf_counter()
            batch, labels = next(batches)
            waits.append(time.perf_counter() - clock)
            learning.step(batch, labels)
            ends.append(time.perf_counter())
        took = ends[-1] - ends[WARM - 1]
        told |= {"rate": (STEPS - WARM) * BATCH / took, "wait": sum(waits[WARM:]) / took}
    print(json.dumps(told))


# --- measuring -----------------------------------------------------------------------------------------------------


def family(pid):
    """A process and all that it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(child)
    return found


def watched(command, **options):
    """Runs a command; gives what it printed and the peak of its memory in MB, its children's included."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    peak, over = 0, threading.Event()

    def watch():
        nonlocal peak
        while not over.wait(0.1):
            used = 0
            try:
                for pid in family(process.pid):
                    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                    used += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            except OSError:
                continue
            peak = max(peak, used)

    thread = threading.Thread(target=watch)
    thread.start()
    printed, _ = process.communicate()
    over.set()
    thread.join()
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed")
    return printed, peak * 1024 / 1e6


def ours(args, run):
    sets = [word for key, value in SETS.items() for word in ("--set", f"{key}=" + ("" if value is None else json.dumps(value)))]
    command = [args.sensorium, "train", "av-digits", "--quiet", "--backend", args.backend, "--out", run, *sets]
    _, memory = watched(command, cwd=args.work)
    lines = map(json.loads, (args.work / run / "metrics.jsonl").read_text().splitlines())
    steps = [line for line in lines if line["kind"] == "step"]
    took = steps[-1]["seconds"] - steps[WARM - 1]["seconds"]
    waited = sum(step["data_s"] for step in steps[WARM:])
    return {"rate": sum(step["samples"] for step in steps[WARM:]) / took, "wait": waited / took, "memory": memory}


def theirs(args, run, *more):
    own = [sys.executable, "-W", "ignore", __file__, "--work", args.work, "--run", args.work / run, "--workers", args.workers, *more]
    # Threads that spin while they wait take the cores from who decodes: the loop would be half as fast.
    printed, memory = watched([str(word) for word in own], env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"})
    return json.loads(printed) | {"memory": memory}


def shown(rounds, key, form):
    values = sorted(round[key] for round in rounds)
    low, middle, high = form(values[0]), form(statistics.median(values)), form(values[-1])
    return middle if low == high else f"{middle} ({low} to {high})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="a folder for shards and runs")
    parser.add_argument("--sensorium", type=lambda path: Path(path).resolve(), help="the release binary")
    parser.add_argument("--backend", default="flex", help="where it trains")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="processes of the DataLoader; on two cores one is the fastest")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.work = args.work.resolve()
    args.shards = args.work / "shards"
    if args.run:
        return peer(args)
    make(args.shards)
    rounds = {"ours": [], "theirs": []}
    for at in range(args.rounds):
        run = f"run-{time.time_ns()}"
        rounds["ours"].append(ours(args, run))
        if at == 0:
            own = json.loads((args.work / run / "metrics.json").read_text())["test"]["brier"]
            peers = theirs(args, run, "--check")["brier"]
            print(f"Brier score on the test rows with the run's weights: {peers:.4f}; the run says {own:.4f}")
            if abs(own - peers) > 0.005:
                sys.exit("these are not the same model on the same inputs")
        rounds["theirs"].append(theirs(args, run))
    print("\n| | Sensorium | PyTorch |\n|---|---|---|")
    rows = {
        "samples a second": ("rate", lambda x: f"{x:.0f}"),
        "waiting for data": ("wait", lambda x: f"{x:.1%}"),
        "peak memory": ("memory", lambda x: f"{x:.0f} MB"),
    }
    for name, (key, form) in rows.items():
        print(f"| {name} | {shown(rounds['ours'], key, form)} | {shown(rounds['theirs'], key, form)} |")


if __name__ == "__main__":
    main()
