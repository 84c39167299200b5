"""Makes crates/sensorium-decode/tests/fixtures/choices.json with Transformers.

    pip install -r tools/parity/requirements.txt
    python tools/parity/decode.py

Each case has settings as a generation_config.json holds them, the tokens so far, of how many the prompt is made, the scores of all
tokens, and what `generate` draws by: the scores after all processors that it makes of these settings (null: never chosen). The
processors are made by the reference's own function, in its order. Seed 83.
"""

import json
import random
from pathlib import Path

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

OUT = Path(__file__).parents[2] / "crates/sensorium-decode/tests/fixtures/choices.json"
VOCABULARY, END = 24, 2
SETTINGS = [
    {},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.8},
    {"no_repeat_ngram_size": 1},
    {"no_repeat_ngram_size": 2},
    {"no_repeat_ngram_size": 3},
    {"suppress_tokens": [4, 9], "begin_suppress_tokens": [1, 5]},
    {"min_new_tokens": 3},
    {"do_sample": True},
    {"do_sample": True, "temperature": 0.6, "top_k": 0},
    {"do_sample": True, "temperature": 1.7, "top_k": 5},
    {"do_sample": True, "top_k": 1},
    {"do_sample": True, "top_k": 0, "top_p": 0.8},
    {"do_sample": True, "top_k": 0, "top_p": 0.05},
    {"do_sample": True, "top_k": 0, "min_p": 0.2},
    {"do_sample": True, "top_k": 8, "top_p": 0.9, "min_p": 0.05, "temperature": 0.8, "repetition_penalty": 1.1},
]


def case(model, settings, rng):
    prompt = [rng.randrange(3, VOCABULARY) for _ in range(rng.randrange(1, 5))]
    generated = [rng.randrange(3, 8) for _ in range(rng.choice([0, 2, 7]))]
    scores = [round(rng.gauss(0, 2), 3) for _ in range(VOCABULARY)]
    config = GenerationConfig(eos_token_id=END, pad_token_id=0, max_length=64, **settings)
    config.update(**{key: value for key, value in model.generation_config._get_default_generation_params().items() if getattr(config, key) is None})
    start = torch.tensor([prompt])
    model._prepare_special_tokens(config, device="cpu")
    processors = model._get_logits_processor(config, input_ids_seq_length=len(prompt), encoder_input_ids=start, prefix_allowed_tokens_fn=None, logits_processor=[], device="cpu")  # fmt: skip
    processed = processors(torch.tensor([prompt + generated]), torch.tensor([scores]))[0]
    expected = [None if score == -torch.inf else float(score) for score in processed]
    return {
        "settings": settings | {"eos_token_id": END},
        "prompt": len(prompt),
        "tokens": prompt + generated,
        "scores": scores,
        "expected": expected,
    }


def main():
    rng = random.Random(83)
    config = LlamaConfig(vocab_size=VOCABULARY, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1)
    model = LlamaForCausalLM(config)
    cases = [case(model, settings, rng) for settings in SETTINGS for _ in range(6)]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    print(f"{len(cases)} cases, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
