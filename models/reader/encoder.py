"""The reader: one small encoder, and what is read from it. Names of weights are those of the shipped file."""

import math

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from rows import OBJECTIONS, SENTIMENTS, SIGNALS, STANCES

WIDTH, LAYERS, HEADS, INNER, EPSILON = 384, 6, 12, 1536, 1e-12


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.up = nn.Linear(WIDTH, INNER)
        self.down = nn.Linear(INNER, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH, eps=EPSILON)

    def forward(self, x, mask, drop):
        rows, length, _ = x.shape
        q, k, v = self.qkv(x).view(rows, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=drop if self.training else 0.0)
        seen = seen.transpose(1, 2).reshape(rows, length, WIDTH)
        x = self.norm1(x + F.dropout(self.out(seen), drop, self.training))
        return self.norm2(x + F.dropout(self.down(F.gelu(self.up(x))), drop, self.training))


class Head(nn.Module):
    """Looks at the words of the sentence with a question of its own, then decides."""

    def __init__(self, *answers):
        super().__init__()
        self.query = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.dense = nn.Linear(WIDTH, 192)
        self.answers = nn.ModuleList(nn.Linear(192, n) for n in answers)

    def forward(self, x, words, drop):
        pooled = attend(self.query, x, words)
        hidden = F.dropout(F.gelu(self.dense(F.dropout(pooled, drop, self.training))), drop, self.training)
        return [answer(hidden) for answer in self.answers]


def attend(query, x, words):
    """The words weighed by how much they answer to the query, one for all rows or one for each."""
    scores = (x @ query.unsqueeze(-1)).squeeze(-1) / math.sqrt(WIDTH)
    return (torch.softmax(scores.masked_fill(~words, -1e4), -1).unsqueeze(1) @ x).squeeze(1)


class Stance(nn.Module):
    """Looks at the sentence from where the competitor is named."""

    def __init__(self):
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.dense = nn.Linear(2 * WIDTH, 192)
        self.answer = nn.Linear(192, len(STANCES))

    def forward(self, x, words, mention, drop):
        weight = mention.float() / mention.sum(-1, keepdim=True).clamp(min=1)
        name = (weight.unsqueeze(1) @ x).squeeze(1)
        both = torch.cat([name, attend(self.query(name), x, words)], -1)
        hidden = F.dropout(F.gelu(self.dense(F.dropout(both, drop, self.training))), drop, self.training)
        return self.answer(hidden)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(30522, WIDTH)
        self.places = nn.Embedding(512, WIDTH)
        self.segments = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.vector = nn.Linear(LAYERS * WIDTH, WIDTH)
        nn.init.zeros_(self.vector.weight)
        nn.init.eye_(self.vector.weight[:, -WIDTH:])
        nn.init.zeros_(self.vector.bias)
        self.sentiment = Head(len(SENTIMENTS))
        self.question = Head(1)
        self.commitment = Head(1)
        self.objection = Head(1, len(OBJECTIONS))
        self.positive_signal = Head(1, len(SIGNALS))
        self.stance = Stance()

    def encode(self, ids, segments, mask, drop=0.0):
        """What each layer makes of the tokens."""
        seen, made = mask[:, None, None, :], []
        x = self.norm(self.words(ids) + self.places(torch.arange(ids.shape[1])) + self.segments(segments))
        x = F.dropout(x, drop, self.training)
        for layer in self.layers:
            x = layer(x, seen, drop)
            made.append(x)
        return made

    def forward(self, ids, segments, mask, mention=None, drop=0.0):
        made = self.encode(ids, segments, mask, drop)
        x, words = made[-1], mask & (segments == 1)
        read = {"means": torch.cat([mean(layer, words) for layer in made], -1)}
        read["vector"] = F.normalize(self.vector(read["means"]).float(), dim=-1)
        read["sentiment"] = self.sentiment(x, words, drop)[0]
        read["question"] = self.question(x, words, drop)[0]
        read["commitment"] = self.commitment(x, words, drop)[0]
        read["objection"], read["objection_sub"] = self.objection(x, words, drop)
        read["positive_signal"], read["signal_sub"] = self.positive_signal(x, words, drop)
        if mention is not None:
            read["stance"] = self.stance(x, words, mention, drop)
        return read


def mean(x, mask):
    weight = mask.float() / mask.sum(-1, keepdim=True)
    return (weight.unsqueeze(1) @ x.float()).squeeze(1)


def original_vectors(reader, ids, mask):
    """The sentence vectors of the encoder that we start from: the mean over all tokens of one plain sentence."""
    return F.normalize(mean(reader.encode(ids, torch.zeros_like(ids), mask)[-1], mask), dim=-1)


def load_original(path):
    """The weights of all-MiniLM-L6-v2 under our names."""
    theirs, reader = load_file(path), Reader()
    ours = reader.state_dict()

    def copy(name, *parts):
        ours[name].copy_(torch.cat([theirs[part] for part in parts]))

    copy("words.weight", "embeddings.word_embeddings.weight")
    copy("places.weight", "embeddings.position_embeddings.weight")
    copy("segments.weight", "embeddings.token_type_embeddings.weight")
    for kind in ("weight", "bias"):
        copy(f"norm.{kind}", f"embeddings.LayerNorm.{kind}")
        for n in range(LAYERS):
            layer = f"encoder.layer.{n}"
            copy(f"layers.{n}.qkv.{kind}", *(f"{layer}.attention.self.{part}.{kind}" for part in ("query", "key", "value")))
            copy(f"layers.{n}.out.{kind}", f"{layer}.attention.output.dense.{kind}")
            copy(f"layers.{n}.norm1.{kind}", f"{layer}.attention.output.LayerNorm.{kind}")
            copy(f"layers.{n}.up.{kind}", f"{layer}.intermediate.dense.{kind}")
            copy(f"layers.{n}.down.{kind}", f"{layer}.output.dense.{kind}")
            copy(f"layers.{n}.norm2.{kind}", f"{layer}.output.LayerNorm.{kind}")
    reader.load_state_dict(ours)
    return reader

