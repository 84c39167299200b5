"""Makes the BERT, RoBERTa and sentence encoder cases under crates/sensorium-models/tests/fixtures.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/bert.py

Seed 20263.  Each case is a tiny checkpoint in the hub's layout with random weights, and `reference.safetensors` with
inputs (`input.ids`, `input.mask`, 1 = token, and `input.types`), every hidden state (`hidden.0` = embeddings) and
outputs, computed on the CPU in float32.  The first text is as long as the model allows, the last is padded.
"""

import pathlib
import shutil

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer, models
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
    RobertaModel,
)

FIXTURES = pathlib.Path(__file__).parents[3] / "crates/sensorium-models/tests/fixtures"
LENGTH = 11
SIZES = {
    "vocab_size": 30,
    "num_hidden_layers": 2,
    "initializer_range": 0.4,
    "num_labels": 3,
    "attn_implementation": "eager",
}


def bert(**more):
    return BertConfig(**{**SIZES, "max_position_embeddings": LENGTH, "pad_token_id": 0, **more})


def roberta(**more):
    sizes = {"max_position_embeddings": LENGTH + 2, "pad_token_id": 1, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    return RobertaConfig(**{**SIZES, **sizes, **more})


def wide(width, heads, middle):
    return {"hidden_size": width, "num_attention_heads": heads, "intermediate_size": middle}


CASES = {
    "bert": (BertModel, bert(**wide(12, 3, 20))),
    "bert-masked-lm": (BertForMaskedLM, bert(**wide(8, 1, 7), hidden_act="gelu_new")),
    "bert-classification": (BertForSequenceClassification, bert(**wide(10, 5, 12), hidden_act="relu")),
    "roberta": (RobertaModel, roberta(**wide(12, 2, 16), hidden_act="silu")),
    "roberta-masked-lm": (RobertaForMaskedLM, roberta(**wide(8, 4, 9), hidden_act="relu")),
    "roberta-classification": (RobertaForSequenceClassification, roberta(**wide(6, 3, 8))),
}
# Made last, so that the numbers of the others stay.
UNTIED = {
    "bert-masked-lm-untied": (BertForMaskedLM, bert(**wide(8, 2, 6), tie_word_embeddings=False)),
    "roberta-masked-lm-untied": (RobertaForMaskedLM, roberta(**wide(6, 2, 8), tie_word_embeddings=False)),
}


def inputs(config):
    """Three texts of eleven, six and two tokens; the second of two texts in one is of type 1, where there are types."""
    ids = torch.randint(2, 30, (3, LENGTH))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    mask[2, 2:] = 0
    ids[mask == 0] = config.pad_token_id
    types = torch.zeros_like(ids)
    if config.type_vocab_size > 1:
        types[0, 7:] = 1
    return {"input.ids": ids, "input.mask": mask, "input.types": types}


def random_vectors(model):
    """Biases and norms, which begin as zeros and ones, would hide a mistake."""
    for parameter in model.parameters():
        if parameter.dim() == 1:
            parameter.data.normal_(0.5, 0.4)


def save(folder, tensors):
    save_file({name: t.detach().clone().contiguous() for name, t in tensors.items()}, folder / "reference.safetensors")


def results(model, given):
    """Hidden states and the outputs of a tower or head."""
    with torch.no_grad():
        out = model(
            input_ids=given["input.ids"],
            attention_mask=given["input.mask"],
            token_type_ids=given["input.types"],
            output_hidden_states=True,
        )
    tensors = {f"hidden.{i}": state for i, state in enumerate(out.hidden_states)}
    answer = {"pooled": out.pooler_output} if "pooler_output" in out else {"logits": out.logits}
    return tensors | answer


def checkpoint(folder, model, given):
    model.save_pretrained(folder)
    save(folder, given | results(model, given))


def sentence(name):
    """All poolings at once, a dense layer with a tanh, and normalising."""
    config = bert(**wide(8, 2, 12))
    tower = BertModel(config, add_pooling_layer=False).eval()
    random_vectors(tower)
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    tower.save_pretrained(folder)
    modes = ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]
    pooling = models.Pooling(8, **{f"pooling_mode_{mode}": True for mode in modes})
    dense = models.Dense(48, 5)
    # Without a tokenizer, the tower cannot be one of the modules.
    rest = SentenceTransformer(modules=[pooling, dense, models.Normalize()], device="cpu")
    rest.save(str(folder / "rest"), create_model_card=False)
    for made, wanted in [("0_Pooling", "1_Pooling"), ("1_Dense", "2_Dense")]:
        (folder / wanted).mkdir()
        for file in ["config.json", "model.safetensors"]:
            if (folder / "rest" / made / file).exists():
                shutil.move(folder / "rest" / made / file, folder / wanted / file)
    shutil.rmtree(folder / "rest")
    kinds = ["Transformer", "Pooling", "Dense", "Normalize"]
    entry = '{{"idx": {0}, "name": "{0}", "path": "{1}", "type": "sentence_transformers.models.{2}"}}'
    entries = [entry.format(i, f"{i}_{kind}" if i else "", kind) for i, kind in enumerate(kinds)]
    (folder / "modules.json").write_text("[\n" + ",\n".join(entries) + "\n]\n")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 9, "do_lower_case": false}\n')
    given = inputs(config)
    with torch.no_grad():
        hidden = tower(input_ids=given["input.ids"], attention_mask=given["input.mask"]).last_hidden_state
        features = {"token_embeddings": hidden.clone(), "attention_mask": given["input.mask"]}
        for module in rest:
            features = module(features)
    del given["input.types"]
    save(folder, given | {"hidden": hidden, "sentence": features["sentence_embedding"]})


def main():
    torch.manual_seed(20263)
    for name, (kind, config) in CASES.items():
        model = kind(config).eval()
        random_vectors(model)
        checkpoint(FIXTURES / name, model, inputs(config))
    sentence("sentence")
    for name, (kind, config) in UNTIED.items():
        model = kind(config).eval()
        random_vectors(model)
        checkpoint(FIXTURES / name, model, inputs(config))


if __name__ == "__main__":
    main()
