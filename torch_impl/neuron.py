"""One neuron in PyTorch: nn.Linear with a single output.

Source
------
McCulloch & Pitts (1943), Bulletin of Mathematical Biophysics 5, 115-133, for the
threshold unit; Widrow & Hoff (1960), IRE WESCON Convention Record 4, 96-104, for
learning by error times input.

Equations
---------
::

    z = x W + b          one weighted sum                       (1)
    prediction = f(z)    f: step, identity, sigmoid, tanh, relu (2)

Shapes
------
B batch, D inputs, one output.
"""

from torch import nn

from torch_impl.activations import activation
from torch_impl.losses import loss_function
from torch_impl.weights import SAME, TRANSPOSED, Weight

INPUTS = ("x",)


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        self.linear = nn.Linear(sizes["D"], 1, bias=True)
        self.activation = activation(recipe["activations"][0])

    def forward(self, batch):
        z = self.linear(batch["x"])      # (B, 1)  (1)
        prediction = self.activation(z)  # (B, 1)  (2)
        return {"z": z, "prediction": prediction}


def loss(outputs, batch, recipe):
    prediction, y, weight = outputs["prediction"], batch["y"], batch.get("weight")
    return loss_function(recipe["loss"])(prediction, y, weight)


WEIGHTS = (
    Weight("linear.weight", ("W",), *TRANSPOSED),
    Weight("linear.bias", ("b",), *SAME),
)
