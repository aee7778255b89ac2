"""Convolution below an LSTM in PyTorch: nn.Conv2d, nn.AvgPool2d, nn.LSTM.

Source
------
Shi, Bai & Yao (2017), IEEE TPAMI 39(11), 2298-2304, arXiv:1507.05717, for features
of a convolution read column by column; Donahue et al. (2015), CVPR, for convolution
below an LSTM. Here one convolution instead of seven, one LSTM from left to right
instead of two in both directions, one class for a picture instead of one symbol for
a column.

Equations
---------
::

    z  = x * W_1 + b_1          *: a kernel on every pixel, zeros around     (1)
    m  = f(avg_pool(z))         the mean of 2 x 2; f: relu, tanh, ...        (2)
    a_t = column t of m         all its pixels from the top, map by map      (3)
    h_t, c_t = lstm(a_t, h_(t-1), c_(t-1)) by W_x, W_h, b: see lstm.py       (4)
    prediction = h_T W_y + b_y  logits, when the last column has been read   (5)

Shapes
------
B batch, C channels of a picture, F x F pixels of a kernel, N kernels, P rows and T
columns that are left of the picture, H hidden units, K classes.
"""

from torch import nn

from torch_impl.activations import activation
from torch_impl.convolution import channels_first, channels_last
from torch_impl.losses import loss_function
from torch_impl.weights import FROZEN, KERNEL, SAME, TRANSPOSED, Weight

INPUTS = ("x",)


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        F, N, H, K = (sizes[letter] for letter in "FNHK")
        rows, _, C = sizes["shape"]
        self.f = activation(recipe["activation"])
        self.conv = nn.Conv2d(C, N, F, padding="same", bias=True)
        self.pool = nn.AvgPool2d(2, stride=2)
        self.lstm = nn.LSTM(rows // 2 * N, H, num_layers=1, batch_first=True)
        self.out = nn.Linear(H, K, bias=True)
        # As in lstm.py: of two biases that only appear as a sum, one is enough.
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)

    def forward(self, batch):
        x = batch["x"]                                       # (B, 2P, 2T, C)
        z = self.conv(channels_first(x))                     # (B, N, 2P, 2T)  (1)
        m = channels_last(self.f(self.pool(z)))              # (B, P, T, N)    (2)
        a = m.transpose(1, 2).flatten(2)                     # (B, T, P*N)     (3)
        h, (_, c) = self.lstm(a)                             # (B, T, H), (1, B, H)  (4)
        prediction = self.out(h[:, -1])                      # (B, K)          (5)
        return {"m": m, "h": h, "c": c[0], "prediction": prediction}


def loss(outputs, batch, recipe):
    prediction, y, weight = outputs["prediction"], batch["y"], batch.get("weight")
    return loss_function(recipe["loss"])(prediction, y, weight)


WEIGHTS = (
    Weight("conv.weight", ("W_1",), *KERNEL),
    Weight("conv.bias", ("b_1",), *SAME),
    Weight("lstm.weight_ih_l0", ("W_x",), *TRANSPOSED),
    Weight("lstm.weight_hh_l0", ("W_h",), *TRANSPOSED),
    Weight("lstm.bias_ih_l0", ("b",), *SAME),
    Weight("lstm.bias_hh_l0", (), *FROZEN),
    Weight("out.weight", ("W_y",), *TRANSPOSED),
    Weight("out.bias", ("b_y",), *SAME),
)
