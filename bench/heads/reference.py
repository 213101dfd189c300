"""Every head in PyTorch as public programs formulate it, the larger ones here: the other side of bench/heads/run.ts."""

import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))
from simple_heads import build_simple  # noqa: E402
from torch_side import F, serve, torch  # noqa: E402

nn = torch.nn


class GatedAttention(nn.Module):
    def __init__(self, width, hidden, dropout):
        super().__init__()
        self.dropout = dropout
        self.v = nn.Linear(width, hidden)
        self.u = nn.Linear(width, hidden)
        self.w = nn.Linear(hidden, 1, bias=False)

    def forward(self, h):
        v = F.dropout(torch.tanh(self.v(h)), self.dropout, self.training)
        u = F.dropout(torch.sigmoid(self.u(h)), self.dropout, self.training)
        return self.w(v * u)  # [N, 1]


class ClamSb(nn.Module):
    """Cross entropy of the bag, smooth SVM of eight tiles at each end."""

    K = 8

    def __init__(self, d, dropout):
        super().__init__()
        self.dropout = dropout
        self.trunk = nn.Linear(d, 512)
        self.attention = GatedAttention(512, 256, dropout)
        self.classifier = nn.Linear(512, 2)
        self.instance = nn.ModuleList(nn.Linear(512, 2) for _ in range(2))

    def pool(self, x):
        h = F.dropout(F.relu(self.trunk(x)), self.dropout, self.training)
        a = torch.softmax(self.attention(h).T, dim=1)  # [1, N]
        return h, a, self.classifier(a @ h)

    def forward(self, x):
        return self.pool(x)[2]

    def loss(self, x, target):
        h, a, logits = self.pool(x)
        top = h[torch.topk(a, self.K)[1][-1]]
        bottom = h[torch.topk(-a, self.K)[1][-1]]
        labels = torch.cat([torch.ones(self.K, dtype=torch.long), torch.zeros(self.K, dtype=torch.long)])
        scores = self.instance[int(target)](torch.cat([top, bottom]))
        raised = scores + 1 - F.one_hot(labels, 2)
        own = scores.gather(1, labels[:, None])[:, 0]
        soft = torch.logsumexp(raised, 1) - own
        hard = raised.max(1)[0] - own
        is_hard = (scores[:, 0] - scores[:, 1]).abs() >= math.log(1000)
        return 0.7 * F.cross_entropy(logits, target) + 0.3 * torch.where(is_hard, hard, soft).mean()


