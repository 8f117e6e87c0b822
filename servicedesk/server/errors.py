"""What the supervisor tells a person when it can't go on: one sentence with the way out."""


class ServerError(Exception):
    """A server of the trial could not be found or started; the message names the cause and the remedy."""
