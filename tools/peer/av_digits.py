"""The recipe av-digits in PyTorch, to be timed beside Sensorium: the same data, model, augmentation and schedule.

    sensorium data make av-digits --out av-digits        the embedded data as files
    time sensorium train av-digits --data av-digits --out RUN
    time python tools/peer/av_digits.py --data av-digits --run RUN

First it loads the run's weights into its own model and measures them on the test rows: an accuracy equal to the
run's shows that both are the same model on the same inputs. Then it trains the model anew and prints the time of a
training step, of answers, and of the whole. It is written as one would for speed on a CPU: everything prepared once and
kept in memory, augmentation on whole batches, fused attention, fused AdamW, one call for all averaged weights.
"""

import argparse
import json
import math
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

SIDE, PATCH = 24, 6
RATE, N_FFT, HOP, N_MELS, F_MIN, SECONDS, PATCH_FRAMES = 8000, 256, 80, 32, 60.0, 1.2, 5
MAX_TOKENS, D, D_FUSED, CLASSES = 32, 64, 96, 10
BATCH, EPOCHS, LR, WARMUP, FINAL, DECAY, EMA, SMOOTHING, DROP = 48, 20, 2e-3, 0.05, 0.01, 0.02, 0.98, 0.02, 0.5
NAMES = ("audio", "image", "text")


# --- preparing -----------------------------------------------------------------------------------------------------


