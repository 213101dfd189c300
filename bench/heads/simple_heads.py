"""Pooling heads in PyTorch as public programs formulate them: mean, max, attention, dual stream, class tokens."""

import math

from torch_side import F, torch

nn = torch.nn


class Trunk(nn.Module):
    def __init__(self, d, width, dropout):
        super().__init__()
        self.dropout = dropout
        self.layer = nn.Linear(d, width)

    def forward(self, x):
        return F.dropout(F.relu(self.layer(x)), self.dropout, self.training)


class Pool(nn.Module):
    """Mean or max over the tiles."""

    def __init__(self, d, dropout, over):
        super().__init__()
        self.over = over
        self.trunk = Trunk(d, 512, dropout)
        self.classifier = nn.Linear(512, 2)

    def forward(self, x):
        h = self.trunk(x)
        pooled = h.mean(0) if self.over == "mean" else h.max(0)[0]
        return self.classifier(pooled[None])


class Attention(nn.Module):
    """Ilse et al. 2018, plain or gated."""

    def __init__(self, d, dropout, is_gated):
        super().__init__()
        self.dropout, self.is_gated = dropout, is_gated
        self.trunk = Trunk(d, 512, dropout)
        self.v = nn.Linear(512, 256)
        if is_gated:
            self.u = nn.Linear(512, 256)
        self.w = nn.Linear(256, 1, bias=False)
        self.classifier = nn.Linear(512, 2)

    def forward(self, x):
        h = self.trunk(x)
        scores = F.dropout(torch.tanh(self.v(h)), self.dropout, self.training)
        if self.is_gated:
            scores = scores * F.dropout(torch.sigmoid(self.u(h)), self.dropout, self.training)
        a = torch.softmax(self.w(scores).T, dim=1)  # [1, N]
        return self.classifier(a @ h)


class Dsmil(nn.Module):
    """Li et al. 2021 on the tiles themselves, the mean of both streams' losses."""

    def __init__(self, d):
        super().__init__()
        self.instance = nn.Linear(d, 2)
        self.query = nn.Sequential(nn.Linear(d, 128), nn.ReLU(), nn.Linear(128, 128), nn.Tanh())
        self.classifier = nn.Conv1d(2, 2, kernel_size=d)

    def streams(self, x):
        scores = self.instance(x)  # [N, 2]
        order = torch.sort(scores, 0, descending=True)[1]
        sought = self.query(torch.index_select(x, 0, order[0]))  # [2, 128]
        a = torch.softmax(self.query(x) @ sought.T / math.sqrt(128), 0)  # [N, 2]
        return scores.max(0)[0][None], self.classifier((a.T @ x)[None])[:, :, 0]

    def forward(self, x):
        return self.streams(x)[1]

    def loss(self, x, target):
        instance, bag = self.streams(x)
        return 0.5 * F.cross_entropy(bag, target) + 0.5 * F.cross_entropy(instance, target)


class ClassAttention(nn.Module):
    """Pochet et al. 2023: a token for each class attends to projected tiles in eight heads."""

    def __init__(self, d, dropout, heads=8, width=256):
        super().__init__()
        self.heads = heads
        self.trunk = Trunk(d, 512, dropout)
        self.tokens = nn.Parameter(torch.zeros(2, width))
        self.k, self.v, self.out = nn.Linear(512, width), nn.Linear(512, width), nn.Linear(width, 512)
        self.classifier = nn.Linear(512, 2)

    def forward(self, x):
        h = self.trunk(x)
        q, k, v = (t.unflatten(1, (self.heads, -1)).transpose(0, 1) for t in (self.tokens, self.k(h), self.v(h)))
        seen = F.scaled_dot_product_attention(q[None], k[None], v[None])[0]  # [H, 2, d]
        rows = self.out(seen.transpose(0, 1).flatten(1))  # [2, 512]
        return (rows * self.classifier.weight).sum(1)[None] + self.classifier.bias


TRUNK = {"head.trunk.0": "trunk.layer", "head.classifier": "classifier"}


def build_simple(model, d, dropout):
    """A module and where our parameters go in it; `None` for a head that is not simple."""
    if model in ("mean", "max"):
        return Pool(d, dropout, model), TRUNK
    if model in ("abmil", "gated-abmil"):
        parts = {f"head.attention.{part}": part for part in "vuw"}
        return Attention(d, dropout, model == "gated-abmil"), {**TRUNK, **parts}
    if model == "dsmil":
        queries = {f"head.query.{i}": f"query.{2 * i}" for i in range(2)}
        return Dsmil(d), {"head.instance": "instance", **queries, "head.classifier": "classifier"}
    if model == "class-attention":
        parts = {f"head.attention.{part}": part for part in ("k", "v", "out")}
        return ClassAttention(d, dropout), {**TRUNK, **parts, "head": ""}
    return None
