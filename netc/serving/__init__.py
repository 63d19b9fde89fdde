"""Serve a trained model over HTTP: predictions of rows and images, the Open Inference Protocol, health and metrics."""
