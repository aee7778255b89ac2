"""Probe: running statistics. nn.BatchNorm1d between two linear layers."""

from torch import nn

from torch_impl.losses import softmax_cross_entropy
from torch_impl.weights import SAME, TRANSPOSED, Weight

INPUTS = ("x",)


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        D, H, K = sizes["D"], sizes["H"], sizes["K"]
        self.hidden = nn.Linear(D, H, bias=True)
        self.norm = nn.BatchNorm1d(
            H, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True
        )
        self.out = nn.Linear(H, K, bias=True)

    def forward(self, batch):
        z = self.hidden(batch["x"])  # (B, H)
        n = self.norm(z)             # (B, H)
        prediction = self.out(n)     # (B, K)
        return {"z": z, "n": n, "prediction": prediction}


def loss(outputs, batch, recipe):
    return softmax_cross_entropy(outputs["prediction"], batch["y"])


WEIGHTS = (
    Weight("hidden.weight", ("W_1",), *TRANSPOSED),
    Weight("hidden.bias", ("b_1",), *SAME),
    Weight("norm.weight", ("gamma",), *SAME),
    Weight("norm.bias", ("beta",), *SAME),
    Weight("norm.running_mean", ("mean",), *SAME),
    Weight("norm.running_var", ("var",), *SAME),
    Weight("out.weight", ("W_2",), *TRANSPOSED),
    Weight("out.bias", ("b_2",), *SAME),
)
