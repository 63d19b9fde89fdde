"""The caller's inputs: arguments of the Python API, weights, and random arrays for a model's inputs."""
