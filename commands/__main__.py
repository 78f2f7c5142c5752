"""`python -m commands` is `houqin`."""

from commands import main

main()
