"""Reading and writing of Keras's model descriptions and weights, without Keras."""
