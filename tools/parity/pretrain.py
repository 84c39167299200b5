"""Makes crates/sensorium-pretrain/tests/fixtures/NAME/reference.safetensors with Transformers.

    pip install -r tools/parity/requirements.txt
    python tools/parity/pretrain.py

`autoencoder` and `autoencoder-plain` are ViTMAEForPreTraining of random weights, with normalised targets and without, over
images of two channels; `crates/sensorium` compares the vision transformer with them as well. `language` is the head of
BertForPreTraining. Patches are in ours by channel, row and column, so the rows of the prediction stand in another order. What is
kept is in the order of its places, so that hidden states can be compared. Weights are `weights.PATH` by the path that the parameter
has in ours, linear maps as [in, out]. Seed 29.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForPreTraining, ViTMAEConfig, ViTMAEForPreTraining
from transformers.modeling_outputs import BaseModelOutputWithPooling

OUT = Path(__file__).parents[2] / "crates/sensorium-pretrain/tests/fixtures"


def write(name, tensors):
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "reference.safetensors"
    tensors = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    save_file(tensors, file)
    print(f"{name}: {len(tensors)} tensors, {file.stat().st_size} bytes")


def shake(model):
    """Norms that do something, biases that are not zero."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += torch.randn_like(parameter) * 0.3


def linear(path, layer):
    return {f"weights.{path}.weight": layer.weight.T, f"weights.{path}.bias": layer.bias}


def norm(path, layer):
    return {f"weights.{path}.layer.gamma": layer.weight, f"weights.{path}.layer.beta": layer.bias}


def blocks(path, layers, last):
    found = norm(f"{path}.norm", last)
    for i, layer in enumerate(layers):
        block = f"{path}.blocks.{i}"
        found |= norm(f"{block}.norm_attention", layer.layernorm_before)
        found |= norm(f"{block}.norm_feed_forward", layer.layernorm_after)
        for ours, theirs in {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "o_proj"}.items():
            found |= linear(f"{block}.attention.{ours}", getattr(layer.attention, theirs))
        found |= linear(f"{block}.feed_forward.up", layer.mlp.fc1)
        found |= linear(f"{block}.feed_forward.down", layer.mlp.fc2)
    return found


def watch(layers, last, name, seen):
    """Notes what goes into the first layer and what comes out of each, and out of the norm."""

    def note(key):
        def hook(_, __, output):
            seen[key] = output[0] if isinstance(output, tuple) else output

        return hook

    layers[0].register_forward_pre_hook(lambda _, given: seen.update({f"{name}.hidden.0": given[0]}))
    for i, layer in enumerate(layers):
        layer.register_forward_hook(note(f"{name}.hidden.{i + 1}"))
    last.register_forward_hook(note(f"{name}.last_hidden_state"))


def autoencoder(name, normalised):
    channels, size, patch = 2, 12, 4
    config = ViTMAEConfig(
        image_size=size, patch_size=patch, num_channels=channels, norm_pix_loss=normalised, mask_ratio=0.6,
        hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
        decoder_hidden_size=12, decoder_num_hidden_layers=2, decoder_num_attention_heads=3, decoder_intermediate_size=20,
        layer_norm_eps=1e-6,
    )
    model = ViTMAEForPreTraining(config).eval()
    # A model that is not loaded has zeros for the decoder's positions: they are drawn in its making, and then set to 0.
    model.decoder.initialize_weights(model.vit.embeddings.patch_embeddings.num_patches)
    shake(model)
    seen = {}
    watch(model.vit.layers, model.vit.layernorm, "encoder", seen)
    watch(model.decoder.decoder_layers, model.decoder.decoder_norm, "decoder", seen)

    kept = torch.tensor([[1, 4, 8], [0, 2, 5]])
    noise = 1 + torch.rand(2, 9)
    noise.scatter_(1, kept, torch.arange(3.0).div(10).expand(2, 3))
    pixels = torch.randn(2, channels, size, size)
    output = model(pixels, noise=noise)
    assert output.mask.sum() == 12

    # [row, column, channel] -> [channel, row, column]
    order = torch.arange(patch * patch * channels).view(patch * patch, channels).T.flatten()
    embeddings = model.vit.embeddings
    weight = embeddings.patch_embeddings.projection.weight
    predict = model.decoder.decoder_pred
    weights = {
        "weights.encoder.patch.weight": weight.flatten(1).T,  # [D, C, P, P] -> [C * P * P, D]
        "weights.encoder.patch.bias": embeddings.patch_embeddings.projection.bias,
        "weights.encoder.class": embeddings.cls_token[0],
        "weights.encoder.position.weight": embeddings.position_embeddings[0],
        "weights.task.mask_token": model.decoder.mask_token[0, 0],
        "weights.task.position.weight": model.decoder.decoder_pos_embed[0],
        "weights.task.predict.weight": predict.weight.T[:, order],
        "weights.task.predict.bias": predict.bias[order],
    }
    weights |= blocks("encoder.transformer", model.vit.layers, model.vit.layernorm)
    weights |= blocks("task.decoder", model.decoder.decoder_layers, model.decoder.decoder_norm)
    weights |= linear("task.embed", model.decoder.decoder_embed)
    results = {
        "input.pixels": pixels,
        "input.contents": model.patchify(pixels)[..., order],
        "masked": output.mask.long(),
        "predicted": output.logits[..., order],
        "loss": output.loss.view(1),
    }
    write(name, weights | results | seen)


def language():
    config = BertConfig(
        vocab_size=13, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, hidden_act="gelu"
    )
    model = BertForPreTraining(config).eval()
    shake(model)
    hidden = torch.randn(3, 5, 8)
    words = torch.full((3, 5), -100)
    words[0, 1], words[0, 3], words[2, 4] = 7, 0, 12
    follows = torch.tensor([0, 1, 1])

    class Tower(torch.nn.Module):
        def forward(self, *_, **__):
            pooled = pooler(hidden)
            return BaseModelOutputWithPooling(last_hidden_state=hidden, pooler_output=pooled)

    pooler, table = model.bert.pooler, model.bert.embeddings.word_embeddings.weight
    model.bert = Tower()
    ids = torch.zeros(3, 5).long()
    output = model(ids, labels=words, next_sentence_label=follows)
    head = model.cls.predictions
    weights = {
        "weights.decoder.weight": head.decoder.weight.T,
        "weights.bias": head.decoder.bias,
        "table": table,
        **linear("transform", head.transform.dense),
        **norm("norm", head.transform.LayerNorm),
        **linear("next_sentence.pool", pooler.dense),
        **linear("next_sentence.output", model.cls.seq_relationship),
    }
    assert torch.equal(table, head.decoder.weight)
    results = {
        "input.hidden": hidden,
        "words": words.where(words >= 0, -1),
        "next": follows,
        "logits": output.prediction_logits,
        "next_logits": output.seq_relationship_logits,
        "loss": output.loss.view(1),
    }
    write("language", weights | results)


if __name__ == "__main__":
    torch.manual_seed(29)
    autoencoder("autoencoder", True)
    autoencoder("autoencoder-plain", False)
    language()
