"""R2T + ABMIL and RoFormer + ABMIL in PyTorch: the other side of bench/reembed/run.ts.

Each is written the way public programs formulate it: R2T makes the maps of scores [T, T] of every region and head and
convolves them, and CR-MSA multiplies tokens by weights in one array [G, K, P, C]; RoFormer calls PyTorch's fused attention.
"""

import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))
from torch_side import F, serve, torch  # noqa: E402

nn = torch.nn

# Legend: N tiles, C width, G regions, P places of a region, H heads, K representatives.
C, H, K, L, TAPS, ATTENTION = 512, 8, 3, 8, 15, 128


class Abmil(nn.Module):
    """Attention pooling without a layer before it."""

    def __init__(self, dropout):
        super().__init__()
        self.dropout = dropout
        self.v = nn.Linear(C, ATTENTION)
        self.w = nn.Linear(ATTENTION, 1, bias=False)
        self.classifier = nn.Linear(C, 2)

    def forward(self, x):
        hidden = F.dropout(torch.tanh(self.v(x)), self.dropout, self.training)  # [N, 128]
        attention = torch.softmax(self.w(hidden), dim=0)  # [N, 1]
        return self.classifier(attention.T @ x)  # [1, 2]


class ScoreConvolution(nn.Module):
    """EPEG over the maps of scores [G, H, T, T], one kernel of queries for each head."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(H, 1, TAPS, 1))
        self.bias = nn.Parameter(torch.empty(H))

    def forward(self, scores):
        return scores + F.conv2d(scores, self.weight, self.bias, padding=(TAPS // 2, 0), groups=H)


class InnerAttention(nn.Module):
    """Attention among the tokens of each group, [G, T, C] to [G, T, C], with its weights written out."""

    def __init__(self, dropout, has_epeg):
        super().__init__()
        self.dropout = dropout
        self.qkv = nn.Linear(C, 3 * C)
        self.proj = nn.Linear(C, C)
        self.epeg = ScoreConvolution() if has_epeg else None

    def forward(self, x):
        groups, tokens, _ = x.shape
        q, k, v = self.qkv(x).reshape(groups, tokens, 3, H, C // H).permute(2, 0, 3, 1, 4)  # 3 of [G, H, T, d]
        scores = (q * (C // H) ** -0.5) @ k.transpose(-2, -1)  # [G, H, T, T]
        if self.epeg is not None:
            scores = self.epeg(scores)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(groups, tokens, C)
        return F.dropout(self.proj(mixed), self.dropout, self.training)


def side_of(n):
    root = math.ceil(math.sqrt(n))
    return root + (-root) % L


def to_regions(x):
    """Rows [N, C] in a square with zeros behind, cut into regions [G, P, C]."""
    side = side_of(len(x))
    m = side // L
    square = F.pad(x, (0, 0, 0, side * side - len(x))).reshape(L, m, L, m, C)
    return square.permute(0, 2, 1, 3, 4).reshape(L * L, m * m, C)


def from_regions(regions, n):
    side = side_of(n)
    m = side // L
    square = regions.reshape(L, L, m, m, C).permute(0, 2, 1, 3, 4).reshape(side * side, C)
    return square[:n]


class RegionalBlock(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.norm = nn.LayerNorm(C)
        self.attention = InnerAttention(dropout, has_epeg=True)

    def forward(self, x):
        return x + from_regions(self.attention(to_regions(self.norm(x))), len(x))


class Phi(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(C, K))


class CrossBlock(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.norm = nn.LayerNorm(C)
        self.phi = Phi()
        self.attention = InnerAttention(dropout, has_epeg=False)

    def forward(self, x):
        tokens = to_regions(self.norm(x))  # [G, P, C]
        logits = (tokens @ self.phi.weight).transpose(1, 2)  # [G, K, P]
        combine, dispatch = logits.softmax(2), logits.softmax(1)
        low, high = logits.min(2, keepdim=True).values, logits.max(2, keepdim=True).values
        strength = (logits - low) / (high - low + 1e-8)
        representatives = (combine[..., None] * tokens[:, None]).sum(2)  # [G, K, C]
        sent = self.attention(representatives.transpose(0, 1)).transpose(0, 1)  # [G, K, C]
        spread = sent[:, :, None] * strength[..., None]  # [G, K, P, C]
        received = (spread * dispatch[..., None]).sum(1)  # [G, P, C]
        return x + from_regions(received, len(x))


class R2t(nn.Module):
    def __init__(self, d, dropout):
        super().__init__()
        self.dropout = 0.25 if dropout else 0.0
        inner = 0.1 if dropout else 0.0
        self.stem = nn.Linear(d, C)
        self.regional = RegionalBlock(inner)
        self.cross = CrossBlock(inner)
        self.norm = nn.LayerNorm(C)
        self.head = Abmil(self.dropout)

    def forward(self, x):
        x = F.dropout(F.relu(self.stem(x)), self.dropout, self.training)  # [N, C]
        return self.head(self.norm(self.cross(self.regional(x))))


def rotary_tables(grid):
    """cos and sin [N, d/2] of the `pixel` family: the first half of a head turns by column, the second by row."""
    n_frequencies = C // H // 4
    theta = math.pi * torch.linspace(1, 200, n_frequencies, dtype=torch.float64) / 400
    angles = (grid.to(torch.float64)[:, :, None] * theta).reshape(len(grid), 2 * n_frequencies)
    return angles.cos().float(), angles.sin().float()


def rotate(x, cos, sin):
    """[H, N, d]: neighbouring channels are the two sides of a plane."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1).flatten(-2)


