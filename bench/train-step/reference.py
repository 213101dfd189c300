"""Gated attention pooling in PyTorch: the other side of bench/train-step/run.ts.

Reads one JSON command per line on stdin and answers each with one JSON line on stdout. Times are its own, in
milliseconds: the pipe between the two processes is not counted against it.
"""

import json
import sys
import time

try:
    import numpy
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(json.dumps({"unavailable": str(error)}), flush=True)
    sys.exit(0)


class GatedAbmil(torch.nn.Module):
    """The layers of the `gated-abmil` head under their names there."""

    def __init__(self, d, dropout):
        super().__init__()
        self.dropout = dropout
        self.trunk = torch.nn.Linear(d, 512)
        self.v = torch.nn.Linear(512, 256)
        self.u = torch.nn.Linear(512, 256)
        self.w = torch.nn.Linear(256, 1, bias=False)
        self.classifier = torch.nn.Linear(512, 2)

    def forward(self, x):
        h = F.dropout(F.relu(self.trunk(x)), self.dropout, self.training)  # [N, 512]
        v = F.dropout(torch.tanh(self.v(h)), self.dropout, self.training)  # [N, 256]
        u = F.dropout(torch.sigmoid(self.u(h)), self.dropout, self.training)  # [N, 256]
        attention = torch.softmax(self.w(v * u), dim=0)  # [N, 1]
        return self.classifier(attention.T @ h)  # [1, 2]


MODULES = {
    "head.trunk.0": "trunk",
    "head.attention.v": "v",
    "head.attention.u": "u",
    "head.attention.w": "w",
    "head.classifier": "classifier",
}


class Reference:
    def load(self, features, n, d, weights, layout, dropout, learning_rate, weight_decay):
        self.x = torch.from_numpy(numpy.fromfile(features, dtype="<f4").reshape(n, d))
        self.model = GatedAbmil(d, dropout)
        self.fill(numpy.fromfile(weights, dtype="<f4"), layout)
        matrices = [p for p in self.model.parameters() if p.ndim == 2]
        vectors = [p for p in self.model.parameters() if p.ndim == 1]
        groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        # The fused update is PyTorch's fastest on the CPU.
        self.optimiser = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)
        self.target = torch.tensor([1])
        return {}

    def fill(self, flat, layout):
        offset = 0
        for parameter in layout:
            size = int(numpy.prod(parameter["shape"]))
            module, kind = parameter["name"].rsplit(".", 1)
            values = torch.from_numpy(flat[offset : offset + size].copy()).reshape(parameter["shape"])
            getattr(getattr(self.model, MODULES[module]), kind).data.copy_(values)
            offset += size

    def step(self):
        self.optimiser.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.model(self.x), self.target)
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def train(self, steps):
        self.model.train()
        start = time.perf_counter()
        losses = [self.step() for _ in range(steps)]
        return {"ms": (time.perf_counter() - start) * 1000, "losses": losses}

    def predict(self, runs):
        self.model.eval()
        start = time.perf_counter()
        with torch.inference_mode():
            for _ in range(runs):
                probabilities = torch.softmax(self.model(self.x), dim=1)[0].tolist()
        return {"ms": (time.perf_counter() - start) * 1000, "probabilities": probabilities}

    def product(self, size, runs):
        a, b = torch.ones(size, size), torch.ones(size, size)
        start = time.perf_counter()
        for _ in range(runs):
            torch.matmul(a, b)
        return {"ms": (time.perf_counter() - start) * 1000}


def main():
    torch.set_num_threads(int(sys.argv[1]))
    print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    reference = Reference()
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(reference, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)


main()
