"""Makes crates/sensorium-text/tests/fixtures/transformer/reference.safetensors with torch.nn.Transformer.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/transformer.py

The layers are PyTorch's own, without the norm that it adds after either stack and the paper does not have. Embeddings, their scale
and the sinusoids are written out from the paper's sections 3.4 and 3.5. The file holds `source` and `target` ids and `source.mask`
(1 where a token is), `context`, `logits`, and `weights.PATH` by the path that the parameter has in ours, linear maps as [in, out].
Seed 29.
"""

import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

OUT = Path(__file__).parents[3] / "crates/sensorium-text/tests/fixtures/transformer"
VOCABULARY, D, HEADS, LAYERS, D_FF, SOURCE, TARGET = 16, 8, 2, 2, 12, 6, 5


def sinusoids(length):
    places = torch.arange(length, dtype=torch.float64).unsqueeze(1)
    rates = torch.exp(-math.log(10_000) * torch.arange(0, D, 2, dtype=torch.float64) / D)
    table = torch.zeros(length, D, dtype=torch.float64)
    table[:, 0::2], table[:, 1::2] = torch.sin(places * rates), torch.cos(places * rates)
    return table.float()


def attention(path, layer):
    weights = {}
    names = ("query", "key", "value")
    for name, weight, bias in zip(names, layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)):
        weights |= {f"{path}.{name}.weight": weight.T, f"{path}.{name}.bias": bias}
    return weights | {f"{path}.output.weight": layer.out_proj.weight.T, f"{path}.output.bias": layer.out_proj.bias}


def blocks(path, layers, norms):
    weights = {}
    for i, layer in enumerate(layers):
        block = f"{path}.blocks.{i}"
        weights |= attention(f"{block}.attention", layer.self_attn)
        if hasattr(layer, "multihead_attn"):
            weights |= attention(f"{block}.cross", layer.multihead_attn)
        for name, linear in (("up", layer.linear1), ("down", layer.linear2)):
            weights |= {f"{block}.feed_forward.{name}.weight": linear.weight.T, f"{block}.feed_forward.{name}.bias": linear.bias}
        for n, name in enumerate(norms, 1):
            norm = getattr(layer, f"norm{n}")
            weights |= {f"{block}.norm_{name}.layer.gamma": norm.weight, f"{block}.norm_{name}.layer.beta": norm.bias}
    return weights


def main():
    torch.manual_seed(29)
    how = {"dim_feedforward": D_FF, "dropout": 0.0, "batch_first": True}
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(D, HEADS, **how), LAYERS, enable_nested_tensor=False)
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(D, HEADS, **how), LAYERS)
    model = nn.Transformer(D, HEADS, custom_encoder=encoder, custom_decoder=decoder, batch_first=True)
    for name, parameter in model.named_parameters():
        # So that biases and norms say something as well.
        nn.init.normal_(parameter, 1.0 if "norm" in name and "weight" in name else 0.0, 0.4)
    source_table, target_table = (torch.randn(VOCABULARY, D) / math.sqrt(D) for _ in range(2))
    source, target = (torch.randint(VOCABULARY, (2, length)) for length in (SOURCE, TARGET))
    mask = torch.ones(2, SOURCE, dtype=torch.int64)
    mask[1, -2:] = 0

    def embedded(table, ids):
        return table[ids] * math.sqrt(D) + sinusoids(ids.shape[1])

    causal = nn.Transformer.generate_square_subsequent_mask(TARGET)
    padding = mask == 0
    with torch.no_grad():
        context = model.encoder(embedded(source_table, source), src_key_padding_mask=padding)
        out = model(embedded(source_table, source), embedded(target_table, target), tgt_mask=causal, src_key_padding_mask=padding, memory_key_padding_mask=padding)  # fmt: skip
        logits = out @ target_table.T
    weights = blocks("transformer", model.encoder.layers, ("attention", "feed_forward"))
    weights |= {"embedding.weight": source_table}
    ours = {f"weights.encoder.{path}": weight for path, weight in weights.items()}
    weights = blocks("decoder", model.decoder.layers, ("attention", "cross", "feed_forward"))
    weights |= {"embedding.weight": target_table}
    ours |= {f"weights.decoder.{path}": weight for path, weight in weights.items()}
    tensors = {"source": source, "source.mask": mask, "target": target, "context": context, "logits": logits} | ours
    OUT.mkdir(parents=True, exist_ok=True)
    file = OUT / "reference.safetensors"
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, file)
    print(f"{file}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
