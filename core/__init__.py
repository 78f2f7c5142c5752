"""What every part of the house stands on: clock, config, database, errors, ids, money, http, log. Knows no campus."""
