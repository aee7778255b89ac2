"""A stack of layers in PyTorch, chosen by name: nn.Module around a ModuleDict.

Source
------
Ioffe & Szegedy (2015), ICML, for batch normalization; Ba, Kiros & Hinton (2016),
arXiv:1607.06450, for layer normalization; Srivastava et al. (2014), JMLR 15,
1929-1958, for dropout; He et al. (2015), ICCV, for PReLU; LeCun et al. (1998),
Proceedings of the IEEE 86(11), 2278-2324, for convolution and pooling.

Equations
---------
::

    h_0 = x                                                          (1)
    h_l = f_l(h_(l-1))     f_l: dense, an activation, batch_norm ... (2)
    prediction = h_L                                                 (3)

Shapes
------
B batch, L layers. h_l is (B, ...): what layer l makes of the shape below it.
"""

from torch import nn

from torch_impl.layers import above, layer, noise
from torch_impl.losses import loss_function
from torch_impl.weights import KERNEL, SAME, TRANSPOSED, Weight

INPUTS = ("x",)


class Model(nn.Module):
    def __init__(self, sizes, recipe):
        super().__init__()
        self.layers, self.stack = nn.ModuleDict(), []
        shape = tuple(sizes["shape"])
        for l, settings in enumerate(recipe["layers"], start=1):
            f = layer(shape, **settings)
            if isinstance(f, nn.Module):  # an activation is a plain function
                self.layers[f"{settings['name']}_{l}"] = f
            self.stack.append((f, noise(l, **settings)))
            shape = above(shape, **settings)

    def forward(self, batch):
        outputs = {}
        h = batch["x"]                                                # (1)
        for l, (f, key) in enumerate(self.stack, start=1):
            h = f(h) if key is None else f(h, batch.get(key))         # (2)
            outputs[f"h_{l}"] = h
        outputs["prediction"] = outputs.pop(f"h_{l}")                 # (3)
        return outputs


def loss(outputs, batch, recipe):
    prediction, y, weight = outputs["prediction"], batch["y"], batch.get("weight")
    return loss_function(recipe["loss"])(prediction, y, weight)


WEIGHTS = (
    Weight("layers.dense_{l}.weight", ("W_{l}",), *TRANSPOSED),
    Weight("layers.dense_{l}.bias", ("b_{l}",), *SAME),
    Weight("layers.conv_{l}.weight", ("W_{l}",), *KERNEL),
    Weight("layers.conv_{l}.bias", ("b_{l}",), *SAME),
    Weight("layers.prelu_{l}.weight", ("a_{l}",), *SAME),
    Weight("layers.logistic_{l}.slope", ("a_{l}",), *SAME),
    Weight("layers.batch_norm_{l}.weight", ("gamma_{l}",), *SAME),
    Weight("layers.batch_norm_{l}.bias", ("beta_{l}",), *SAME),
    Weight("layers.batch_norm_{l}.running_mean", ("mean_{l}",), *SAME),
    Weight("layers.batch_norm_{l}.running_var", ("var_{l}",), *SAME),
    Weight("layers.layer_norm_{l}.weight", ("gamma_{l}",), *SAME),
    Weight("layers.layer_norm_{l}.bias", ("beta_{l}",), *SAME),
)
