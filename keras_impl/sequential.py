"""A stack of layers in Keras, chosen by name: a functional model, noise as inputs.

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

import keras

from keras_impl.layers import layer
from keras_impl.losses import loss_function
from keras_impl.model import Network
from keras_impl.regularizers import NOISE
from keras_impl.weights import Weight

INPUTS = ("x",)


def build_model(sizes, recipe):
    x = keras.Input(shape=tuple(sizes["shape"]), name="x")       # (1)
    inputs, outputs, neutral = {"x": x}, {}, {}
    hidden = x
    for number, settings in enumerate(recipe["layers"], start=1):
        f = layer(hidden.shape[1:], number, **settings)
        if settings["name"] in NOISE:
            noise, changes_nothing = NOISE[settings["name"]](number, hidden)
            noise = inputs.setdefault(noise.name, noise)
            neutral[noise.name] = changes_nothing
            hidden = f([hidden, noise])                          # (2)
        else:
            hidden = f(hidden)                                   # (2)
        outputs[f"h_{number}"] = hidden
    outputs["prediction"] = outputs.pop(f"h_{number}")           # (3)
    return Network(
        inputs, outputs, loss=loss, recipe=recipe, name="sequential", neutral=neutral
    )


def loss(outputs, batch, recipe):
    y, prediction, weight = batch["y"], outputs["prediction"], batch.get("weight")
    return loss_function(recipe["loss"])(y, prediction, weight)


WEIGHTS = (
    Weight("dense_{l}/kernel", ("W_{l}",)),
    Weight("dense_{l}/bias", ("b_{l}",)),
    Weight("conv_{l}/kernel", ("W_{l}",)),
    Weight("conv_{l}/bias", ("b_{l}",)),
    Weight("prelu_{l}/a", ("a_{l}",)),
    Weight("logistic_{l}/a", ("a_{l}",)),
    Weight("batch_norm_{l}/gamma", ("gamma_{l}",)),
    Weight("batch_norm_{l}/beta", ("beta_{l}",)),
    Weight("batch_norm_{l}/moving_mean", ("mean_{l}",)),
    Weight("batch_norm_{l}/moving_variance", ("var_{l}",)),
    Weight("layer_norm_{l}/gamma", ("gamma_{l}",)),
    Weight("layer_norm_{l}/beta", ("beta_{l}",)),
)
