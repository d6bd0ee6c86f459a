"""Networks as data: a graph of layers and its weights, and code that runs and stores them.

`graph` and `keras` need neither torch nor ONNX; `backends.torch_network` trains, `backends.onnx_network` builds the
model that ONNX Runtime classifies with.
"""
