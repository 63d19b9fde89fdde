"""Programs that predict with an exported model and ONNX Runtime alone: a short script in Python, JavaScript or C++."""
