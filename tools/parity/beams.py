"""Makes crates/sensorium-decode/tests/fixtures/beams.json with Transformers.

    pip install -r tools/parity/requirements.txt
    python tools/parity/beams.py

Each case has settings as a generation_config.json holds them, a table of the scores of each token after each, a prompt, and the tokens
that `generate` gives with a model whose scores are that table's. Seed 89.
"""

import json
import random
from pathlib import Path

import torch
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

OUT = Path(__file__).parents[2] / "crates/sensorium-decode/tests/fixtures/beams.json"
VOCABULARY, END, PAD = 9, 1, 0
SETTINGS = [
    {"num_beams": 1},
    {"num_beams": 2},
    {"num_beams": 3},
    {"num_beams": 4, "early_stopping": True},
    {"num_beams": 3, "early_stopping": "never"},
    {"num_beams": 3, "early_stopping": "never", "length_penalty": -1.0},
    {"num_beams": 3, "length_penalty": 2.0},
    {"num_beams": 3, "length_penalty": 0.0},
    {"num_beams": 4, "length_penalty": -0.5},
    {"num_beams": 2, "repetition_penalty": 1.4},
    {"num_beams": 3, "no_repeat_ngram_size": 2},
    {"num_beams": 3, "min_new_tokens": 4, "suppress_tokens": [4]},
]


class PairsConfig(PretrainedConfig):
    model_type = "pairs"
    num_hidden_layers = 1


class Pairs(PreTrainedModel, GenerationMixin):
    config_class = PairsConfig

    def __init__(self, config):
        super().__init__(config)
        self.table = torch.nn.Parameter(torch.zeros(VOCABULARY, VOCABULARY))
        self.post_init()

    def forward(self, input_ids, attention_mask=None, **_):
        return CausalLMOutputWithPast(logits=self.table[input_ids])

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, **_):
        return {"input_ids": input_ids}


def case(model, settings, rng):
    table = [[round(rng.gauss(0, 1.5), 2) for _ in range(VOCABULARY)] for _ in range(VOCABULARY)]
    prompt = [rng.randrange(2, VOCABULARY) for _ in range(rng.randrange(1, 4))]
    with torch.no_grad():
        model.table.copy_(torch.tensor(table))
    out = model.generate(
        torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), eos_token_id=END, pad_token_id=PAD,
        max_new_tokens=8, do_sample=False, use_cache=False, **settings,
    )  # fmt: skip
    tokens = out[0, len(prompt) :].tolist()
    if END in tokens:
        tokens = tokens[: tokens.index(END) + 1]
    return {
        "settings": settings | {"eos_token_id": END, "max_new_tokens": 8},
        "table": table,
        "prompt": prompt,
        "expected": tokens,
    }


def main():
    rng = random.Random(89)
    model = Pairs(PairsConfig(vocab_size=VOCABULARY)).eval()
    cases = [case(model, settings, rng) for settings in SETTINGS for _ in range(8)]
    OUT.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    print(f"{len(cases)} cases, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
