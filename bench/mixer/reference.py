"""The PyTorch side of the region mixer's benchmark: encoder, decoder, masked loss and AdamW in plain PyTorch.

Written from the method's description alone: attention is torch's fused one, gate and up of SwiGLU one matrix product, tokens are put
back into the order of the region before they are decoded, and the decoder predicts every token as the description has it.
"""

import json
import math
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))
from torch_side import F, numpy, to_device, torch, use_arguments, wait_for_device  # noqa: E402

nn = torch.nn

CLASSES = 4


class Block(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        views, tokens, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(views, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(views, tokens, width)
        x = x + self.out(mixed)
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Encoder(nn.Module):
    def __init__(self, d, tokens, width, depth, heads, inner):
        super().__init__()
        self.input = nn.Linear(d, width)
        self.positions = nn.Parameter(torch.empty(tokens, width))
        self.tokens = nn.Parameter(torch.empty(CLASSES, width))
        self.blocks = nn.ModuleList(Block(width, heads, inner) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x, places=None):
        """`x` [V, n, D] at `places` [V, n] of the region, or whole regions."""
        x = self.input(x) + (self.positions if places is None else self.positions[places])
        x = torch.cat([self.tokens.expand(len(x), -1, -1), x], 1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Decoder(nn.Module):
    def __init__(self, d, tokens, encoder_width, width, depth, heads, inner):
        super().__init__()
        self.input = nn.Linear(encoder_width, width)
        self.mask = nn.Parameter(torch.empty(1, width))
        self.positions = nn.Parameter(torch.empty(tokens, width))
        self.blocks = nn.ModuleList(Block(width, heads, inner) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, d)

    def forward(self, encoded, kept):
        encoded = self.input(encoded)
        views, _, width = encoded.shape
        places = self.mask.expand(views, len(self.positions), -1)
        index = kept[:, :, None].expand(-1, -1, width)
        whole = places.scatter(1, index, encoded[:, CLASSES:]) + self.positions
        x = torch.cat([encoded[:, :CLASSES], whole], 1)
        for block in self.blocks:
            x = block(x)
        return self.output(self.norm(x)[:, CLASSES:])


class Mixer(nn.Module):
    def __init__(self, d, tokens, sizes):
        super().__init__()
        width, depth, heads, inner = (sizes[name] for name in ("width", "depth", "heads", "inner"))
        self.reembed = Encoder(d, tokens, width, depth, heads, inner)
        wide, blocks, wide_heads, wide_inner = (
            sizes[name] for name in ("decoderWidth", "decoderDepth", "decoderHeads", "decoderInner")
        )
        self.decoder = Decoder(d, tokens, width, wide, blocks, wide_heads, wide_inner)

    def loss(self, tokens, kept, removed, shares):
        d = tokens.shape[-1]
        visible = tokens.gather(1, kept[:, :, None].expand(-1, -1, d))
        predicted = self.decoder(self.reembed(visible, kept), kept)
        index = removed[:, :, None].expand(-1, -1, d)
        cosines = F.cosine_similarity(tokens.gather(1, index), predicted.gather(1, index), dim=-1, eps=1e-6)
        return (shares * (1 - cosines)).sum() / len(tokens)


class Side:
    def load(self, folder, views, d, tokens, sizes, layout, learning_rate, weight_decay, betas):
        def read(name, dtype, *shape):
            return to_device(numpy.fromfile(f"{folder}/{name}", dtype=dtype).reshape(*shape))

        self.tokens = read("tokens.f32", "<f4", views, tokens, d)
        self.kept = read("kept.i32", "<i4", views, -1).long()
        self.removed = read("removed.i32", "<i4", views, -1).long()
        self.shares = read("shares.f32", "<f4", views, -1)
        self.model = Mixer(d, tokens, sizes)
        self.fill(numpy.fromfile(f"{folder}/weights.f32", dtype="<f4"), layout)
        vectors = ("positions", "tokens", "mask")
        named = list(self.model.named_parameters())
        plain = [p for name, p in named if p.ndim == 1 or name.rsplit(".", 1)[1] in vectors]
        matrices = [p for name, p in named if not any(p is other for other in plain)]
        groups = [{"params": matrices}, {"params": plain, "weight_decay": 0.0}]
        # The fused update is PyTorch's fastest.
        self.optimiser = torch.optim.AdamW(
            groups, lr=learning_rate, weight_decay=weight_decay, betas=tuple(betas), fused=True
        )
        return {}

    def fill(self, flat, layout):
        values, offset = {}, 0
        for parameter in layout:
            size = math.prod(parameter["shape"])
            part = torch.from_numpy(flat[offset : offset + size].copy()).reshape(parameter["shape"])
            values[parameter["name"]] = part
            offset += size
        for name in [name for name in values if name.endswith(".gate.weight")]:
            both = [values.pop(name), values.pop(name.replace(".gate.", ".up."))]
            values[name.replace(".gate.", ".gate_up.")] = torch.cat(both)
        self.model.load_state_dict(values)

    def step(self):
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.model.loss(self.tokens, self.kept, self.removed, self.shares)
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def train(self, steps):
        start = time.perf_counter()
        losses = [self.step() for _ in range(steps)]
        wait_for_device()
        return {"ms": (time.perf_counter() - start) * 1000, "losses": losses}

    def encode(self, runs):
        start = time.perf_counter()
        with torch.inference_mode():
            for _ in range(runs):
                encoded = self.model.reembed(self.tokens)[:, CLASSES:]
            wait_for_device()
        ms = (time.perf_counter() - start) * 1000
        return {"ms": ms, "values": encoded[:: max(1, len(encoded) - 1), ::47, ::61].flatten().tolist()}


def serve():
    """Answers commands, one JSON line each, until stdin ends."""
    use_arguments()
    print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    side = Side()
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(side, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
