"""Makes crates/sensorium-train/tests/fixtures/objectives.json with PyTorch and Transformers.

    pip install -r tools/parity/requirements.txt
    python tools/parity/train/objectives.py

Seed 1123. Each case holds its inputs, its settings, the loss and the loss's gradient by each input that learns, in double
precision. What no library at hand has (focal loss, CORN,
NT-Xent, contrastive learning of groups, class-balanced weights, FixMatch, FlexMatch) is written from the paper's formula, in other steps than ours.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from transformers import SiglipConfig, SiglipModel, ViTMAEConfig, ViTMAEForPreTraining
from transformers.models.clip.modeling_clip import image_text_contrastive_loss

OUT = Path(__file__).parents[3] / "crates/sensorium-train/tests/fixtures/objectives.json"
torch.manual_seed(1123)
CASES = {}
# What a part of a model gives besides, and no loss looks at.
UNUSED = dict.fromkeys(["last_hidden_state", "ids_restore", "hidden_states", "attentions"])


def numbers(*shape, scale=2.0):
    """Random numbers that float32 holds exactly, with a 0 among them: slopes are easily wrong there."""
    x = (torch.randn(*shape, dtype=torch.double) * scale * 256).round() / 256
    x.view(-1)[1] = 0.0
    return x


def case(name, learns, loss, **settings):
    """Writes a case: `loss` of the tensors in `learns`, which are given by name."""
    leaves = {key: value.clone().requires_grad_() for key, value in learns.items()}
    total = loss(**leaves)
    grads = torch.autograd.grad(total, list(leaves.values()))
    CASES[name] = {
        "learns": {key: plain(value) for key, value in learns.items()},
        "settings": {key: plain(value) for key, value in settings.items()},
        "loss": float(total.detach()),
        "gradients": {key: plain(grad) for key, grad in zip(leaves, grads)},
    }


def plain(value):
    if not isinstance(value, torch.Tensor):
        return value
    return {"shape": list(value.shape), "values": [round(float(x), 9) for x in value.detach().flatten()]}


class Given(torch.nn.Module):
    """Stands where a part of a model was, and gives what is given."""

    def __init__(self, **output):
        super().__init__()
        self.output = SimpleNamespace(**output)

    def forward(self, *_, **__):
        return self.output


def supervised():
    logits, there = numbers(5, 3), torch.tensor([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0.25, 0, 0], [0, 1, 1]]).double()
    unknown = torch.tensor([[0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]]).bool()
    weights = torch.tensor([2.0, 0.5, 7.0]).double()

    def binary(logits):
        loss = F.binary_cross_entropy_with_logits(logits, there, pos_weight=weights, reduction="none")
        return loss[~unknown].mean()

    case("binary", {"logits": logits}, binary, targets=there, unknown=unknown, weights=weights)

    there = (there > 0.5).double()

    def binary_focal(logits):
        right = torch.where(there > 0, logits.sigmoid(), 1 - logits.sigmoid())
        alpha = torch.where(there > 0, 0.25, 0.75).double()
        return (alpha * (1 - right) ** 2 * -right.log()).mean()

    case("binary_focal", {"logits": logits}, binary_focal, targets=there)

    classes, counts, beta = torch.tensor([2, 0, -1, 3, 3, 1]), torch.tensor([100, 3, 17, 1]), 0.99
    balanced = (1 - beta) / (1 - beta ** counts.double())
    balanced = balanced / balanced.sum() * 4

    def focal(logits):
        p = logits.softmax(1)[classes >= 0]
        known = classes[classes >= 0]
        p = p[torch.arange(len(known)), known]
        return (-((1 - p) ** 1.5) * p.log() * balanced[known]).sum() / balanced[known].sum()

    case("focal", {"logits": numbers(6, 4)}, focal, classes=classes, counts=counts, beta=beta, weights=balanced)

    target = numbers(4, 2)
    for name, loss in {
        "squared": F.mse_loss,
        "absolute": F.l1_loss,
        "huber": lambda x, y: F.huber_loss(x, y, delta=0.7),
    }.items():
        case(name, {"output": numbers(4, 2)}, lambda output: loss(output, target), targets=target)

    ranks = torch.tensor([0, 3, 2, -1, 1, 2])

    def corn(logits):
        total, count = 0.0, 0
        for k in range(3):
            asked = ranks >= k
            above = (ranks[asked] > k).double()
            total = total + F.binary_cross_entropy_with_logits(logits[asked, k], above, reduction="sum")
            count += int(asked.sum())
        return total / count

    logits = numbers(6, 3)
    above = logits.sigmoid().cumprod(1)
    case("ordinal", {"logits": logits}, corn, classes=ranks, above=above, predicted=(above > 0.5).sum(1))


def contrastive():
    first, second = numbers(6, 5), numbers(6, 5)
    scale = torch.tensor([2.5], dtype=torch.double)

    def clip(first, second, scale):
        similarity = F.normalize(first) @ F.normalize(second).T * scale.exp()
        return image_text_contrastive_loss(similarity.T)  # texts by images

    case("contrastive", {"first": first, "second": second, "scale": scale}, clip)

    def nt_xent(first, second):
        views = torch.cat([first, second])
        cosines = F.cosine_similarity(views[:, None], views[None], dim=-1) / 0.2
        cosines = cosines.masked_fill(torch.eye(12).bool(), -torch.inf)
        return F.cross_entropy(cosines, torch.arange(12).roll(6))

    case("nt_xent", {"first": first, "second": second}, nt_xent)

    # SigLIP's own loss, its towers replaced by what they would give.
    tower = {"hidden_size": 5, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    text = tower | {"bos_token_id": 1, "eos_token_id": 2}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=tower | {"image_size": 8, "patch_size": 4}))
    del model.logit_scale, model.logit_bias

    def siglip(first, second, scale, bias):
        model.vision_model, model.text_model = Given(pooler_output=first), Given(pooler_output=second)
        model.logit_scale, model.logit_bias = scale, bias
        return model(input_ids=None, pixel_values=None, return_loss=True).loss

    given = {"scale": torch.tensor([1.75]).double(), "bias": torch.tensor([-1.5]).double()}
    case("sigmoid", {"first": first, "second": second} | given, siglip)


def taught():
    student, teacher, classes = numbers(5, 4), numbers(5, 4), torch.tensor([3, 0, 1, 1, 2])

    def distilled(student):
        soft = F.kl_div((student / 3).log_softmax(1), (teacher / 3).softmax(1), reduction="batchmean") * 9
        return 0.75 * soft + 0.25 * F.cross_entropy(student, classes)

    case("distillation", {"student": student}, distilled, teacher=teacher, classes=classes)
    case(
        "consistency",
        {"student": student},
        lambda student: F.mse_loss(student.softmax(1), teacher.softmax(1)),
        teacher=teacher,
    )


def pseudo_labelled():
    labelled, classes = numbers(3, 4), torch.tensor([1, -1, 3])
    weak, strong = numbers(8, 4, scale=5.0), numbers(8, 4)
    learns = {"labelled": labelled, "strong": strong}

    def unlabelled(strong, mask):
        return (F.cross_entropy(strong, weak.argmax(1), reduction="none") * mask).mean()

    def fix_match(labelled, strong):
        mask = (weak.softmax(1).max(1).values >= 0.95).double()
        assert 1 < mask.sum() < 7
        return F.cross_entropy(labelled, classes, ignore_index=-1) + 0.5 * unlabelled(strong, mask)

    case("fix_match", learns, fix_match, classes=classes, weak=weak)

    # Ten samples, of which the model is sure of seven.
    status = torch.tensor([0, 0, 0, -1, 1, 3, 3, -1, 3, -1])
    counts = torch.bincount(status[status >= 0], minlength=4).double()
    beta = counts / max(counts.max(), (status < 0).sum())
    thresholds = 0.8 * beta / (2 - beta)

    def flex_match(labelled, strong):
        p, guess = weak.softmax(1).max(1)
        mask = (p >= thresholds[guess]).double()
        assert mask.sum() != (p >= 0.8).sum()
        return F.cross_entropy(labelled, classes, ignore_index=-1) + unlabelled(strong, mask)

    case("flex_match", learns, flex_match, classes=classes, weak=weak, status=status, thresholds=thresholds)


def masked():
    logits, ids = numbers(2, 4, 7), torch.tensor([[-1, 3, -1, 0], [6, -1, -1, -1]])
    case(
        "masked_tokens",
        {"logits": logits},
        lambda logits: F.cross_entropy(logits.flatten(0, 1), ids.flatten(), ignore_index=-1),
        ids=ids,
    )

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    for name, normalised in {"masked_patches": True, "masked_pixels": False}.items():
        config = ViTMAEConfig(image_size=6, patch_size=2, num_channels=2, norm_pix_loss=normalised, **sizes)
        model = ViTMAEForPreTraining(config)
        pixels, mask = numbers(2, 2, 6, 6), torch.zeros(2, 9).double()
        mask[0, [0, 3, 4, 8]] = 1.0
        mask[1, [1, 2, 6, 7]] = 1.0

        def mae(predicted):
            model.vit = Given(mask=mask, **UNUSED)
            model.decoder = Given(logits=predicted, **UNUSED)
            return model(pixels).loss

        settings = {"pixels": pixels, "mask": mask, "patches": model.patchify(pixels)}
        case(name, {"predicted": numbers(2, 9, 8)}, mae, **settings)


def grouped():
    """Contrastive learning where several belong together (UniCL, equations 2 and 3), and one pair lacks a side."""
    first, second = numbers(6, 5), numbers(6, 5)
    groups, present = torch.tensor([3, -1, 3, 0, -1, 3]), torch.tensor([1, 1, 1, 1, 1, 0])
    there = present.nonzero().flatten().tolist()

    def entropy(similarity):
        total = 0.0
        for i in there:
            own = [k for k in there if k == i or (groups[i] >= 0 and groups[k] == groups[i])]
            log_p = similarity[i][there].log_softmax(0)
            total = total - sum(log_p[there.index(k)] for k in own) / len(own)
        return total / len(there)

    def unicl(first, second, scale):
        similarity = F.normalize(first) @ F.normalize(second).T * scale.exp()
        return (entropy(similarity) + entropy(similarity.T)) / 2

    learns = {"first": first, "second": second, "scale": torch.tensor([1.5]).double()}
    case("contrastive_groups", learns, unicl, groups=groups, present=present)


if __name__ == "__main__":
    supervised()
    contrastive()
    taught()
    pseudo_labelled()
    masked()
    grouped()
    lines = [f"  {json.dumps(name)}: {json.dumps(case)}" for name, case in CASES.items()]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{OUT.name}: {len(CASES)} cases, {OUT.stat().st_size} bytes")
