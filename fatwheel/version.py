"""fatwheel's own version, which every wheel that it makes names."""

__version__ = "0.1.0"
