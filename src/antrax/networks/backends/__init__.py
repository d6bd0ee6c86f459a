"""A network at work: PyTorch and ONNX Runtime."""
