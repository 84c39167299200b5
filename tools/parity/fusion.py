"""Makes crates/sensorium-fusion/tests/fixtures/NAME/reference.safetensors: what each fusion gives, computed in PyTorch.

    pip install -r tools/parity/requirements.txt
    python tools/parity/fusion.py

Q-Former and Perceiver resampler are those of Transformers, and so are LLaVA's projector and the balance loss of experts. MulT's and
MBT's blocks, cross-attention and the transformer are torch.nn's own layers. The others are written out from their papers'
equations, with einsum and loops where ours multiplies matrices.

A file holds `input.NAME` for each modality and `mask.NAME`, 1 where a token is; `output`; and `weights.PATH` by the path that the
parameter has in ours, linear maps as [in, out]. Seed 11.
"""

import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

OUT = Path(__file__).parents[2] / "crates/sensorium-fusion/tests/fixtures"
# In order of their names, as ours sorts them.
WIDTHS = {"audio": 8, "image": 4, "text": 6}
PAIR = {"image": 4, "text": 6}
D, HEADS, BATCH = 8, 2, 2
LENGTHS = {"audio": 5, "image": 3, "text": 4}


class Case:
    """Inputs of some modalities, of which the second sample has one token less; weights as they are drawn; and the output."""

    def __init__(self, name, widths):
        self.name, self.weights, self.given = name, {}, {}
        self.x, self.mask = {}, {}
        for modality, width in widths.items():
            x = torch.randn(BATCH, LENGTHS[modality], width)
            mask = torch.ones(BATCH, LENGTHS[modality], dtype=torch.int64)
            mask[1, -1] = 0
            self.x[modality], self.mask[modality] = x, mask
            self.given |= {f"input.{modality}": x, f"mask.{modality}": mask}

    def draw(self, path, *shape, scale=None):
        """A weight; by default of the size that keeps its products at about one."""
        scale = scale or 1 / math.sqrt(shape[0] if len(shape) > 1 else 4)
        value = torch.randn(*shape) * scale
        self.weights[path] = value
        return value

    def linear(self, path, d_in, d_out, bias=True):
        weight = self.draw(f"{path}.weight", d_in, d_out)
        offset = self.draw(f"{path}.bias", d_out) if bias else 0
        return lambda x: torch.einsum("...i,io->...o", x, weight) + offset

    def norm(self, path, d=D, eps=1e-5):
        gamma = 1 + self.draw(f"{path}.layer.gamma", d, scale=0.3)
        self.weights[f"{path}.layer.gamma"] = gamma
        beta = self.draw(f"{path}.layer.beta", d, scale=0.3)
        return lambda x: F.layer_norm(x, (d,), gamma, beta, eps)

    def mean(self, modality):
        mask = self.mask[modality].unsqueeze(-1)
        return (self.x[modality] * mask).sum(1) / mask.sum(1)

    def save(self, output):
        folder = OUT / self.name
        folder.mkdir(parents=True, exist_ok=True)
        tensors = self.given | {"output": output} | {f"weights.{k}": v for k, v in self.weights.items()}
        tensors = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
        save_file(tensors, folder / "reference.safetensors")
        size = (folder / "reference.safetensors").stat().st_size
        assert size <= 100 * 1024, f"{self.name}: {size} bytes"
        print(f"{self.name}: {size} bytes")


# Fusions of vectors.


def projected(case, path, d):
    return [
        case.linear(f"{path}.inputs.linears.{i}", case.x[m].shape[-1], d)(case.mean(m)) for i, m in enumerate(case.x)
    ]


def concat():
    case = Case("concat", WIDTHS)
    joined = torch.cat([case.mean(m) for m in WIDTHS], -1)
    case.save(F.gelu(case.linear("concat.projection", joined.shape[-1], D)(joined)).unsqueeze(1))


def sets():
    for name, reduce in (("sum", torch.sum), ("mean", torch.mean), ("max", torch.amax)):
        case = Case(name, WIDTHS)
        case.save(reduce(torch.stack(projected(case, name, D), 1), dim=1, keepdim=True))


