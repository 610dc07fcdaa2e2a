"""Make macOS universal2 wheels: fuse two thin wheels into one, on any machine."""

__version__ = "0.1.0"
