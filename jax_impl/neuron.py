"""One neuron in JAX: pure functions of a dict of arrays.

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

from jax_impl import losses
from jax_impl.activations import activation

INPUTS = ("x",)


def shapes(sizes, recipe):
    return {"W": (sizes["D"], 1), "b": (1,)}


def forward(params, batch, recipe, *, train):
    activate = activation(recipe["activations"][0])
    z = batch["x"] @ params["W"] + params["b"]  # (B, 1)  (1)
    prediction = activate(z)                    # (B, 1)  (2)
    return {"z": z, "prediction": prediction}


loss = losses.of_prediction
