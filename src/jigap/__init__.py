"""jigap (지갑, "wallet"): pay people in tokens, in real time, by phone number."""

__version__ = "0.1.0"