def attention_sum():
    case = Case("attention-sum", WIDTHS)
    values = projected(case, "attention_sum", D)
    scores = case.linear("attention_sum.scores", sum(WIDTHS.values()), len(WIDTHS))
    weights = torch.softmax(scores(torch.cat([case.mean(m) for m in WIDTHS], -1)), -1)
    case.save(sum(weights[:, i : i + 1] * value for i, value in enumerate(values)).unsqueeze(1))


def gated():
    """Of two modalities, as in the paper: z = σ(W [x1; x2]), W being the difference of our two gates."""
    case = Case("gated", PAIR)
    pooled = [case.mean(m) for m in PAIR]
    values = [
        torch.tanh(case.linear(f"gated.values.linears.{i}", d, D)(x)) for i, (d, x) in enumerate(zip(PAIR.values(), pooled))
    ]
    first, second = (case.linear(f"gated.gates.{i}", sum(PAIR.values()), D) for i in range(2))
    both = torch.cat(pooled, -1)
    z = torch.sigmoid(first(both) - second(both))
    case.save((z * values[0] + (1 - z) * values[1]).unsqueeze(1))


def film():
    case = Case("film", WIDTHS)
    x = case.linear("film.projection", WIDTHS["text"], D)(case.x["text"])
    case.draw("film.stand_in.token", 1, D)
    condition = torch.cat([case.mean("audio"), case.mean("image")], -1)
    change, beta = case.linear("film.generator", condition.shape[-1], 2 * D)(condition).chunk(2, -1)
    case.save((1 + change).unsqueeze(1) * x + beta.unsqueeze(1))


def multiplicative():
    case = Case("multiplicative", PAIR)
    first, second = case.mean("image"), case.mean("text")
    w = case.draw("multiplicative.bilinear", 4, 6, D, scale=0.3)
    u = case.linear("multiplicative.first", 4, D, bias=False)
    v = case.linear("multiplicative.second", 6, D)
    case.save((torch.einsum("bi,bj,ijo->bo", first, second, w) + u(first) + v(second)).unsqueeze(1))


def with_one(x):
    return torch.cat([torch.ones(len(x), 1), x], -1)


def tensor():
    case = Case("tensor", WIDTHS)
    a, b, c = (with_one(x) for x in projected(case, "tensor", 3))
    product = torch.einsum("bi,bj,bk->bijk", a, b, c).flatten(1)
    case.save(case.linear("tensor.projection", 4**3, D)(product).unsqueeze(1))


def low_rank_tensor():
    """By its definition: the whole product of all features with the weight that the factors make, which ours never forms."""
    case = Case("low-rank-tensor", WIDTHS)
    rank = 3
    f = [
        case.draw(f"low_rank_tensor.factors.{i}", rank, d + 1, D, scale=0.5) for i, d in enumerate(WIDTHS.values())
    ]
    weights = case.draw("low_rank_tensor.rank_weights", rank)
    bias = case.draw("low_rank_tensor.bias", D)
    whole = torch.einsum("r,rio,rjo,rko->ijko", weights, *f)
    a, b, c = (with_one(case.mean(m)) for m in WIDTHS)
    case.save((torch.einsum("bi,bj,bk,ijko->bo", a, b, c, whole) + bias).unsqueeze(1))


def blocks():
    """MUTAN and block: in each block Σ_r (A_r x) ⊙ (B_r y); block brings each to signed roots and to length one."""
    d_factor, rank = 4, 3
    for name, chunks in (("mutan", 1), ("block", 2)):
        case = Case(name, PAIR)
        first, second = projected(case, name, d_factor)
        d = d_factor // chunks
        made = []
        for i in range(chunks):
            here = slice(i * d, (i + 1) * d)
            a = case.linear(f"{name}.first.{i}", d, rank * d)(first[:, here])
            b = case.linear(f"{name}.second.{i}", d, rank * d)(second[:, here])
            z = sum(a[:, r * d : (r + 1) * d] * b[:, r * d : (r + 1) * d] for r in range(rank))
            if name == "block":
                z = F.normalize(torch.sqrt(F.relu(z)) - torch.sqrt(F.relu(-z)))
            made.append(z)
        case.save(case.linear(f"{name}.projection", d_factor, D)(torch.cat(made, -1)).unsqueeze(1))


