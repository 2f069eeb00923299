"""`python -m data_access` is the command line `frontdoor`."""

import sys

if __name__ == "__main__":
    from data_access.cli import main  # not at the top: worker processes import this module, too

    sys.exit(main())
