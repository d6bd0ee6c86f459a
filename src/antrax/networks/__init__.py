"""Networks as data: a graph of layers and its weights, and what runs or stores them.

`graph` and `keras_config` need neither torch nor ONNX; `torch_network` trains, `onnx_network` builds what
ONNX Runtime classifies with.
"""
