"""Makes crates/sensorium-hub/tests/fixtures/lora with PEFT, and reads back what Sensorium saved.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/lora.py                # the committed cases
    python tools/parity/models/lora.py runs/lora      # a run of [lora]: PEFT puts its adapter/ onto the base, and comes to its model/

Seed 1171. Each case is a folder: an adapter as PEFT saves it, the model that it was made for (`base.safetensors`), and what PEFT
merges of both (`merged.safetensors`).
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

OUT = Path(__file__).parents[3] / "crates/sensorium-hub/tests/fixtures/lora"


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.query = torch.nn.Linear(6, 6)
        self.up = torch.nn.Linear(6, 10, bias=False)
        self.norm = torch.nn.LayerNorm(6)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(7, 6)
        self.layers = torch.nn.ModuleList([Block(), Block()])
        self.head = torch.nn.Linear(6, 3)


def case(name, **settings):
    """A model, an adapter of random numbers, and both merged."""
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = Net()
    save_file(model.state_dict(), folder / "base.safetensors", {"format": "pt"})
    tuned = get_peft_model(model, LoraConfig(r=2, lora_alpha=3, **settings))
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn_like(parameter))
    tuned.save_pretrained(folder)
    (folder / "README.md").unlink()
    merged = tuned.merge_and_unload().state_dict()
    save_file({k: v.contiguous() for k, v in merged.items()}, folder / "merged.safetensors", {"format": "pt"})


def make():
    torch.manual_seed(1171)
    case("plain", target_modules=["query", "up"], modules_to_save=["head"])
    case("rslora", target_modules=["layers.1.up"], use_rslora=True, modules_to_save=["layers.0.norm"])
    case(
        "patterns",
        target_modules="all-linear",
        rank_pattern={"layers.0.up": 3},
        alpha_pattern={"query": 8},
    )
    case("table", target_modules=["words", "query"])


def module(tensors):
    """Modules named as a run's tensors are, in PyTorch's orientation: a linear layer's matrix lies the other way round."""
    root = torch.nn.Module()
    for name, tensor in tensors.items():
        *path, own = name.split(".")
        at = root
        for part in path:
            if not hasattr(at, part):
                at.add_module(part, torch.nn.Module())
            at = getattr(at, part)
        if own == "weight" and tensor.dim() == 2:
            linear = torch.nn.Linear(*tensor.shape, bias=f"{'.'.join(path)}.bias" in tensors)
            for key, value in at.named_parameters():
                setattr(linear, key, value)
            linear.weight = torch.nn.Parameter(tensor.T.contiguous())
            parent = root
            for part in path[:-1]:
                parent = getattr(parent, part)
            setattr(parent, path[-1], linear)
        else:
            own = {"gamma": "weight", "beta": "bias"}.get(own, own)
            setattr(at, own, torch.nn.Parameter(tensor))
    return root


def read_back(run):
    config = json.loads((run / "adapter/adapter_config.json").read_text())
    base = module(load_file(Path(config["base_model_name_or_path"]) / "model.safetensors"))
    expected = module(load_file(run / "model/model.safetensors"))
    # A head of other classes is the adapter's own: it takes the place of one of its shapes.
    for name in config["modules_to_save"] or []:
        setattr(base.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2], expected.get_submodule(name))
    tuned = PeftModel.from_pretrained(base, run / "adapter")
    # The answers of each layer that is added to, before anything is merged.
    apart = 0.0
    for name in config["target_modules"]:
        x = torch.randn(5, expected.get_submodule(name).in_features)
        with torch.no_grad():
            ours, theirs = expected.get_submodule(name)(x), tuned.base_model.model.get_submodule(name)(x)
        apart = max(apart, float((ours - theirs).abs().max()))
    merged, weights = tuned.merge_and_unload().state_dict(), 0.0
    assert merged.keys() == expected.state_dict().keys()
    for name, value in expected.state_dict().items():
        weights = max(weights, float((merged[name] - value).abs().max()))
    print(f"{len(config['target_modules'])} layers: answers {apart:.1e} apart at most, merged weights {weights:.1e}")
    assert apart < 1e-5 and weights < 1e-5


if __name__ == "__main__":
    if len(sys.argv) > 1:
        read_back(Path(sys.argv[1]))
    else:
        make()
