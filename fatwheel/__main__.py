"""`python -m fatwheel`."""

from fatwheel.cli import main

if __name__ == "__main__":
    main()
