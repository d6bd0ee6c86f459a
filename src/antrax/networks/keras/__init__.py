"""Networks as Keras describes and stores them, read without Keras."""
