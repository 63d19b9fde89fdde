"""Predictions of a trained model: from rows, images or arrays to class names, probabilities and values."""
