"""`python -m aiac`."""

from aiac.cli import main

if __name__ == "__main__":
    main()
