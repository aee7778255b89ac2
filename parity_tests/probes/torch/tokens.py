"""Probe: integer inputs. Embedded tokens, some of them repeated, and their mean."""

from torch import nn

from torch_impl.losses import softmax_cross_entropy
from torch_impl.weights import SAME, TRANSPOSED, Weight

INPUTS = ()


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        V, M, K = sizes["V"], sizes["M"], sizes["K"]
        self.embedding = nn.Embedding(V, M, padding_idx=None, sparse=False)
        self.out = nn.Linear(M, K, bias=True)

    def forward(self, batch):
        e = self.embedding(batch["x"])          # (B, T, M)
        prediction = self.out(e.mean(dim=1))    # (B, K)
        return {"e": e, "prediction": prediction}


def loss(outputs, batch, recipe):
    return softmax_cross_entropy(outputs["prediction"], batch["y"])


WEIGHTS = (
    Weight("embedding.weight", ("E",), *SAME),
    Weight("out.weight", ("W",), *TRANSPOSED),
    Weight("out.bias", ("b",), *SAME),
)
