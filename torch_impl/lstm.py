"""LSTM sequence classifier in PyTorch: nn.Module around the built-in nn.LSTM.

Source
------
Hochreiter & Schmidhuber (1997), Neural Computation 9(8), 1735-1780; the forget
gate is from Gers, Schmidhuber & Cummins (2000), Neural Computation 12(10),
2451-2471. No peepholes; one bias.

Equations
---------
::

    z  = x_t W_x + h W_h + b           four gates in one product, i f g o    (1)
    i, f, o = sigmoid(z_i, z_f, z_o)   how much to write, keep, show         (2)
    g  = tanh(z_g)                     what to write                         (3)
    c' = f * c + i * g                 the cell: the only path without W     (4)
    h' = o * tanh(c')                                                        (5)
    prediction = h_T W_y + b_y         logits                                (6)

Shapes
------
B batch, T time steps, D inputs, H hidden units, K classes.
"""

from torch import nn

from torch_impl.losses import loss_function
from torch_impl.padding import blank, last_step
from torch_impl.weights import FROZEN, SAME, TRANSPOSED, Weight

INPUTS = ("x",)


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        self.lstm = nn.LSTM(sizes["D"], sizes["H"], num_layers=1, batch_first=True)
        self.out = nn.Linear(sizes["H"], sizes["K"], bias=True)
        # nn.LSTM has two biases, b_ih and b_hh, that only ever appear as a sum.
        # Keep one: trained together they would move the sum twice per step.
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)

    def forward(self, batch):
        x, mask = batch["x"], batch.get("mask")      # (B, T, D)  mask (B, T) or None
        h, (_, c) = self.lstm(x)                     # (B, T, H), (1, B, H)  (1)-(5)
        prediction = self.out(last_step(h, mask))    # (B, K)  (6)
        outputs = {"h": blank(h, mask), "prediction": prediction}
        return outputs | ({"c": c[0]} if mask is None else {})


def loss(outputs, batch, recipe):
    prediction, y, weight = outputs["prediction"], batch["y"], batch.get("weight")
    return loss_function(recipe["loss"])(prediction, y, weight)


WEIGHTS = (
    Weight("lstm.weight_ih_l0", ("W_x",), *TRANSPOSED),  # PyTorch's gates: i f g o, too
    Weight("lstm.weight_hh_l0", ("W_h",), *TRANSPOSED),
    Weight("lstm.bias_ih_l0", ("b",), *SAME),
    Weight("lstm.bias_hh_l0", (), *FROZEN),
    Weight("out.weight", ("W_y",), *TRANSPOSED),
    Weight("out.bias", ("b_y",), *SAME),
)