def product_of_experts():
    """The product of normal densities by completing the square, the first expert being the standard normal."""
    case = Case("product-of-experts", WIDTHS)
    experts = [x.chunk(2, -1) for x in projected(case, "product_of_experts", 2 * D)]
    experts.append((torch.zeros(BATCH, D), torch.zeros(BATCH, D)))
    precision = sum(1 / torch.exp(log_variance) for _, log_variance in experts)
    mean = sum(mu / torch.exp(log_variance) for mu, log_variance in experts) / precision
    case.save(mean.unsqueeze(1))


# Fusions of tokens.


def randomize(module):
    for name, value in module.named_parameters():
        noise = torch.randn(value.shape)
        is_norm = "norm" in name.lower() and name.endswith("weight")
        value.data.copy_(1 + 0.3 * noise if is_norm else noise * (0.6 / math.sqrt(value.shape[-1] / 4)))
    return module.eval()


def projections(case, path):
    return {
        m: case.linear(f"{path}.projections.linears.{i}", x.shape[-1], D)(x) for i, (m, x) in enumerate(case.x.items())
    }


def pad(case, *modalities):
    return torch.cat([case.mask[m] == 0 for m in modalities], 1)


def attention_names(case, path, module):
    """torch.nn's attention in ours; its keys' biases are left out, which a softmax does not see."""
    weight, bias = module.in_proj_weight, module.in_proj_bias
    for i, part in enumerate(("query", "key", "value")):
        case.weights[f"{path}.{part}.weight"] = weight[i * D : (i + 1) * D].T
        if part != "key" or "transformer.transformer" in path:
            case.weights[f"{path}.{part}.bias"] = bias[i * D : (i + 1) * D]
    case.weights[f"{path}.output.weight"] = module.out_proj.weight.T
    case.weights[f"{path}.output.bias"] = module.out_proj.bias


def norm_names(case, path, module):
    case.weights |= {f"{path}.layer.gamma": module.weight, f"{path}.layer.beta": module.bias}


def linear_names(case, path, module):
    case.weights |= {f"{path}.weight": module.weight.T}
    if module.bias is not None:
        case.weights |= {f"{path}.bias": module.bias}


ARGUMENTS = {"d_model": D, "nhead": HEADS, "dim_feedforward": 12, "dropout": 0, "activation": "gelu"}
ARGUMENTS |= {"batch_first": True, "norm_first": True}


def encoder_layer(case, path):
    layer = randomize(nn.TransformerEncoderLayer(**ARGUMENTS))
    norm_names(case, f"{path}.norm_attention", layer.norm1)
    attention_names(case, f"{path}.attention", layer.self_attn)
    norm_names(case, f"{path}.norm_feed_forward", layer.norm2)
    linear_names(case, f"{path}.feed_forward.up", layer.linear1)
    linear_names(case, f"{path}.feed_forward.down", layer.linear2)
    return layer


def transformer():
    case = Case("transformer", WIDTHS)
    x = projections(case, "transformer")
    marks = case.draw("transformer.modality_embeddings", 3, D)
    token = case.draw("transformer.class_token", 1, D)
    tokens = [token.expand(BATCH, 1, D)] + [x[m] + marks[i] for i, m in enumerate(x)]
    mask = torch.cat([torch.zeros(BATCH, 1, dtype=torch.bool), pad(case, *x)], 1)
    y = torch.cat(tokens, 1)
    for i in range(2):
        y = encoder_layer(case, f"transformer.transformer.blocks.{i}")(y, src_key_padding_mask=mask)
    case.save(case.norm("transformer.transformer.norm")(y))


