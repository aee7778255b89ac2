"""GRU sequence classifier in PyTorch: nn.Module around the built-in nn.GRU.

Source
------
Cho et al. (2014), EMNLP, 1724-1734. Departures: the reset gate r comes after the product
with W_h, not before it (Cho: x W_x + (r * h) W_h), so that one product serves all three; there
are biases, two of them; and the output reads the last step.

Equations
---------
::

    a  = x_t W_x + b_x                 what comes in: three parts, r z n     (1)
    q  = h W_h + b_h                   what was, in the same three parts     (2)
    r, z = sigmoid(a_rz + q_rz)        how much to reset, how much to keep   (3)
    n  = tanh(a_n + r * q_n)           the new state                         (4)
    h' = z * h + (1 - z) * n                                                 (5)
    prediction = h_T W_y + b_y         logits, or numbers                    (6)

Shapes
------
B batch, T time steps, D inputs, H hidden units, K classes.
"""

from torch import nn

from torch_impl.losses import loss_function
from torch_impl.padding import blank, last_step
from torch_impl.weights import SAME, TRANSPOSED, Weight

INPUTS = ("x",)


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        self.gru = nn.GRU(sizes["D"], sizes["H"], num_layers=1, batch_first=True)
        self.out = nn.Linear(sizes["H"], sizes["K"], bias=True)

    def forward(self, batch):
        x, mask = batch["x"], batch.get("mask")      # (B, T, D)  mask (B, T) or None
        h, _ = self.gru(x)                           # (B, T, H)  (1)-(5)
        prediction = self.out(last_step(h, mask))    # (B, K)  (6)
        return {"h": blank(h, mask), "prediction": prediction}


def loss(outputs, batch, recipe):
    prediction, y, weight = outputs["prediction"], batch["y"], batch.get("weight")
    return loss_function(recipe["loss"])(prediction, y, weight)


WEIGHTS = (
    Weight("gru.weight_ih_l0", ("W_x",), *TRANSPOSED),  # PyTorch's parts: r z n, too
    Weight("gru.weight_hh_l0", ("W_h",), *TRANSPOSED),
    Weight("gru.bias_ih_l0", ("b_x",), *SAME),
    Weight("gru.bias_hh_l0", ("b_h",), *SAME),
    Weight("out.weight", ("W_y",), *TRANSPOSED),
    Weight("out.bias", ("b_y",), *SAME),
)
