"""The PyTorch side of a paired benchmark: a model that is loaded, trained and asked by commands.

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


def to_device(array):
    return torch.from_numpy(array).to(torch.get_default_device())


def wait_for_device():
    """Nothing on the CPU, whose operations have ended when their call has."""
    if torch.get_default_device().type == "cuda":
        torch.cuda.synchronize()


def use_arguments():
    """The program's arguments: the number of threads, and the device on which tensors are made."""
    torch.set_num_threads(int(sys.argv[1]))
    # Not for the CPU, where it changes nothing but the time of every call, which then passes through a mode.
    if sys.argv[2] != "cpu":
        torch.set_default_device(sys.argv[2])


class TorchSide:
    """`build(name, d, dropout)` gives a module and where our parameters go in it: module path by our module's name."""

    def __init__(self, build):
        self.build = build

    def load(self, model, features, grid, n, d, weights, layout, dropout, learning_rate, weight_decay):
        self.inputs = [to_device(numpy.fromfile(features, dtype="<f4").reshape(n, d))]
        if grid is not None:
            self.inputs.append(to_device(numpy.fromfile(grid, dtype="<i4").reshape(n, 2)))
        self.model, self.modules = self.build(model, d, dropout)
        self.fill(numpy.fromfile(weights, dtype="<f4"), layout)
        matrices = [p for p in self.model.parameters() if p.ndim >= 2]
        vectors = [p for p in self.model.parameters() if p.ndim == 1]
        groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        # The fused update is PyTorch's fastest.
        self.optimiser = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)
        self.target = torch.tensor([1])
        return {}

    def fill(self, flat, layout):
        offset, filled = 0, set()
        for parameter in layout:
            size = int(numpy.prod(parameter["shape"]))
            module, kind = parameter["name"].rsplit(".", 1)
            path = f"{self.modules[module]}.{kind}".removeprefix(".")
            target = self.model.get_parameter(path)
            target.data.copy_(torch.from_numpy(flat[offset : offset + size].copy()).reshape(target.shape))
            filled.add(id(target))
            offset += size
        if any(id(p) not in filled for p in self.model.parameters()):
            raise ValueError("the PyTorch side has parameters that ours lacks")

    def step(self):
        self.optimiser.zero_grad(set_to_none=True)
        # A model may have a loss of its own.
        own = getattr(self.model, "loss", None)
        loss = own(*self.inputs, self.target) if own else F.cross_entropy(self.model(*self.inputs), self.target)
        loss.backward()
        self.optimiser.step()
        return loss.item()

    def train(self, steps):
        self.model.train()
        start = time.perf_counter()
        losses = [self.step() for _ in range(steps)]
        wait_for_device()
        return {"ms": (time.perf_counter() - start) * 1000, "losses": losses}

    def predict(self, runs):
        self.model.eval()
        start = time.perf_counter()
        with torch.inference_mode():
            for _ in range(runs):
                probabilities = torch.softmax(self.model(*self.inputs), dim=1)[0].tolist()
        return {"ms": (time.perf_counter() - start) * 1000, "probabilities": probabilities}

    def product(self, size, runs):
        a, b = torch.ones(size, size), torch.ones(size, size)
        start = time.perf_counter()
        for _ in range(runs):
            torch.matmul(a, b)
        wait_for_device()
        return {"ms": (time.perf_counter() - start) * 1000}


def serve(build):
    """Answers commands until stdin ends."""
    use_arguments()
    print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    side = TorchSide(build)
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(side, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)
