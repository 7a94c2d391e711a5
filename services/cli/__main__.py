"""`python -m services.cli`: the command where no console script is installed, as in the image."""

from services.cli import main

if __name__ == "__main__":
    main()
