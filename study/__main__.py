"""`python -m study`."""

import sys

if __name__ == "__main__":
    try:
        from study.cli.main import main

        main()
    except KeyboardInterrupt:  # before the command line could take care of it
        sys.exit(130)
