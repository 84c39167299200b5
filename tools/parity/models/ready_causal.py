"""Makes tiny language models with tokenizers, chat templates and settings, and what `generate` makes of prompts and talks.

    pip install -r tools/parity/requirements.txt
    python tools/parity/models/ready_causal.py

`ready-llama` is a Llama with a byte-level BPE of 300 tokens, a beginning of texts, a template of turns, and two tokens that end a text;
`ready-gpt2` is a GPT-2 of the same words without any of these. Each has in `texts.json` prompts (`text`, or `messages`), settings, the ids
of the prompt, the ids that are generated after it, and their text. Seed 19.
"""

import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from causal import spread
from vision_towers import FIXTURES

WORDS = [
    "the red cat sat on the blue mat and looked at the green bird",
    "one two three four five six seven eight nine ten",
    "user: what is the colour of the cat? assistant: the cat is red.",
    "naïve café, 漢字, Straße; a rocket 🚀 flies.",
] * 4
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
PROMPTS = [{"text": "the red cat"}, {"text": "naïve"}, {"text": "one two three four five six"}]
TALKS = [
    {"messages": [{"role": "user", "content": "what is the colour of the cat?"}]},
    {
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "漢字"},
            {"role": "assistant", "content": "a rocket"},
            {"role": "user", "content": "and the bird?"},
        ]
    },
]
SETTINGS = [{}, {"repetition_penalty": 1.5, "max_new_tokens": 20}, {"num_beams": 3}, {"min_new_tokens": 6, "max_new_tokens": 9}]


def words() -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    inner.train_from_iterator(WORDS, trainer)
    return inner


def case(model, tokenizer, asked: dict, settings: dict) -> dict:
    if "text" in asked:
        prompt = tokenizer(asked["text"])["input_ids"]
    else:
        prompt = tokenizer.apply_chat_template(asked["messages"], add_generation_prompt=True, return_dict=False)
    ids = torch.tensor([prompt])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=0, **({"max_new_tokens": 12} | settings))
    made = out[0, len(prompt) :].tolist()
    return asked | {
        "settings": {"max_new_tokens": 12} | settings,
        "prompt": prompt,
        "tokens": made,
        "expected": tokenizer.decode(made, skip_special_tokens=True, clean_up_tokenization_spaces=False),
    }


def make(name: str, model, tokenizer, asked: list) -> None:
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    cases = [case(model, tokenizer, one, settings) for one in asked for settings in SETTINGS]
    (folder / "texts.json").write_text("[\n" + ",\n".join(json.dumps(one) for one in cases) + "\n]\n")
    print(f"{name}: {sum(file.stat().st_size for file in Path(folder).iterdir()) // 1024} KiB")


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(19)
    plain = PreTrainedTokenizerFast(tokenizer_object=words())
    inner = words()
    inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", inner.token_to_id("<s>"))])
    framed = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE)
    end, turn = inner.token_to_id("</s>"), inner.token_to_id("<|im_end|>")
    config = LlamaConfig(
        vocab_size=304, hidden_size=12, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        max_position_embeddings=96, tie_word_embeddings=True, bos_token_id=0, eos_token_id=end,
    )  # fmt: skip
    llama = spread(LlamaForCausalLM(config))
    llama.generation_config.eos_token_id = [end, turn]
    with torch.no_grad():
        llama.model.embed_tokens.weight[[end, turn]] *= 1.6  # so that texts end now and then
    make("ready-llama", llama, framed, PROMPTS + TALKS)
    config = GPT2Config(vocab_size=300, n_embd=12, n_layer=1, n_head=2, n_positions=64, bos_token_id=1, eos_token_id=1)
    make("ready-gpt2", spread(GPT2LMHeadModel(config)), plain, PROMPTS)


if __name__ == "__main__":
    main()