def cross_attention():
    case = Case("cross-attention", WIDTHS)
    x = projections(case, "cross_attention")
    case.draw("cross_attention.stand_in.token", 1, D)
    y, others = x["text"], torch.cat([x["audio"], x["image"]], 1)
    for i in range(2):
        layer = randomize(nn.TransformerDecoderLayer(**ARGUMENTS))
        path = f"cross_attention.decoder.blocks.{i}"
        norm_names(case, f"{path}.norm_attention", layer.norm1)
        attention_names(case, f"{path}.attention", layer.self_attn)
        norm_names(case, f"{path}.norm_cross", layer.norm2)
        attention_names(case, f"{path}.cross", layer.multihead_attn)
        norm_names(case, f"{path}.norm_feed_forward", layer.norm3)
        linear_names(case, f"{path}.feed_forward.up", layer.linear1)
        linear_names(case, f"{path}.feed_forward.down", layer.linear2)
        y = layer(
            y,
            others,
            tgt_key_padding_mask=pad(case, "text"),
            memory_key_padding_mask=pad(case, "audio", "image"),
        )
    case.save(case.norm("cross_attention.decoder.norm")(y))


def cross_block(case, path, gated=False):
    """x + α·cross(norm(x), norm(y)), x + β·ff(norm(x)), attention without biases, head by head."""
    norm_x, norm_y = case.norm(f"{path}.norm_cross"), case.norm(f"{path}.norm_context")
    q, k, v, o = (case.linear(f"{path}.cross.{n}", D, D, bias=False) for n in ("query", "key", "value", "output"))
    norm_ff = case.norm(f"{path}.norm_feed_forward")
    up, down = case.linear(f"{path}.feed_forward.up", D, 12), case.linear(f"{path}.feed_forward.down", 12, D)
    gates = [torch.tanh(case.draw(f"{path}.{g}", 1)) if gated else 1 for g in ("gate_cross", "gate_feed_forward")]

    def forward(x, y, y_pad):
        a, b = norm_x(x), norm_y(y)
        heads = []
        for h in range(HEADS):
            here = slice(h * D // HEADS, (h + 1) * D // HEADS)
            scores = q(a)[..., here] @ k(b)[..., here].transpose(1, 2) / math.sqrt(D // HEADS)
            scores = scores.masked_fill(y_pad.unsqueeze(1), -torch.inf)
            heads.append(torch.softmax(scores, -1) @ v(b)[..., here])
        x = x + gates[0] * o(torch.cat(heads, -1))
        return x + gates[1] * down(F.gelu(up(norm_ff(x))))

    return forward


def gated_cross_attention():
    case = Case("gated-cross-attention", WIDTHS)
    x = projections(case, "gated_cross_attention")
    case.draw("gated_cross_attention.stand_in.token", 1, D)
    y, others = x["text"], torch.cat([x["audio"], x["image"]], 1)
    for i in range(2):
        path = f"gated_cross_attention.layers.{i}"
        y = cross_block(case, f"{path}.gated", gated=True)(y, others, pad(case, "audio", "image"))
        y = encoder_layer(case, f"{path}.own")(y, src_key_padding_mask=pad(case, "text"))
    case.save(case.norm("gated_cross_attention.norm")(y))


def co_attention():
    case = Case("co-attention", PAIR)
    streams = projections(case, "co_attention")
    for layer in range(2):
        before = dict(streams)
        for i, m in enumerate(PAIR):
            other = next(o for o in PAIR if o != m)
            path = f"co_attention.streams.{i}.{layer}"
            y = cross_block(case, f"{path}.cross")(before[m], before[other], pad(case, other))
            streams[m] = encoder_layer(case, f"{path}.own")(y, src_key_padding_mask=pad(case, m))
    normed = [case.norm(f"co_attention.norms.{i}")(streams[m]) for i, m in enumerate(PAIR)]
    case.save(torch.cat(normed, 1))


def mult():
    case = Case("mult", PAIR)
    x = projections(case, "mult")
    targets = []
    for i, target in enumerate(PAIR):
        source = next(o for o in PAIR if o != target)
        y = x[target]
        for layer in range(2):
            y = cross_block(case, f"mult.pairs.{i}.blocks.{layer}")(y, x[source], pad(case, source))
        y = case.norm(f"mult.pairs.{i}.norm")(y)
        for layer in range(2):
            y = encoder_layer(case, f"mult.own.{i}.blocks.{layer}")(y, src_key_padding_mask=pad(case, target))
        y = case.norm(f"mult.own.{i}.norm")(y)
        mask = case.mask[target].unsqueeze(-1)
        targets.append((y * mask).sum(1) / mask.sum(1))
    case.save(torch.cat(targets, -1).unsqueeze(1))


def bottleneck():
    case = Case("bottleneck", PAIR)
    streams = projections(case, "bottleneck")
    n = 3
    shared = case.draw("bottleneck.bottlenecks", n, D).expand(BATCH, n, D)
    for layer in range(2):
        made = []
        for i, m in enumerate(PAIR):
            mask = torch.cat([torch.zeros(BATCH, n, dtype=torch.bool), pad(case, m)], 1)
            block = encoder_layer(case, f"bottleneck.streams.{i}.{layer}")
            y = block(torch.cat([shared, streams[m]], 1), src_key_padding_mask=mask)
            made.append(y[:, :n])
            streams[m] = y[:, n:]
        shared = sum(made) / len(made)
    case.save(case.norm("bottleneck.norm")(torch.cat([shared, *streams.values()], 1)))


def marked(case, path):
    x = projections(case, path)
    marks = case.draw(f"{path}.modality_embeddings", len(x), D)
    return torch.cat([x[m] + marks[i] for i, m in enumerate(x)], 1)


def perceiver():
    """Transformers' knows no padding: what is padding is cut off, sample by sample."""
    from types import SimpleNamespace

    from transformers.models.idefics.perceiver import IdeficsPerceiverResampler

    case = Case("perceiver", PAIR)
    tokens, keep = marked(case, "perceiver"), ~pad(case, *PAIR)
    vision = SimpleNamespace(embed_dim=D)
    config = SimpleNamespace(perceiver_config=SimpleNamespace(qk_layer_norms_perceiver=False), vision_config=vision)
    module = randomize(IdeficsPerceiverResampler(config, D, 2, HEADS, D // HEADS, 3))
    case.weights["perceiver.resampler.latents"] = module.latents
    for i, (attention, mlp) in enumerate(module.blocks):
        path = f"perceiver.resampler.blocks.{i}"
        norm_names(case, f"{path}.norm_context", attention.context_layer_norm)
        norm_names(case, f"{path}.norm_latents", attention.latents_layer_norm)
        for ours, theirs in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "output")):
            linear_names(case, f"{path}.attention.{ours}", getattr(attention, f"{theirs}_proj"))
        norm_names(case, f"{path}.norm_feed_forward", mlp.ln)
        linear_names(case, f"{path}.feed_forward.up", mlp.fc)
        linear_names(case, f"{path}.feed_forward.down", mlp.c_proj)
    norm_names(case, "perceiver.resampler.norm", module.layer_norm)
    case.save(torch.cat([module(tokens[i : i + 1, keep[i]]) for i in range(BATCH)]))


def q_former():
    from transformers import Blip2QFormerConfig, Blip2QFormerModel

    case = Case("q-former", PAIR)
    tokens = marked(case, "q_former")
    config = Blip2QFormerConfig(
        hidden_size=D,
        num_hidden_layers=3,
        num_attention_heads=HEADS,
        intermediate_size=12,
        encoder_hidden_size=D,
        cross_attention_frequency=2,
        hidden_act="gelu",
    )
    module = randomize(Blip2QFormerModel(config))
    queries = case.draw("q_former.q_former.queries", 3, D, scale=1)
    norm_names(case, "q_former.q_former.norm", module.layernorm)
    for i, layer in enumerate(module.encoder.layer):
        path = f"q_former.q_former.blocks.{i}"
        parts = [("attention", layer.attention)]
        if i % 2 == 0:
            parts.append(("cross", layer.crossattention))
        for ours, part in parts:
            for name in ("query", "key", "value"):
                linear_names(case, f"{path}.{ours}.{name}", getattr(part.attention, name))
            del case.weights[f"{path}.{ours}.key.bias"]  # a softmax does not see it
            linear_names(case, f"{path}.{ours}.output", part.output.dense)
            norm_names(case, f"{path}.norm_{ours}", part.output.LayerNorm)
        linear_names(case, f"{path}.feed_forward.up", layer.intermediate_query.dense)
        linear_names(case, f"{path}.feed_forward.down", layer.output_query.dense)
        norm_names(case, f"{path}.norm_feed_forward", layer.output_query.LayerNorm)
    out = module(
        query_embeds=queries.expand(BATCH, 3, D),
        encoder_hidden_states=tokens,
        encoder_attention_mask=(~pad(case, *PAIR)).long(),
    )
    case.save(out.last_hidden_state)


def modality_experts():
    """The layer written out, token by token; the loss is Transformers', divided by k as ours counts shares of choices."""
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    case = Case("modality-experts", PAIR)
    path, n, k = "modality_experts", 3, 2
    x = projections(case, path)
    marks = case.draw(f"{path}.modality_embeddings", 2, D)
    token = case.draw(f"{path}.class_token", 1, D)
    y = torch.cat([token.expand(BATCH, 1, D)] + [x[m] + marks[i] for i, m in enumerate(x)], 1)
    mask = torch.cat([torch.zeros(BATCH, 1, dtype=torch.bool), pad(case, *x)], 1)
    for i in range(2):
        block = f"{path}.blocks.{i}"
        attention = randomize(nn.MultiheadAttention(D, HEADS, batch_first=True))
        attention_names(case, f"{block}.attention", attention)
        a = case.norm(f"{block}.norm_attention")(y)
        y = y + attention(a, a, a, key_padding_mask=mask)[0]
        a = case.norm(f"{block}.norm_experts")(y)
        logits = case.linear(f"{block}.experts.router", D, n, bias=False)(a)
        experts = []
        for e in range(n):
            up = case.linear(f"{block}.experts.experts.{e}.up", D, 12)
            down = case.linear(f"{block}.experts.experts.{e}.down", 12, D)
            experts.append(lambda t, up=up, down=down: down(F.gelu(up(t))))
        made = torch.zeros_like(a)
        for b in range(BATCH):
            for t in range(a.shape[1]):
                likely = torch.softmax(logits[b, t], -1)
                for e in likely.argsort(descending=True)[:k]:
                    made[b, t] += likely[e] * experts[e](a[b, t])
        loss = load_balancing_loss_func((logits.flatten(0, 1),), n, k, (~mask).long())
        case.given[f"balance.{i}"] = (loss / k).reshape(1)
        y = y + made
    case.save(case.norm(f"{path}.norm")(y))


def prefix():
    """LLaVA's projector, and its features put in the places of a text by masked_scatter, as LLaVA's forward does."""
    from types import SimpleNamespace

    from transformers.models.llava.modeling_llava import LlavaMultiModalProjector

    case = Case("prefix", {"image": 4, "text": D})
    config = SimpleNamespace(
        vision_config=SimpleNamespace(hidden_size=4),
        text_config=SimpleNamespace(hidden_size=D),
        vision_feature_layer=-1,
        projector_hidden_act="gelu",
        multimodal_projector_bias=True,
    )
    module = randomize(LlavaMultiModalProjector(config))
    linear_names(case, "up", module.linear_1)
    linear_names(case, "down", module.linear_2)
    places = torch.tensor([[0, 1, 1, 1], [1, 0, 1, 0]])
    case.given["places"] = places
    features = module(case.x["image"])[case.mask["image"] == 1]
    mask = places.bool().unsqueeze(-1).expand_as(case.x["text"])
    case.save(case.x["text"].masked_scatter(mask, features))


if __name__ == "__main__":
    torch.manual_seed(11)
    with torch.no_grad():
        for make in (
            concat, sets, attention_sum, gated, film, multiplicative, tensor, low_rank_tensor, blocks,
            product_of_experts, transformer, cross_attention, gated_cross_attention, co_attention, mult, bottleneck, perceiver, q_former,
            modality_experts, prefix,
        ):  # fmt: skip
            make()
