"""LeNet-5 in PyTorch: nn.Conv2d, nn.MaxPool2d, nn.Linear.

Source
------
LeCun, Bottou, Bengio & Haffner (1998), Proceedings of the IEEE 86(11), 2278-2324,
section II.B. As taught today: pictures of 28 x 28 that (1) pads, not of 32 x 32;
the largest of four pixels, where a trained multiple of their sum was; ReLU, not a
scaled tanh; every kernel of (3) sees all maps of (2); softmax, not distances to
drawn figures.

Equations
---------
::

    z_1 = x * W_1 + b_1          *: a kernel on every pixel, zeros around    (1)
    h_1 = f(max_pool(z_1))       the largest of 2 x 2; f: relu, tanh, ...    (2)
    z_2 = h_1 * W_2 + b_2        a kernel wherever it fits inside            (3)
    h_2 = f(max_pool(z_2))                                                   (4)
    h_3 = f(flat(h_2) W_3 + b_3) row by row, pixel by pixel, map by map      (5)
    h_4 = f(h_3 W_4 + b_4)                                                   (6)
    prediction = h_4 W_5 + b_5   logits                                      (7)

Shapes
------
B batch, H height, W width, C channels of a picture; F x F pixels of a kernel, M and
N kernels, P x Q pixels that are left in the end; R and S units, K classes.
"""

from torch import nn

from torch_impl.activations import activation
from torch_impl.convolution import channels_first, channels_last
from torch_impl.losses import loss_function
from torch_impl.regularizers import Shift
from torch_impl.weights import KERNEL, SAME, TRANSPOSED, Weight

INPUTS = ("x",)


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        F, M, N, R, S, K = (sizes[letter] for letter in "FMNRSK")
        H, W, C = sizes["shape"]
        P, Q = ((pixels // 2 - F + 1) // 2 for pixels in (H, W))
        self.f = activation(recipe["activation"])
        self.shift = Shift()
        self.conv_1 = nn.Conv2d(C, M, F, padding="same", bias=True)
        self.conv_2 = nn.Conv2d(M, N, F, padding="valid", bias=True)
        self.pool = nn.MaxPool2d(2, stride=2)
        self.flatten = nn.Flatten(start_dim=1, end_dim=-1)
        self.dense_3 = nn.Linear(P * Q * N, R, bias=True)
        self.dense_4 = nn.Linear(R, S, bias=True)
        self.dense_5 = nn.Linear(S, K, bias=True)

    def forward(self, batch):
        x = self.shift(batch["x"], batch.get("shift"))       # (B, H, W, C)
        # NHWC seen as NCHW is what PyTorch calls channels_last: faster here
        z_1 = self.conv_1(channels_first(x))                 # (B, M, H, W)      (1)
        h_1 = self.f(self.pool(z_1))                         # (B, M, H/2, W/2)  (2)
        z_2 = self.conv_2(h_1)                               # (B, N, 2P, 2Q)    (3)
        h_2 = self.f(self.pool(z_2))                         # (B, N, P, Q)      (4)
        h_1, h_2 = channels_last(h_1), channels_last(h_2)
        h_3 = self.f(self.dense_3(self.flatten(h_2)))        # (B, R)            (5)
        h_4 = self.f(self.dense_4(h_3))                      # (B, S)            (6)
        prediction = self.dense_5(h_4)                       # (B, K)            (7)
        return {"h_1": h_1, "h_2": h_2, "h_3": h_3, "h_4": h_4, "prediction": prediction}


def loss(outputs, batch, recipe):
    prediction, y, weight = outputs["prediction"], batch["y"], batch.get("weight")
    return loss_function(recipe["loss"])(prediction, y, weight)


WEIGHTS = (
    Weight("conv_{l}.weight", ("W_{l}",), *KERNEL),
    Weight("conv_{l}.bias", ("b_{l}",), *SAME),
    Weight("dense_{l}.weight", ("W_{l}",), *TRANSPOSED),
    Weight("dense_{l}.bias", ("b_{l}",), *SAME),
)