class NystromAttention(nn.Module):
    def __init__(self, width, heads=8, landmarks=256, steps=6, taps=33, dropout=0.1):
        super().__init__()
        self.heads, self.landmarks, self.steps, self.dropout = heads, landmarks, steps, dropout
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.conv = nn.Conv2d(heads, heads, (taps, 1), padding=(taps // 2, 0), groups=heads, bias=False)

    def forward(self, x):  # [1, n, W]
        n, m, h = x.shape[1], self.landmarks, self.heads
        missing = -n % m
        x = F.pad(x, (0, 0, missing, 0))
        q, k, v = (t.unflatten(2, (h, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, dim=-1))  # [1, H, P, d]
        q = q * q.shape[-1] ** -0.5
        block = math.ceil(n / m)
        ql, kl = (t.unflatten(2, (m, block)).mean(3) for t in (q, k))  # [1, H, m, d]
        a1 = torch.softmax(q @ kl.transpose(2, 3), -1)
        a2 = torch.softmax(ql @ kl.transpose(2, 3), -1)
        a3 = torch.softmax(ql @ k.transpose(2, 3), -1)
        z = a2.transpose(2, 3) / (a2.abs().sum(-1).max() * a2.abs().sum(-2).max())
        eye = torch.eye(m)
        for _ in range(self.steps):
            az = a2 @ z
            z = 0.25 * z @ (13 * eye - az @ (15 * eye - az @ (7 * eye - az)))
        out = (a1 @ z) @ (a3 @ v) + self.conv(v)
        out = self.out(out.transpose(1, 2).flatten(2))
        return F.dropout(out, self.dropout, self.training)[:, -n:]


class TransMil(nn.Module):
    def __init__(self, d, dropout):
        super().__init__()
        self.trunk = nn.Linear(d, 512)
        self.token = nn.Parameter(torch.zeros(1, 512))
        self.norms = nn.ModuleList(nn.LayerNorm(512) for _ in range(3))
        self.layers = nn.ModuleList(NystromAttention(512, dropout=dropout) for _ in range(2))
        self.position = nn.ModuleList(nn.Conv2d(512, 512, k, padding=k // 2, groups=512) for k in (7, 5, 3))
        self.classifier = nn.Linear(512, 2)

    def forward(self, x):
        h = F.relu(self.trunk(x))[None]  # [1, N, W]
        side = math.ceil(math.sqrt(h.shape[1]))
        h = torch.cat([h, h[:, : side * side - h.shape[1]]], 1)
        h = torch.cat([self.token[None], h], 1)
        h = h + self.layers[0](self.norms[0](h))
        token, tiles = h[:, :1], h[:, 1:]
        image = tiles.transpose(1, 2).unflatten(2, (side, side))
        image = image + sum(conv(image) for conv in self.position)
        h = torch.cat([token, image.flatten(2).transpose(1, 2)], 1)
        h = h + self.layers[1](self.norms[1](h))
        return self.classifier(self.norms[2](h)[:, 0])


class Dtfd(nn.Module):
    """AFS; `groups` sub-bags of one random split, training and prediction alike."""

    def __init__(self, d, dropout, groups):
        super().__init__()
        self.groups = groups
        self.trunk = nn.Linear(d, 512, bias=False)
        self.first, self.second = GatedAttention(512, 128, dropout), GatedAttention(512, 128, dropout)
        self.classifiers = nn.ModuleList(nn.Linear(512, 2) for _ in range(2))

    def tiers(self, x):
        h = F.relu(self.trunk(x))
        rows = []
        for index in torch.randperm(h.shape[0]).chunk(self.groups):
            part = h[index]
            rows.append(torch.softmax(self.first(part).T, 1) @ part)
        rows = torch.cat(rows)  # [G, W]
        distilled = rows.detach()
        pooled = torch.softmax(self.second(distilled).T, 1) @ distilled
        return self.classifiers[0](rows), self.classifiers[1](pooled)

    def forward(self, x):
        return self.tiers(x)[1]

    def loss(self, x, target):
        first, second = self.tiers(x)
        return F.cross_entropy(first, target.expand(first.shape[0])) + F.cross_entropy(second, target)


CLAM = {
    "head.trunk.0": "trunk",
    **{f"head.attention.{part}": f"attention.{part}" for part in "vuw"},
    "head.classifier": "classifier",
    **{f"head.instance.{c}": f"instance.{c}" for c in range(2)},
}
TRANSMIL = {
    "head.trunk.0": "trunk",
    **{f"head.layers.{i}.norm": f"norms.{i}" for i in range(2)},
    **{f"head.layers.{i}.{part}": f"layers.{i}.{part}" for i in range(2) for part in ("qkv", "out", "conv")},
    **{f"head.position.{i}": f"position.{i}" for i in range(3)},
    "head.norm": "norms.2",
    "head.classifier": "classifier",
}
DTFD = {
    "head.trunk.0": "trunk",
    **{f"head.{tier}.attention.{part}": f"{tier}.{part}" for tier in ("first", "second") for part in "vuw"},
    **{f"head.{tier}.classifier": f"classifiers.{i}" for i, tier in enumerate(("first", "second"))},
}


def build(model, d, dropout):
    simple = build_simple(model, d, dropout)
    if simple is not None:
        return simple
    if model == "clam":
        return ClamSb(d, dropout), CLAM
    if model == "transmil":
        return TransMil(d, 0.1 if dropout > 0 else 0), {**TRANSMIL, "head": ""}
    return Dtfd(d, 0, 1 if model == "dtfd-whole" else 4), DTFD


serve(build)
