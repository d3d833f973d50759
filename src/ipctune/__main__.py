"""`python -m ipctune` is the same as `ipctune`."""

from ipctune.cli.main import main

if __name__ == "__main__":
    main()
