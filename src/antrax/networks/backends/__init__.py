"""Backends that run a network: PyTorch, ONNX Runtime, OpenVINO."""