class TransformerBlock(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.dropout = dropout
        self.norm1 = nn.LayerNorm(C)
        self.qkv = nn.Linear(C, 3 * C)
        self.out = nn.Linear(C, C)
        self.norm2 = nn.LayerNorm(C)
        self.up = nn.Linear(C, 4 * C)
        self.down = nn.Linear(4 * C, C)

    def forward(self, x, cos, sin):
        q, k, v = self.qkv(self.norm1(x)).reshape(len(x), 3, H, C // H).permute(1, 2, 0, 3)  # 3 of [H, N, d]
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        mixed = F.scaled_dot_product_attention(q[None], k[None], v[None])[0].transpose(0, 1).reshape(len(x), C)
        x = x + F.dropout(self.out(mixed), self.dropout, self.training)
        hidden = F.gelu(self.up(self.norm2(x)), approximate="tanh")
        return x + F.dropout(self.down(hidden), self.dropout, self.training)


class Roformer(nn.Module):
    def __init__(self, d, dropout):
        super().__init__()
        self.dropout = 0.25 if dropout else 0.0
        self.stem = nn.Linear(d, C)
        self.block = TransformerBlock(self.dropout)
        self.head = Abmil(self.dropout)

    def forward(self, x, grid):
        return self.head(self.block(self.stem(x), *rotary_tables(grid)))


HEAD = {"head.attention.v": "head.v", "head.attention.w": "head.w", "head.classifier": "head.classifier"}

R2T_MODULES = {
    **HEAD,
    "reembed.stem": "stem",
    "reembed.regional.0.norm": "regional.norm",
    "reembed.regional.0.qkv": "regional.attention.qkv",
    "reembed.regional.0.proj": "regional.attention.proj",
    "reembed.regional.0.epeg": "regional.attention.epeg",
    "reembed.cross.norm": "cross.norm",
    "reembed.cross.phi": "cross.phi",
    "reembed.cross.qkv": "cross.attention.qkv",
    "reembed.cross.proj": "cross.attention.proj",
    "reembed.norm": "norm",
}

ROFORMER_MODULES = {
    **HEAD,
    "reembed.input": "stem",
    "reembed.blocks.0.norm1": "block.norm1",
    "reembed.blocks.0.qkv": "block.qkv",
    "reembed.blocks.0.out": "block.out",
    "reembed.blocks.0.norm2": "block.norm2",
    "reembed.blocks.0.mlp.0": "block.up",
    "reembed.blocks.0.mlp.1": "block.down",
}


def build(model, d, dropout):
    return (R2t(d, dropout), R2T_MODULES) if model == "r2t" else (Roformer(d, dropout), ROFORMER_MODULES)


serve(build)
