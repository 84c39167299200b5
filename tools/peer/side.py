"""What the scripts beside it have in common: processes that are run side by side with a peer's, and timed as wholes."""

import multiprocessing
import os
import subprocess
import sys
import time


def clean():
    """The environment without another PyTorch's libraries."""
    env = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "LIBTORCH")}
    return env | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1"}


def run(command, env=None):
    start = time.perf_counter()
    done = subprocess.run([str(part) for part in command], env=env, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nfailed ({done.returncode}):\n{done.stderr}")
    return done.stdout, seconds


def apart(job, *args):
    """Does something in a process of its own: the most memory that one has had counts to those that it starts."""
    process = multiprocessing.get_context("spawn").Process(target=job, args=args)
    process.start()
    process.join()
    if process.exitcode != 0:
        sys.exit(f"{job.__name__} failed ({process.exitcode})")
