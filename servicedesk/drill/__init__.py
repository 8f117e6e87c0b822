"""The drill: the whole promise, once, through the real pipeline, in compressed time."""