def mel_bank():
    """Slaney's triangles of equal area: [mels, bins]."""
    to_mel = lambda f: f * 3 / 200 if f < 1000 else 15 + math.log(f / 1000) * 27 / math.log(6.4)
    to_hz = lambda m: np.where(m < 15, m * 200 / 3, 1000 * np.exp((m - 15) * math.log(6.4) / 27))
    edges = to_hz(np.linspace(to_mel(F_MIN), to_mel(RATE / 2), N_MELS + 2))
    bins = np.arange(N_FFT // 2 + 1) * RATE / N_FFT
    left, centre, right = (edges[i : i + N_MELS, None] for i in range(3))
    rise, fall = (bins - left) / (centre - left), (right - bins) / (right - centre)
    return np.maximum(np.minimum(rise, fall), 0) * 2 / (right - left)


BANK = mel_bank()
WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


def sound(path):
    with wave.open(str(path)) as file:
        return features(np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768)


def features(samples):
    """Log-mel features, mean 0 and deviation 1: [frames, mels]."""
    most = math.ceil(SECONDS * RATE) // HOP + 1
    frames = min(len(samples) // HOP + 1, most)
    padded = np.pad(samples, N_FFT // 2, mode="reflect")
    view = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP][:frames]
    power = np.abs(np.fft.rfft(view * WINDOW)) ** 2
    loud = np.log(np.maximum(power @ BANK.T, 1e-10))
    return ((loud - loud.mean()) / loud.std()).astype(np.float32)


def picture(path):
    image = Image.open(path).convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return (np.asarray(image, np.float32)[None] / 255 - 0.5) / 0.5


class Rows:
    """All rows of one part, prepared: tensors padded to the longest."""

    def __init__(self, folder, rows, tokenizer):
        with ThreadPoolExecutor(2) as pool:
            sounds = list(pool.map(lambda row: sound(folder / row["audio"]), rows))
            pictures = list(pool.map(lambda row: picture(folder / row["image"]), rows))
        ids = [encoding.ids[:MAX_TOKENS] for encoding in tokenizer.encode_batch([row["text"] for row in rows])]
        frames = max(len(s) for s in sounds)
        frames += -frames % PATCH_FRAMES
        self.audio = torch.zeros(len(rows), frames, N_MELS)
        self.frames = torch.tensor([len(s) for s in sounds])
        for i, s in enumerate(sounds):
            self.audio[i, : len(s)] = torch.from_numpy(s)
        self.image = torch.from_numpy(np.stack(pictures))
        self.text = torch.zeros(len(rows), max(map(len, ids)), dtype=torch.long)
        self.tokens = torch.tensor([len(i) for i in ids])
        for i, own in enumerate(ids):
            self.text[i, : len(own)] = torch.tensor(own)
        self.labels = torch.tensor([int(row["label"]) for row in rows])

    def __len__(self):
        return len(self.labels)

    def batch(self, rows):
        """Trimmed to the longest of the batch."""
        frames, tokens = self.frames[rows], self.tokens[rows]
        longest = int(frames.max())
        longest += -longest % PATCH_FRAMES
        return {
            "audio": self.audio[rows, :longest],
            "frames": frames,
            "image": self.image[rows],
            "text": self.text[rows, : int(tokens.max())],
            "tokens": tokens,
            "present": torch.ones(len(frames), 3, dtype=torch.bool),
        }


def augment(batch):
    """Shifts pictures and sounds, blanks frames and bands, and leaves out modalities."""
    n, frames, mels = batch["audio"].shape
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1
    theta[:, :, 2] = (torch.rand(n, 2) * 2 - 1) * 0.06 * 2 * SIDE / (SIDE - 1)
    grid = F.affine_grid(theta, (n, 1, SIDE, SIDE), align_corners=True)
    batch["image"] = F.grid_sample(batch["image"], grid, padding_mode="border", align_corners=True)

    place = torch.arange(frames)[None]
    source = place - torch.randint(-4, 5, (n, 1))
    heard = (source >= 0) & (source < batch["frames"][:, None]) & (place < batch["frames"][:, None])
    audio = batch["audio"].gather(1, source.clamp(0, frames - 1)[..., None].expand(-1, -1, mels))
    width, start = torch.randint(0, 5, (n, 1)), torch.rand(n, 1)
    start = (start * (batch["frames"][:, None] - width + 1)).long()
    heard &= ~((place >= start) & (place < start + width))
    band = torch.arange(mels)[None]
    width = torch.randint(0, 4, (n, 1))
    start = (torch.rand(n, 1) * (mels - width + 1)).long()
    audible = ~((band >= start) & (band < start + width))
    batch["audio"] = audio * heard[..., None] * audible[:, None]

    keep = torch.rand(n, 3) >= DROP
    none = ~keep.any(1)
    keep[none, torch.randint(0, 3, (int(none.sum()),))] = True
    batch["present"] = keep
    return batch


# --- the model, with the names that Sensorium's parameters have ----------------------------------------------------


class Attention(nn.Module):
    def __init__(self, fused):
        super().__init__()
        if fused:
            self.qkv = nn.Linear(D, 3 * D)
        else:
            self.query, self.key, self.value = nn.Linear(D, D), nn.Linear(D, D), nn.Linear(D, D)
        self.output = nn.Linear(D, D)
        self.fused = fused

    def forward(self, x, keys):
        b, t, _ = x.shape
        parts = self.qkv(x).chunk(3, -1) if self.fused else (self.query(x), self.key(x), self.value(x))
        q, k, v = (part.view(b, t, 4, D // 4).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=keys)
        return self.output(mixed.transpose(1, 2).reshape(b, t, D))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(D, 2 * D), nn.Linear(2 * D, D)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


class Block(nn.Module):
    def __init__(self, fused, eps):
        super().__init__()
        self.norm_attention, self.norm_feed_forward = nn.LayerNorm(D, eps), nn.LayerNorm(D, eps)
        self.attention, self.feed_forward = Attention(fused), FeedForward()

    def forward(self, x, keys):
        x = x + self.attention(self.norm_attention(x), keys)
        return x + self.feed_forward(self.norm_feed_forward(x))


class Transformer(nn.Module):
    def __init__(self, layers, fused, eps):
        super().__init__()
        self.blocks = nn.ModuleList(Block(fused, eps) for _ in range(layers))
        self.norm = nn.LayerNorm(D, eps)

    def forward(self, x, keep):
        keys = None if keep is None or bool(keep.all()) else keep[:, None, None]
        for block in self.blocks:
            x = block(x, keys)
        return self.norm(x)


def mean(x, keep):
    return (x * keep[..., None]).sum(1) / keep.sum(1, keepdim=True)


class Sound(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Linear(PATCH_FRAMES * N_MELS, D)
        patches = math.ceil((math.ceil(SECONDS * RATE) // HOP + 1) / PATCH_FRAMES)
        self.position = nn.Parameter(torch.randn(patches, 1, D) * 0.02)
        self.transformer = Transformer(2, True, 1e-5)

    def forward(self, batch):
        n, frames, mels = batch["audio"].shape
        x = self.patch(batch["audio"].reshape(n, frames // PATCH_FRAMES, PATCH_FRAMES * mels))
        x = x + self.position[: x.shape[1], 0]
        keep = torch.arange(x.shape[1])[None] * PATCH_FRAMES < batch["frames"][:, None]
        return mean(self.transformer(x, keep), keep)


class Picture(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Linear(PATCH * PATCH, D)
        self.class_token = nn.Parameter(torch.randn(1, D) * 0.02)
        self.position = nn.Parameter(torch.randn((SIDE // PATCH) ** 2 + 1, D) * 0.02)
        self.transformer = Transformer(2, True, 1e-6)

    def forward(self, batch):
        side = SIDE // PATCH
        x = batch["image"].view(-1, side, PATCH, side, PATCH).transpose(2, 3)
        x = self.patch(x.reshape(-1, side * side, PATCH * PATCH))
        x = torch.cat([self.class_token.expand(len(x), 1, D), x], 1) + self.position
        return self.transformer(x, None).mean(1)


class Text(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, D)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.positions = nn.Parameter(torch.randn(MAX_TOKENS, D) * 0.02)
        self.transformer = Transformer(1, False, 1e-5)

    def forward(self, batch):
        x = self.embedding(batch["text"]) + self.positions[: batch["text"].shape[1]]
        keep = torch.arange(x.shape[1])[None] < batch["tokens"][:, None]
        return mean(self.transformer(x, keep), keep)


class Model(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.encoders = nn.ModuleDict({"audio": Sound(), "image": Picture(), "text": Text(vocabulary)})
        self.values = nn.ModuleList(nn.Linear(D, D_FUSED) for _ in NAMES)
        self.gates = nn.ModuleList(nn.Linear(3 * D, D_FUSED) for _ in NAMES)
        self.hidden, self.output = nn.Linear(D_FUSED, D_FUSED), nn.Linear(D_FUSED, CLASSES)
        for name, p in self.named_parameters():
            if p.dim() == 2 and name.endswith("weight") and "embedding" not in name:
                nn.init.xavier_uniform_(p)

    def forward(self, batch):
        present = batch["present"]
        pooled = [self.encoders[name](batch) * present[:, i, None] for i, name in enumerate(NAMES)]
        values = torch.stack([torch.tanh(linear(x)) for linear, x in zip(self.values, pooled)], 1)
        both = torch.cat(pooled, 1)
        scores = torch.stack([gate(both) for gate in self.gates], 1)
        gates = scores.masked_fill(~present[..., None], -torch.inf).softmax(1)
        return self.output(F.gelu(self.hidden((gates * values).sum(1))))

    def load(self, path):
        """Sensorium's weights: linear maps lie the other way round there."""
        names = {".layer.gamma": ".weight", ".layer.beta": ".bias", "fusion.gated.values.linears.": "values."}
        names |= {"fusion.gated.gates.": "gates.", "head.": "", "image.class": "image.class_token"}
        names |= {"image.position.weight": "image.position", "text.positions.weight": "text.positions"}
        state = {}
        for name, value in load_file(path).items():
            linear = value.dim() == 2 and name.endswith(".weight") and "embed" not in name and "position" not in name
            for ours, theirs in names.items():
                name = name.replace(ours, theirs)
            state[name] = value.T.contiguous() if linear else value
        self.load_state_dict(state)


# --- measuring -----------------------------------------------------------------------------------------------------


@torch.inference_mode()
def accuracy(model, rows, keep=(True, True, True)):
    right = 0
    for start in range(0, len(rows), 256):
        batch = rows.batch(slice(start, start + 256))
        batch["present"][:] = torch.tensor(keep)
        right += int((model(batch).argmax(1) == rows.labels[start : start + 256]).sum())
    return right / len(rows)


class Learning:
    """What a step of training is: AdamW on a warmed-up cosine, clipped, and the averaged weights."""

    def __init__(self, model, total):
        decays = [p for name, p in model.named_parameters() if p.dim() == 2 and "embedding" not in name and "position" not in name]
        rest = [p for p in model.parameters() if all(p is not d for d in decays)]
        groups = [{"params": decays, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0.0}]
        self.model, self.total, self.warmup, self.done = model, total, int(WARMUP * total), 0
        self.optimizer = torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.999), eps=1e-8, fused=True)
        self.live = list(model.parameters())
        self.averaged = [p.detach().clone() for p in self.live]

    def step(self, batch, labels):
        """Learns from a batch; gives its loss."""
        done = (self.done - self.warmup) / max(self.total - self.warmup, 1)
        cosine = FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * done))
        for group in self.optimizer.param_groups:
            group["lr"] = LR * ((self.done + 1) / self.warmup if self.done < self.warmup else cosine)
        loss = F.cross_entropy(self.model(augment(batch)), labels, label_smoothing=SMOOTHING)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.live, 1.0)
        assert math.isfinite(loss.item()) and math.isfinite(norm.item())
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.averaged, self.live, 1 - min(EMA, (1 + self.done) / (10 + self.done)))
        self.done += 1
        return loss.item()


def train(model, rows, valid, epochs):
    """Trains; the model ends with the averaged weights. Gives the seconds of each step."""
    learning, times = Learning(model, epochs * math.ceil(len(rows) / BATCH)), []
    for epoch in range(epochs):
        for chosen in torch.randperm(len(rows)).split(BATCH):
            clock = time.perf_counter()
            loss = learning.step(rows.batch(chosen), rows.labels[chosen])
            times.append(time.perf_counter() - clock)
        kept = [p.detach().clone() for p in learning.live]
        with torch.no_grad():
            torch._foreach_copy_(learning.live, learning.averaged)
            score = accuracy(model, valid)
            if epoch + 1 < epochs:
                torch._foreach_copy_(learning.live, kept)
        print(f"epoch {epoch + 1}: loss {loss:.3f}, validation accuracy {score:.1%}", flush=True)
    return times


def best_of(repeats, work):
    best = math.inf
    for _ in range(repeats):
        clock = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - clock)
    return best


def main():
    began = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="what `sensorium data make av-digits` wrote")
    parser.add_argument("--run", type=Path, required=True, help="a finished run of the recipe on it")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(7)
    rows = [json.loads(line) for line in (args.data / "manifest.jsonl").open()]
    tokenizer = Tokenizer.from_file(str(args.run / "model" / "tokenizer.json"))
    part = lambda split: Rows(args.data, [row for row in rows if row["split"] == split], tokenizer)
    clock = time.perf_counter()
    learn, valid, test = part("train"), part("valid"), part("test")
    print(f"prepared {len(rows)} rows in {time.perf_counter() - clock:.2f} s")

    checked = time.perf_counter()
    model = Model(tokenizer.get_vocab_size())
    model.load(args.run / "model" / "model.safetensors")
    theirs = json.loads((args.run / "metrics.json").read_text())["test"]["accuracy"]
    print(f"with the run's weights: {accuracy(model, test):.4f} on the test rows; the run says {theirs:.4f}")
    checked = time.perf_counter() - checked

    model = Model(tokenizer.get_vocab_size())
    clock = time.perf_counter()
    times = sorted(train(model, learn, valid, args.epochs))
    print(f"trained in {time.perf_counter() - clock:.1f} s; a step of {BATCH}: {times[len(times) // 2] * 1e3:.2f} ms (median)")
    for keep in range(1, 8):
        present = [bool(keep >> i & 1) for i in range(3)]
        of = " + ".join(name for name, here in zip(NAMES, present) if here)
        print(f"{of:24} {accuracy(model, test, present):.1%}")
    print(f"whole process without the check: {time.perf_counter() - began - checked:.1f} s")
    with torch.inference_mode():
        for n in (1, 256):
            seconds = best_of(30, lambda: model(learn.batch(slice(0, n))).numpy())
            print(f"answers for {n}: {seconds * 1e3:.3f} ms (best of 30)")


if __name__ == "__main__":
    main()
