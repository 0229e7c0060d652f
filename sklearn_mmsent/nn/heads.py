"""Heads: from the fused vector to the outputs."""

from torch import nn


class PredictionHead(nn.Module):
    """One hidden layer and a linear output: logits, or intensities.

    The hidden layer lets a fusion that only adds its blocks up still express
    interactions between them.

    Parameters
    ----------
    width : int
        Hidden width D.
    n_outputs : int
        Number of outputs C: classes, or targets.
    dropout : float
        Probability with which a hidden unit is zeroed in training.
    """

    def __init__(self, width, n_outputs, dropout):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, n_outputs)
        )

    def forward(self, fused):
        """Map fused vectors of shape (B, D) to outputs of shape (B, C)."""
        return self.layers(fused)
