"""`python -m fatwheel`."""

from fatwheel.cli.main import main

if __name__ == "__main__":
    main()
