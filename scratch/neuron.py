"""One neuron, from scratch.

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

from scratch import losses
from scratch.activations import activation
from scratch.layers import dense_backward, dense_forward
from scratch.workspace import NEW

INPUTS = ("x",)


def shapes(sizes, recipe):
    return {"W": (sizes["D"], 1), "b": (1,)}


def forward(params, batch, recipe, *, train, w=NEW):
    activate, _ = activation(recipe["activations"][0])                 # not differentiated
    z, cache = dense_forward(batch["x"], params["W"], params["b"])      # (B, 1) (1)
    prediction = activate(z)                                            # (B, 1) (2)
    return {"z": z, "prediction": prediction}, (z, prediction, cache)


def backward(params, doutputs, cache, recipe, *, inputs, w=NEW):
    z, prediction, cache = cache
    _, back = activation(recipe["activations"][0])
    # prediction = activate(z)
    dz = back(doutputs["prediction"], z, prediction)                    # (B, 1)
    # z, cache = dense_forward(batch["x"], params["W"], params["b"])
    dx, dW, db = dense_backward(dz, cache)
    return {"W": dW, "b": db, "d/x": dx}


loss = losses.of_prediction
