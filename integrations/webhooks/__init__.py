"""Arithmetic of the webhooks that go out: keys and signatures, when to try again, which events are still to be read."""
