"""Elman's recurrent network in PyTorch: nn.Module around the built-in nn.RNN.

Source
------
Elman (1990), Cognitive Science 14, 179-211. Departures: tanh for the logistic
function, as is usual by now (or ReLU, if the recipe says so); the gradient runs through all
steps, not through the last one only: backpropagation through time, Werbos (1990),
Proceedings of the IEEE 78(10), 1550-1560; and the output reads the last step.

Equations
---------
::

    z  = x_t W_x + h W_h + b           what comes in, what was, a bias       (1)
    h' = f(z)                          f: tanh or ReLU                       (2)
    prediction = h_T W_y + b_y         logits, or numbers                    (3)

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
        D, H, f = sizes["D"], sizes["H"], recipe["nonlinearity"]
        self.rnn = nn.RNN(D, H, num_layers=1, nonlinearity=f, batch_first=True)
        self.out = nn.Linear(H, sizes["K"], bias=True)
        # nn.RNN has two biases, b_ih and b_hh, that only ever appear as a sum.
        # Keep one: trained together they would move the sum twice per step.
        nn.init.zeros_(self.rnn.bias_hh_l0).requires_grad_(False)

    def forward(self, batch):
        x, mask = batch["x"], batch.get("mask")      # (B, T, D)  mask (B, T) or None
        h, _ = self.rnn(x)                           # (B, T, H)  (1), (2)
        prediction = self.out(last_step(h, mask))    # (B, K)  (3)
        return {"h": blank(h, mask), "prediction": prediction}


def loss(outputs, batch, recipe):
    prediction, y, weight = outputs["prediction"], batch["y"], batch.get("weight")
    return loss_function(recipe["loss"])(prediction, y, weight)


WEIGHTS = (
    Weight("rnn.weight_ih_l0", ("W_x",), *TRANSPOSED),
    Weight("rnn.weight_hh_l0", ("W_h",), *TRANSPOSED),
    Weight("rnn.bias_ih_l0", ("b",), *SAME),
    Weight("rnn.bias_hh_l0", (), *FROZEN),
    Weight("out.weight", ("W_y",), *TRANSPOSED),
    Weight("out.bias", ("b_y",), *SAME),
)
