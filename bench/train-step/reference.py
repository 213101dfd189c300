"""Gated attention pooling in PyTorch: the other side of bench/train-step/run.ts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))
from torch_side import F, serve, torch  # noqa: E402


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

serve(lambda _model, d, dropout: (GatedAbmil(d, dropout), MODULES))
