"""Figures from plain arrays: each function returns a Matplotlib figure.

Nothing here knows a framework, and importing this package does not import
Matplotlib: that happens when the first figure is drawn. No figure touches
``pyplot``, so a caller's own plots and settings stay as they are.
"""

from nn_parity.figures.attention import attention_of_letters, attention_of_rows
from nn_parity.figures.canvas import save
from nn_parity.figures.confusion import confusion_matrix
from nn_parity.figures.curves import loss_curves
from nn_parity.figures.diagram import network_diagram
from nn_parity.figures.fit import line_fit
from nn_parity.figures.jacobians import jacobian_table
from nn_parity.figures.machine import memory_bars, roofline
from nn_parity.figures.parts import compared_trainings
from nn_parity.figures.pictures import first_layer_weights, misclassified
from nn_parity.figures.reconstructions import reconstructions
from nn_parity.figures.region import decision_region
from nn_parity.figures.scaling import scaling_curves
from nn_parity.figures.speed import speed_ratios

__all__ = [
    "attention_of_letters",
    "attention_of_rows",
    "compared_trainings",
    "confusion_matrix",
    "decision_region",
    "first_layer_weights",
    "jacobian_table",
    "line_fit",
    "loss_curves",
    "memory_bars",
    "misclassified",
    "network_diagram",
    "reconstructions",
    "roofline",
    "save",
    "scaling_curves",
    "speed_ratios",
]
